/* cli/cmd_trace.c - weaksam trace: a model operator by operator, beside another lowering, level or
 * file. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help_tables.h"
#include "cli/picture.h"

enum { OPT_PROMPT = CLI_OWN, OPT_DIFF, OPT_SAVE, OPT_STEPS, OPT_TOLERANCE };

static const struct option own_options[] = {
    {"prompt", required_argument, NULL, OPT_PROMPT},
    {"diff", required_argument, NULL, OPT_DIFF},
    {"save", required_argument, NULL, OPT_SAVE},
    {"steps", required_argument, NULL, OPT_STEPS},
    {"tolerance", required_argument, NULL, OPT_TOLERANCE},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_trace_options trace;
    wsam_prompt prompt;
    wsam_point point;
    double tolerance;
    size_t rows, compared, beyond;
    char first[256]; /* the first beyond the tolerance */
    double first_error;
} request;

/* X,Y or X,Y,LABEL is a point; four numbers are a box. */
static int take_prompt(request *r, const char *value)
{
    double v[4];
    const int n = cli_numbers(value, 2, 4, v);
    if (!n || (n == 3 && !(fabs(v[2]) <= 0.0) && !(fabs(v[2] - 1.0) <= 0.0)))
        return cli_usage("trace", "--prompt '%s': expected X,Y or X,Y,LABEL or X0,Y0,X1,Y1", value);
    r->prompt = (wsam_prompt){.multimask = 1};
    if (n == 4) {
        r->prompt.has_box = 1;
        memcpy(r->prompt.box, v, sizeof v);
    } else {
        r->point = (wsam_point){v[0], v[1], n == 3 ? (int)v[2] : 1};
        r->prompt.points = &r->point;
        r->prompt.n_points = 1;
    }
    r->trace.prompt = &r->prompt;
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_PROMPT:
        return take_prompt(r, value);
    case OPT_DIFF:
        r->trace.reference = value;
        return CLI_OK;
    case OPT_SAVE:
        r->trace.save = value;
        return CLI_OK;
    case OPT_STEPS:
        r->trace.pattern = value;
        return CLI_OK;
    case OPT_TOLERANCE:
        if (!cli_numbers(value, 1, 1, &r->tolerance) || r->tolerance < 0.0)
            return cli_usage("trace", "--tolerance '%s': expected a number from 0 on", value);
        return CLI_OK;
    default:
        return cli_picture_take_limit(&r->limits, option, value);
    }
}

static void print_shape(const wsam_trace_row *row)
{
    char text[64] = "";
    size_t used = 0;
    for (int d = 0; d < row->rank && used < sizeof text; d++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%lld", d ? "x" : "",
                                 (long long)row->shape[d]);
    printf("%-14s", text);
}

/* Where an element stands: its indices along the value's dimensions. */
static void print_place(const wsam_trace_row *row)
{
    int64_t rest = row->at, index[WSAM_MAX_RANK] = {0};
    for (int d = row->rank; d-- > 0;) {
        const int64_t n = row->shape[d] > 0 ? row->shape[d] : 1;
        index[d] = d ? rest % n : rest;
        rest /= n;
    }
    printf("[");
    for (int d = 0; d < row->rank; d++)
        printf("%s%lld", d ? "," : "", (long long)index[d]);
    printf("]");
}

static void print_text(const request *r, const wsam_trace_row *row, int beyond)
{
    print_shape(row);
    if (!row->compared) {
        printf(" %11.4g %11.4g", row->lowest, row->highest);
    } else {
        printf(" %9.2e %9.2e%s", row->relative_l2, row->largest, beyond ? " *" : "  ");
    }
    if (!row->compared && r->trace.reference)
        printf(" (not in the reference)");
    printf("  %s  %s", row->name, row->step);
    if (beyond) {
        printf("  %.6g instead of %.6g at ", row->got, row->want);
        print_place(row);
    }
    printf("\n");
}

static void print_json(const wsam_trace_row *row)
{
    printf("{\"name\":");
    cli_print_json_string(row->name);
    printf(",\"step\":\"%s\",\"kernel\":\"%s\",\"shape\":[", row->step, row->kernel);
    for (int d = 0; d < row->rank; d++)
        printf("%s%lld", d ? "," : "", (long long)row->shape[d]);
    printf(isnan(row->lowest) ? "],\"lowest\":null,\"highest\":null"
                              : "],\"lowest\":%.9g,\"highest\":%.9g",
           row->lowest, row->highest);
    if (row->compared && isfinite(row->relative_l2))
        printf(",\"relative_l2\":%.6g,\"largest\":%.6g,\"at\":%lld", row->relative_l2, row->largest,
               (long long)row->at);
    else if (row->compared)
        printf(",\"relative_l2\":null,\"largest\":null,\"at\":%lld", (long long)row->at);
    printf("}\n");
}

static int print_row(void *user, const wsam_trace_row *row)
{
    request *r = user;
    const int beyond = row->compared && !(row->relative_l2 <= r->tolerance);
    r->rows++;
    r->compared += row->compared != 0;
    if (beyond && !r->beyond++) {
        snprintf(r->first, sizeof r->first, "%s", row->name);
        r->first_error = row->relative_l2;
    }
    if (r->common.json)
        print_json(row);
    else
        print_text(r, row, beyond);
    return 0;
}

/* The last line; 0 where nothing is beyond the tolerance. */
static int conclude(const request *r)
{
    if (!r->trace.reference)
        return CLI_OK;
    if (!r->common.json && r->beyond)
        printf("first beyond %.0e: %s (%.2e); %zu of %zu values\n", r->tolerance, r->first,
               r->first_error, r->beyond, r->compared);
    else if (!r->common.json)
        printf("%zu values within %.0e\n", r->compared, r->tolerance);
    return r->beyond ? CLI_FAILED : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {.tolerance = 1e-3};
    wsam_error error = {0};
    wsam_picture picture = {0};
    int status;
    const int first =
        cli_options_parse(&cmd_trace, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.model || argc - first != 1)
        return cli_usage("trace", "expected -m MODEL.wsam and one image");
    if (wsam_picture_load(argv[first], &r.limits.picture, &picture, &error))
        return cli_failed("trace", &error);
    if (!r.common.json)
        printf("%-14s %s  name  step\n", "shape",
               r.trace.reference ? "relative   largest " : "     lowest     highest");
    const wsam_status failed =
        wsam_trace(r.common.model, &r.common.runtime, &picture, &r.trace, print_row, &r, &error);
    wsam_picture_free(&picture);
    return failed ? cli_failed("trace", &error) : conclude(&r);
}

const cli_command cmd_trace = {
    .name = "trace",
    .summary = "Run a model operator by operator and find where values differ.",
    .usage = "trace -m MODEL.wsam IMAGE [--diff plain|LEVEL|FILE.safetensors] [OPTION...]",
    .takes = "mrjq",
    .run = run,
    .table = &help_trace};
