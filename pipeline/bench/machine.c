/* pipeline/bench/machine.c - see machine.h. */
#include "pipeline/bench/machine.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* A chain of additions, each waiting for the one before: one cycle each on every core of the last
 * decades. The best of several short runs, as others' work only ever makes them longer. */
static double measure_clock(void)
{
    enum { RUNS = 20, ROUNDS = 100000, CHAIN = 16 };
    unsigned long x = 1, y = 3;
    double best = 0.0;
    for (int run = 0; run < RUNS; run++) {
        const double start = ws_clock();
        for (int i = 0; i < ROUNDS; i++)
            for (int j = 0; j < CHAIN; j++) {
                x += y;
                __asm__ volatile("" : "+r"(x), "+r"(y)); /* neither known nor merged */
            }
        const double hz = (double)ROUNDS * CHAIN / (ws_clock() - start);
        best = hz > best ? hz : best;
    }
    return best;
}

/* The value of a line "key : value" of /proc/cpuinfo; 0 when there is none. */
static int cpuinfo(const char *key, char *value, size_t size)
{
    char line[512];
    int found = 0;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && !found && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = 0;
        snprintf(value, size, "%s", colon + 1 + strspn(colon + 1, " \t"));
        found = 1;
    }
    if (f)
        fclose(f);
    return found;
}

void ws_machine_read(ws_machine *m)
{
    static double clock_hz;
    char implementer[32], part[32];
    struct utsname system = {0};
    memset(m, 0, sizeof *m);
    uname(&system);
    snprintf(m->system, sizeof m->system, "%.20s %.40s", system.sysname, system.release);
    if (!cpuinfo("model name", m->cpu, sizeof m->cpu)) {
        if (cpuinfo("CPU implementer", implementer, sizeof implementer) &&
            cpuinfo("CPU part", part, sizeof part))
            snprintf(m->cpu, sizeof m->cpu, "%.20s, implementer %.20s part %.20s", system.machine,
                     implementer, part);
        else
            snprintf(m->cpu, sizeof m->cpu, "%.60s", system.machine);
    }
    for (char *c = m->cpu; *c; c++)
        if (*c == '"' || *c == '\\')
            *c = ' ';
    m->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (clock_hz <= 0.0)
        clock_hz = measure_clock();
    m->clock_hz = clock_hz;
#ifdef __clang__
    m->compiler = "clang " __clang_version__;
#else
    m->compiler = "gcc " __VERSION__;
#endif
}
