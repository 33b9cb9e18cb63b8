/* pipeline/accuracy/graph_error.c - see graph_error.h. */
#include "pipeline/accuracy/graph_error.h"

#include <math.h>
#include <stdio.h>

wsam_graph_error ws_graph_error(const char *graph, const char *output, const float *x,
                                const float *x0, size_t n)
{
    wsam_graph_error e = {.largest = 0.0};
    double square = 0.0, norm = 0.0;
    snprintf(e.graph, sizeof e.graph, "%s", graph);
    snprintf(e.output, sizeof e.output, "%s", output);
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)x0[i];
        square += d * d;
        norm += (double)x0[i] * (double)x0[i];
        e.largest = fabs(d) > e.largest ? fabs(d) : e.largest;
    }
    e.relative_l2 = norm > 0.0 ? sqrt(square / norm) : sqrt(square);
    return e;
}
