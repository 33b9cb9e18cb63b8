/* pipeline/bench/statistic.c - see statistic.h. */
#include "pipeline/bench/statistic.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void ws_statistic_sort(double *values, size_t n)
{
    if (n)
        qsort(values, n, sizeof *values, by_value);
}

double ws_statistic_percentile(const double *sorted, size_t n, int percent)
{
    const size_t rank = ((size_t)percent * n + 99) / 100;
    return sorted[rank > 0 ? rank - 1 : 0];
}

int ws_statistic_tells_percentile(size_t n, int percent)
{
    return n * (size_t)(100 - percent) >= 100;
}

/* The largest r for which the median lies between the values of ranks r and n + 1 - r in at least
 * 95 % of all cases: 2 P(B < r) <= 5 % for B of n fair coins. 0: there is none. */
static size_t lower_rank(size_t n)
{
    double below = 0.0; /* P(B < r) */
    for (size_t r = 1; r <= n; r++) {
        const double k = (double)r - 1.0, m = (double)n;
        below += exp(lgamma(m + 1.0) - lgamma(k + 1.0) - lgamma(m - k + 1.0) - m * log(2.0));
        if (2.0 * below > 0.05)
            return r - 1;
    }
    return 0;
}

double ws_statistic_median_interval(const double *sorted, size_t n)
{
    const size_t rank = lower_rank(n);
    const double median = n ? ws_statistic_percentile(sorted, n, 50) : 0.0;
    if (!rank || !(median > 0.0))
        return INFINITY;
    return 100.0 * (sorted[n - rank] - sorted[rank - 1]) / median;
}
