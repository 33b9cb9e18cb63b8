/* pipeline/bench/energy.h - energy of the processor packages, where the kernel tells it (RAPL). */
#ifndef WS_PIPELINE_BENCH_ENERGY_H
#define WS_PIPELINE_BENCH_ENERGY_H

enum { WS_ENERGY_PACKAGES = 8 };

typedef struct ws_energy {
    int n; /* packages that can be read; 0: none */
    double joules[WS_ENERGY_PACKAGES];
    double range[WS_ENERGY_PACKAGES]; /* a counter begins anew there */
} ws_energy;

/* The counters now. `folder` is /sys/class/powercap; a test gives another. */
void ws_energy_read(const char *folder, ws_energy *e);
/* Joules from one reading to a later one; NaN where nothing can be read. */
double ws_energy_between(const ws_energy *from, const ws_energy *to);

#endif
