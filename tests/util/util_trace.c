/* tests/util/util_trace.c - see util_trace.h. */
#include <stdio.h>

#include "tests/util/util_trace.h"

typedef struct search {
    double tolerance;
    int found;
} search;

static int print_first(void *user, const wsam_trace_row *row)
{
    search *s = user;
    if (!row->compared || row->relative_l2 <= s->tolerance)
        return 0;
    s->found = 1;
    printf(
        "# the first value that the plain lowering has otherwise: %s (%s, %s), relative L2 %.2e, "
        "%g instead of %g at element %lld\n",
        row->name, row->step, row->kernel, row->relative_l2, (double)row->got, (double)row->want,
        (long long)row->at);
    return 1;
}

void util_trace_explain(const char *model, const wsam_picture *picture, double tolerance)
{
    const wsam_trace_options plain = {.reference = "plain"};
    search s = {tolerance, 0};
    wsam_error error;
    if (wsam_trace(model, NULL, picture, &plain, print_first, &s, &error))
        printf("# no trace: %s\n", error.message);
    else if (!s.found)
        printf("# fused and plain lowering agree within %.0e: the difference is in both; weaksam "
               "trace -m %s --save tells all values\n",
               tolerance, model);
    fflush(stdout);
}
