/* cli/cmd_export.c - weaksam export: labels for other annotation tools. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/exchange.h"
#include "cli/help_tables.h"

enum { OPT_FORMAT = CLI_OWN, OPT_OPEN_ONLY, OPT_NO_SIDE_FILE };

static const struct option own_options[] = {{"format", required_argument, NULL, OPT_FORMAT},
                                            {"open-only", no_argument, NULL, OPT_OPEN_ONLY},
                                            {"no-side-file", no_argument, NULL, OPT_NO_SIDE_FILE},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    wsam_export_options options;
    int format;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_FORMAT:
        if (!cli_exchange_format(value, &r->format) || r->format < 0)
            return cli_usage("export",
                             "--format '%s': expected coco, yolo, voc, labelme, "
                             "label-studio or cvat",
                             value);
        return CLI_OK;
    case OPT_OPEN_ONLY:
        r->options.open_only = 1;
        return CLI_OK;
    default:
        r->options.no_side_file = 1;
        return CLI_OK;
    }
}

/* The final data set of a run's folder, or the file itself; free(). */
static char *data_of(const char *path)
{
    static const char *const names[] = {"final.json", "masks.json"};
    struct stat st;
    const size_t size = strlen(path) + 16;
    char *file = malloc(size);
    if (!file || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        free(file);
        return strdup(path);
    }
    for (int k = 0; k < 2; k++) {
        snprintf(file, size, "%s/%s", path, names[k]);
        if (stat(file, &st) == 0)
            break;
    }
    return file;
}

static int run(int argc, char **argv)
{
    request r = {.format = -1};
    wsam_exchange_counts counts;
    wsam_coco_document *document = NULL;
    wsam_error error = {0};
    int status;
    const int first =
        cli_options_parse(&cmd_export, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.output || r.format < 0 || argc - first != 1)
        return cli_usage("export", "expected a run's folder or a data set, --format and -o FOLDER");
    char *data = data_of(argv[first]);
    if (!data)
        return cli_no_memory("export");
    wsam_status done = wsam_coco_load_masks(data, NULL, &document, &error);
    if (!done)
        done = wsam_export(document, (wsam_exchange_format)r.format, &r.options, r.common.output,
                           &counts, &error);
    wsam_coco_free(document);
    if (!done && !r.common.quiet) {
        const char *name = wsam_exchange_name((wsam_exchange_format)r.format);
        fprintf(stderr, "%s: %zu images, %zu objects as %s\n", data, counts.images, counts.objects,
                name);
        cli_exchange_losses(&counts, name);
    }
    free(data);
    return done ? cli_failed("export", &error) : CLI_OK;
}

const cli_command cmd_export = {.name = "export",
                                .summary = "Write labels for another annotation tool.",
                                .usage =
                                    "export OUT|DATA.json --format FORMAT -o FOLDER [OPTION...]",
                                .takes = "oq",
                                .run = run,
                                .table = &help_export};
