/* pipeline/regions/learner_numbers.c - the numbers of regions as a learner takes them. */
#include <math.h>
#include <stdlib.h>

#include "base/half.h"
#include "pipeline/regions/learner.h"

/* The chosen numbers of one region, widened. */
static void widen(const ws_region_layout *l, uint32_t groups, const uint16_t *from, float *to)
{
    for (size_t g = 0; g < l->n_groups; g++)
        for (uint32_t k = 0; k < l->groups[g].count && groups >> g & 1; k++)
            *to++ = ws_half_to_float(from[l->groups[g].first + k]);
}

void ws_learner_numbers(const ws_learner *l, const ws_region_layout *layout,
                        const ws_region_picture *picture, float *rows)
{
    for (size_t i = 0; i < picture->n; i++, rows += l->columns.count) {
        widen(layout, l->columns.groups, picture->numbers + i * layout->count, rows);
        for (size_t k = 0; k < l->columns.count; k++)
            rows[k] = (rows[k] - l->mean[k]) * l->scale[k];
    }
}

wsam_status ws_learner_standardise(ws_learner *l, const ws_region_set *set, const uint32_t *use,
                                   size_t n, wsam_error *error)
{
    const size_t count = l->columns.count;
    double regions = 0.0;
    float *row = calloc(count, sizeof *row);
    double *sums = calloc(2 * count, sizeof *sums);
    l->mean = malloc(count * sizeof *l->mean);
    l->scale = malloc(count * sizeof *l->scale);
    const int good = row && sums && l->mean && l->scale;
    for (size_t i = 0; i < n && good; i++) {
        const ws_region_picture *p = &set->pictures[use[i]];
        for (size_t r = 0; r < p->n; r++) {
            widen(&set->layout, l->columns.groups, p->numbers + r * set->layout.count, row);
            for (size_t k = 0; k < count; k++) {
                sums[k] += (double)row[k];
                sums[count + k] += (double)row[k] * (double)row[k];
            }
        }
        regions += (double)p->n;
    }
    for (size_t k = 0; k < count && good; k++) {
        const double mean = sums[k] / (regions + 1e-9);
        const double variance = sums[count + k] / (regions + 1e-9) - mean * mean;
        l->mean[k] = (float)mean;
        l->scale[k] = (float)(1.0 / (sqrt(fmax(variance, 0.0)) + 1e-3));
    }
    free(row);
    free(sums);
    return good ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu numbers", count);
}
