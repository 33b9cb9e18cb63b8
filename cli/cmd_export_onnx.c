/* cli/cmd_export_onnx.c - weaksam export-onnx: a weight file's graphs as ONNX models. */
#include <string.h>

#include "cli/cli.h"
#include "cli/help_tables.h"

enum {
    OPT_GRAPH = CLI_OWN,
    OPT_CANDIDATES,
    OPT_POINTS,
    OPT_PROMPTS,
    OPT_CALIBRATE,
    OPT_EXTERNAL_DATA,
    MOST_FILES = 16,
    MOST_POINTS = 4096,
    MOST_PROMPTS = 65536
};

static const struct option own_options[] = {{"graph", required_argument, NULL, OPT_GRAPH},
                                            {"candidates", required_argument, NULL, OPT_CANDIDATES},
                                            {"points", required_argument, NULL, OPT_POINTS},
                                            {"prompts", required_argument, NULL, OPT_PROMPTS},
                                            {"calibrate", required_argument, NULL, OPT_CALIBRATE},
                                            {"external-data", no_argument, NULL, OPT_EXTERNAL_DATA},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    wsam_onnx_options options;
    const char *calibrate; /* folder */
} request;

/* 3: the answer to an ambiguous prompt, 1: to a clear one, 4: both. */
static int take_candidates(const char *value, wsam_onnx_options *o)
{
    if (strlen(value) != 1 || !strchr("134", *value))
        return cli_usage("export-onnx", "--candidates '%s': expected 1, 3 or 4", value);
    o->masks = *value - '0';
    o->first_mask = o->masks == 3;
    return CLI_OK;
}

static int take_number(const char *option, const char *value, int most, int *out)
{
    long long n;
    if (!cli_int(value, 1, most, &n))
        return cli_usage("export-onnx", "%s '%s': expected 1 to %d", option, value, most);
    *out = (int)n;
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_GRAPH:
        r->options.graph = value;
        return CLI_OK;
    case OPT_CANDIDATES:
        return take_candidates(value, &r->options);
    case OPT_POINTS:
        return take_number("--points", value, MOST_POINTS, &r->options.points);
    case OPT_PROMPTS:
        return take_number("--prompts", value, MOST_PROMPTS, &r->options.prompts);
    case OPT_CALIBRATE:
        r->calibrate = value;
        return CLI_OK;
    default:
        r->options.external_data = 1;
        return CLI_OK;
    }
}

static wsam_status calibrate(const request *r, const char *model, wsam_calibration **calibration,
                             wsam_error *error)
{
    char **paths = NULL;
    size_t n = 0, used;
    wsam_status status = cli_folder_sample(r->calibrate, &paths, &n, &used, error);
    if (!status)
        status = wsam_calibrate_onnx(model, (const char *const *)paths, used, &r->common.runtime,
                                     calibration, error);
    cli_folder_free(paths, n);
    return status;
}

static void print_files(const request *r, const wsam_onnx_file *files, size_t n)
{
    for (size_t i = 0; i < n && i < MOST_FILES; i++) {
        const wsam_onnx_file *f = &files[i];
        if (r->common.json)
            printf("{\"graph\":\"%s\",\"nodes\":%zu,\"bytes\":%llu,\"external_data\":%s}\n",
                   f->graph, f->nodes, (unsigned long long)f->bytes,
                   f->external ? "true" : "false");
        else if (!r->common.quiet)
            printf("%-24s %5zu nodes, %.1f MB%s\n", f->graph, f->nodes, (double)f->bytes * 1e-6,
                   f->external ? ", with a data file" : "");
    }
}

static int run(int argc, char **argv)
{
    request r = {.calibrate = NULL};
    wsam_onnx_file files[MOST_FILES];
    wsam_calibration *calibration = NULL;
    wsam_error error = {0};
    wsam_status failed = WSAM_OK;
    size_t n = 0;
    int status;
    wsam_onnx_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_export_onnx, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (argc - first != 1 || !r.common.output)
        return cli_usage("export-onnx", "expected one weight file and -o FOLDER or -o FILE.onnx");
    if (r.calibrate)
        failed = calibrate(&r, argv[first], &calibration, &error);
    r.options.ranges = calibration;
    if (!failed)
        failed = wsam_export_onnx(argv[first], r.common.output, &r.options, files, MOST_FILES, &n,
                                  &error);
    wsam_calibration_free(calibration);
    if (failed)
        return cli_failed("export-onnx", &error);
    print_files(&r, files, n);
    return CLI_OK;
}

const cli_command cmd_export_onnx = {
    .name = "export-onnx",
    .summary = "Write a model's graphs as ONNX, for other runtimes.",
    .usage = "export-onnx MODEL.wsam -o FOLDER|FILE.onnx [OPTION...]",
    .takes = "orjq",
    .run = run,
    .table = &help_export_onnx};
