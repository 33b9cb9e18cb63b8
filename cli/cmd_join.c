/* cli/cmd_join.c - weaksam join: several data sets become one. */
#include <stdlib.h>

#include "cli/exchange.h"
#include "cli/help_tables.h"

enum { OPT_IOU = CLI_OWN };

static const struct option own_options[] = {{"iou", required_argument, NULL, OPT_IOU},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    wsam_join_options options;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    (void)option;
    if (cli_numbers(value, 1, 1, &r->options.iou) != 1 ||
        !(r->options.iou > 0 && r->options.iou < 1))
        return cli_usage("join", "--iou '%s': expected a number between 0 and 1", value);
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {0};
    wsam_join_counts counts;
    wsam_coco_document *joined = NULL;
    wsam_error error = {0};
    wsam_status done = WSAM_OK;
    int status;
    wsam_join_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_join, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    const size_t n = (size_t)(argc - first);
    if (!r.common.output || n < 2)
        return cli_usage("join", "expected two data sets or more and -o DATA.json");
    wsam_coco_document **documents = calloc(n, sizeof *documents);
    if (!documents)
        return cli_no_memory("join");
    for (size_t i = 0; i < n && !done; i++)
        done = wsam_coco_load_masks(argv[first + (int)i], NULL, &documents[i], &error);
    if (!done)
        done = wsam_join((const wsam_coco_document *const *)documents, n, &r.options, &joined,
                         &counts, &error);
    if (!done)
        done = cli_exchange_write(joined, r.common.output, &error);
    if (!done && !r.common.quiet)
        fprintf(stderr,
                "%zu images (%zu in several files), %zu objects; left out: %zu duplicates (%zu "
                "beside a person's object), %zu rejected\n",
                counts.images, counts.same_file, counts.objects, counts.duplicates,
                counts.by_person, counts.rejected);
    for (size_t i = 0; i < n; i++)
        wsam_coco_free(documents[i]);
    free(documents);
    wsam_coco_free(joined);
    return done ? cli_failed("join", &error) : CLI_OK;
}

const cli_command cmd_join = {.name = "join",
                              .summary = "Join data sets; people's decisions win.",
                              .usage = "join A.json B.json ... -o C.json [OPTION...]",
                              .takes = "oq",
                              .run = run,
                              .table = &help_join};
