/* pipeline/bench/energy.c - see energy.h. */
#include "pipeline/bench/energy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A number in folder/intel-rapl:PACKAGE/name, in microjoules; -1 where it cannot be read. */
static double read_counter(const char *folder, int package, const char *name)
{
    char path[512];
    double value = -1.0;
    snprintf(path, sizeof path, "%s/intel-rapl:%d/%s", folder, package, name);
    FILE *f = fopen(path, "r");
    if (!f)
        return -1.0;
    if (fscanf(f, "%lf", &value) != 1)
        value = -1.0;
    fclose(f);
    return value;
}

void ws_energy_read(const char *folder, ws_energy *e)
{
    memset(e, 0, sizeof *e);
    for (int i = 0; i < WS_ENERGY_PACKAGES; i++) {
        const double now = read_counter(folder, i, "energy_uj");
        const double range = read_counter(folder, i, "max_energy_range_uj");
        if (now < 0.0)
            return;
        e->joules[e->n] = 1e-6 * now;
        e->range[e->n++] = range > 0.0 ? 1e-6 * range : 0.0;
    }
}

double ws_energy_between(const ws_energy *from, const ws_energy *to)
{
    double sum = 0.0;
    if (!from->n || from->n != to->n)
        return NAN;
    for (int i = 0; i < from->n; i++) {
        const double d = to->joules[i] - from->joules[i];
        sum += d < 0.0 ? d + to->range[i] : d;
    }
    return sum;
}
