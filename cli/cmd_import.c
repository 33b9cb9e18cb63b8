/* cli/cmd_import.c - weaksam import: labels from other annotation tools. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/exchange.h"
#include "cli/help_tables.h"
#include "cli/stages.h"

enum { OPT_FORMAT = CLI_OWN, OPT_IMAGES, OPT_INTO, OPT_REVIEWED };

static const struct option own_options[] = {{"format", required_argument, NULL, OPT_FORMAT},
                                            {"images", required_argument, NULL, OPT_IMAGES},
                                            {"into", required_argument, NULL, OPT_INTO},
                                            {"reviewed", no_argument, NULL, OPT_REVIEWED},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    wsam_import_options options;
    const char *images, *into;
    int format;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_FORMAT:
        if (!cli_exchange_format(value, &r->format))
            return cli_usage("import",
                             "--format '%s': expected auto, coco, yolo, voc, labelme, "
                             "label-studio or cvat",
                             value);
        return CLI_OK;
    case OPT_IMAGES:
        r->images = value;
        return CLI_OK;
    case OPT_INTO:
        r->into = value;
        return CLI_OK;
    default:
        r->options.reviewed = 1;
        return CLI_OK;
    }
}

static void tell(const request *r, const char *path, wsam_exchange_format format,
                 const wsam_exchange_counts *counts)
{
    const char *name = wsam_exchange_name(format);
    if (r->common.quiet)
        return;
    fprintf(stderr, "%s is %s: %zu images, %zu objects", path, name, counts->images,
            counts->objects);
    if (counts->restored)
        fprintf(stderr, ", %zu of them as they were exported", counts->restored);
    if (counts->removed)
        fprintf(stderr, "; %zu were taken out and are rejected now", counts->removed);
    fprintf(stderr, "\n");
    cli_exchange_losses(counts, name);
}

/* Into the decisions of a run's folder: out/reviewed.json, which every later stage keeps to. */
static wsam_status into_run(const request *r, wsam_coco_document *document, wsam_error *error)
{
    int there = 0;
    const size_t size = strlen(r->into) + 16;
    char *path = malloc(size);
    wsam_coco_document *old = NULL, *joined = NULL;
    wsam_join_counts counts;
    wsam_status status = WSAM_OK;
    if (!path) {
        snprintf(error->message, sizeof error->message, "no memory");
        return error->status = WSAM_ERR_MEMORY;
    }
    snprintf(path, size, "%s/reviewed.json", r->into);
    status = ws_file_there(path, &there, error);
    if (!status && there)
        status = wsam_coco_load_masks(path, NULL, &old, error);
    if (!status) {
        snprintf(path, size, "%s/final.json", r->into);
        status = wsam_coco_undo_renames(document, path, error);
        snprintf(path, size, "%s/reviewed.json", r->into);
    }
    const wsam_coco_document *both[2] = {old ? old : document, document};
    if (!status)
        status = wsam_join(both, old ? 2 : 1, NULL, &joined, &counts, error);
    if (!status)
        status = cli_exchange_write(joined, path, error);
    if (!status && !r->common.quiet)
        fprintf(stderr,
                "%s: %zu images, %zu objects; %zu earlier ones gave way. weaksam run brings the "
                "other files in line\n",
                path, counts.images, counts.objects, counts.duplicates + counts.rejected);
    wsam_coco_free(old);
    wsam_coco_free(joined);
    free(path);
    return status;
}

/* A review that a page exported is about a file of the run. */
static wsam_status import_review(const request *r, const char *path, wsam_coco_document **document,
                                 wsam_error *error)
{
    enum { FILES = 5, LONGEST = 24 };
    static const char *const names[FILES] = {"final.json", "masks.json", "learn/masks.json",
                                             "pgt.json", "learn/pgt.json"};
    const size_t size = strlen(r->into) + LONGEST;
    char *text = malloc(FILES * size);
    const char *paths[FILES];
    wsam_exchange_counts counts;
    if (!text)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory");
    for (size_t i = 0; i < FILES; i++) {
        paths[i] = text + i * size;
        snprintf(text + i * size, size, "%s/%s", r->into, names[i]);
    }
    const wsam_status status = wsam_import_review(path, paths, FILES, document, &counts, error);
    free(text);
    if (!status && !r->common.quiet)
        fprintf(stderr, "%s is a review: %zu images, %zu accepted, %zu drawn, %zu rejected\n", path,
                counts.images, counts.restored, counts.boxes, counts.removed);
    return status;
}

static int run(int argc, char **argv)
{
    request r = {.format = -1};
    wsam_exchange_counts counts;
    wsam_exchange_format format = WSAM_EXCHANGE_COCO;
    wsam_coco_document *document = NULL;
    wsam_error error = {0};
    int status;
    const int first =
        cli_options_parse(&cmd_import, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.images || !r.common.output == !r.into || argc - first != 1)
        return cli_usage("import", "expected a file or folder, --images FOLDER, and either -o "
                                   "DATA.json or --into OUT");
    if (r.into && wsam_review_closed(r.into, &error))
        return cli_failed("import", &error);
    const int review = r.into && r.format < 0 && wsam_is_review(argv[first]);
    wsam_status done = review ? import_review(&r, argv[first], &document, &error)
                              : wsam_import(argv[first], r.format, r.images, &r.options, &document,
                                            &format, &counts, &error);
    if (!done && !review)
        tell(&r, argv[first], format, &counts);
    if (!done)
        done = r.into ? into_run(&r, document, &error)
                      : cli_exchange_write(document, r.common.output, &error);
    wsam_coco_free(document);
    return done ? cli_failed("import", &error) : CLI_OK;
}

const cli_command cmd_import = {
    .name = "import",
    .summary = "Read labels from another annotation tool.",
    .usage = "import PATH --images FOLDER -o DATA.json|--into OUT [OPTION...]",
    .takes = "oq",
    .run = run,
    .table = &help_import};
