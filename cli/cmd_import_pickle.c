/* cli/cmd_import_pickle.c - weaksam import-pickle: proposals and pseudo labels of WeakSAM's and MIST's code. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help_tables.h"
#include "weaksam/exchange.h"

enum { OPT_NAMES = CLI_OWN, OPT_IMAGES, OPT_FORM };

static const struct option own_options[] = {{"names", required_argument, NULL, OPT_NAMES},
                                            {"images", required_argument, NULL, OPT_IMAGES},
                                            {"form", required_argument, NULL, OPT_FORM},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    wsam_pickle_options options;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_NAMES:
        r->options.names = value;
        return CLI_OK;
    case OPT_IMAGES:
        r->options.images = value;
        return CLI_OK;
    default:
        r->options.form = strcmp(value, "dict") == 0 ? WSAM_PICKLE_DICT : WSAM_PICKLE_LIST;
        if (r->options.form == WSAM_PICKLE_LIST && strcmp(value, "list") != 0)
            return cli_usage("import-pickle", "--form '%s': expected list or dict", value);
        return CLI_OK;
    }
}

static int run(int argc, char **argv)
{
    request r = {0};
    wsam_pickle_counts counts;
    wsam_error error = {0};
    int status;
    const int first = cli_options_parse(&cmd_import_pickle, argc, argv, &r.common, own_options,
                                        take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.output || argc - first != 1)
        return cli_usage("import-pickle", "expected a pickle and -o LINES.jsonl, or such lines and "
                                          "-o FILE.pkl");
    if (wsam_import_pickle(argv[first], &r.options, r.common.output, &counts, &error))
        return cli_failed("import-pickle", &error);
    if (!r.common.quiet)
        fprintf(stderr, "%s: %zu images, %zu boxes\n", r.common.output, counts.images,
                counts.boxes);
    return CLI_OK;
}

const cli_command cmd_import_pickle = {
    .name = "import-pickle",
    .summary = "Read proposals and pseudo labels from pickles of WeakSAM's code, and write them.",
    .usage = "import-pickle FILE.pkl -o LINES.jsonl [OPTION...]\n"
             "       import-pickle LINES.jsonl -o FILE.pkl [--form FORM]",
    .takes = "oq",
    .run = run,
    .table = &help_import_pickle};
