/* pipeline/bench/machine.h - what a table of results must say about where it was made. */
#ifndef WS_PIPELINE_BENCH_MACHINE_H
#define WS_PIPELINE_BENCH_MACHINE_H

typedef struct ws_machine {
    char cpu[96];    /* its name, or its numbers where the system knows no name; no quotes */
    int cores;       /* that are online */
    double clock_hz; /* measured now, on this core */
    const char *compiler;
    char system[64]; /* kernel and its release */
} ws_machine;

void ws_machine_read(ws_machine *m);

#endif
