/* cli/bench_compare.c - weaksam bench compare: rows of several devices side by side. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"
#include "cli/help_tables.h"
#include "cli/stages.h"

enum { OPT_PRICE = CLI_OWN, OPT_ACROSS, OPT_SELECT, OPT_FORMAT, MOST_SELECTED = 16 };

static const struct option own_options[] = {{"price", required_argument, NULL, OPT_PRICE},
                                            {"across", required_argument, NULL, OPT_ACROSS},
                                            {"select", required_argument, NULL, OPT_SELECT},
                                            {"format", required_argument, NULL, OPT_FORMAT},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    wsam_bench_compare_options options;
    const char *selected[MOST_SELECTED]; /* FIELD=VALUE */
    int n_selected;
    int scaling; /* the format is no comparison, but the chart of bench --scaling */
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_PRICE:
        r->options.prices = value;
        return CLI_OK;
    case OPT_ACROSS:
        r->options.across = value;
        return CLI_OK;
    case OPT_SELECT:
        if (!strchr(value, '=') || r->n_selected == MOST_SELECTED)
            return cli_usage("bench compare", "--select '%s': expected FIELD=VALUE, %d at most",
                             value, MOST_SELECTED);
        r->selected[r->n_selected++] = value;
        return CLI_OK;
    default:
        if (strcmp(value, "markdown") == 0)
            r->options.format = WSAM_BENCH_MARKDOWN;
        else if (strcmp(value, "csv") == 0)
            r->options.format = WSAM_BENCH_CSV;
        else if (strcmp(value, "svg") == 0)
            r->options.format = WSAM_BENCH_SVG;
        else if (strcmp(value, "scaling") != 0)
            return cli_usage("bench compare",
                             "--format '%s': expected markdown, csv, svg or scaling", value);
        r->scaling = strcmp(value, "scaling") == 0;
        return CLI_OK;
    }
}

/* Adds the rows of a file that are selected. */
static wsam_status add_rows(const request *r, const char *path, wsam_bench_row **all, size_t *n,
                            wsam_error *error)
{
    wsam_bench_row *rows = NULL;
    size_t found = 0;
    wsam_status status = wsam_bench_load(path, &rows, &found, error);
    wsam_bench_row *grown = status ? NULL : realloc(*all, (*n + found + 1) * sizeof *grown);
    if (!status && !grown)
        status = cli_error(error, WSAM_ERR_MEMORY, "%s: no memory", path);
    if (grown)
        *all = grown;
    for (size_t i = 0; i < found && !status; i++) {
        int wanted = 1;
        for (int k = 0; k < r->n_selected && !status; k++) {
            int fits = 0;
            status = wsam_bench_matches(&rows[i], r->selected[k], &fits, error);
            wanted &= fits;
        }
        if (wanted && !status)
            (*all)[(*n)++] = rows[i];
    }
    wsam_free(rows);
    return status;
}

/* One chart is of one device, model, type and timed region. */
static wsam_status draw_scaling(const wsam_bench_row *rows, size_t n, char **svg, wsam_error *error)
{
    for (size_t i = 1; i < n; i++) {
        const wsam_bench_row *a = &rows[0], *b = &rows[i];
        if (strcmp(a->device, b->device) != 0 || strcmp(a->model, b->model) != 0 ||
            strcmp(a->type, b->type) != 0 || strcmp(a->runtime, b->runtime) != 0 ||
            strcmp(a->timed_region, b->timed_region) != 0)
            return cli_error(
                error, WSAM_ERR_MISMATCH,
                "scaling: rows of one device, runtime, model, type and timed region are "
                "drawn; choose them by --select FIELD=VALUE");
    }
    return wsam_bench_scaling_svg(rows, n, svg, error);
}

static const cli_command command = {
    .name = "bench compare",
    .summary = "Put measurements of several devices side by side, if their protocols are equal.",
    .usage = "bench compare ROWS.jsonl... [OPTION...]",
    .takes = "oq",
    .run = cli_bench_compare,
    .table = &help_bench_compare};

int cli_bench_compare(int argc, char **argv)
{
    request r = {.n_selected = 0};
    wsam_bench_row *rows = NULL;
    wsam_error error = {0};
    wsam_status failed = WSAM_OK;
    size_t n = 0;
    char *text = NULL;
    int status;
    const int first =
        cli_options_parse(&command, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (first == argc)
        return cli_usage("bench compare", "expected files of rows (JSON lines)");
    for (int i = first; i < argc && !failed; i++)
        failed = add_rows(&r, argv[i], &rows, &n, &error);
    if (!failed)
        failed = r.scaling ? draw_scaling(rows, n, &text, &error)
                           : wsam_bench_compare(rows, n, &r.options, &text, &error);
    if (!failed && r.common.output)
        failed = cli_save_text(r.common.output, text, &error);
    free(rows);
    status = failed ? cli_failed("bench compare", &error) : CLI_OK;
    if (!failed && !r.common.output && !cli_print_result(text))
        status = CLI_FAILED;
    wsam_free(text);
    return status;
}
