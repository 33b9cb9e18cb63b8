/* cli/cmd_masks.c - weaksam masks: instance masks from pseudo boxes. */
#include "cli/help_tables.h"
#include "cli/stages.h"

enum {
    OPT_POLYGONS = CLI_OWN,
    OPT_REVIEW,
    OPT_MIN,
    OPT_IMAGE_IDS,
    OPT_CHECKSUM,
    OPT_REVIEWED,
    OPT_REDRAW,
    OPT_RULES
};

static const struct option own_options[] = {
    {"polygons", no_argument, NULL, OPT_POLYGONS},
    {"review", required_argument, NULL, OPT_REVIEW},
    {"min-confidence", required_argument, NULL, OPT_MIN},
    {"image-ids", required_argument, NULL, OPT_IMAGE_IDS},
    {"checksum", required_argument, NULL, OPT_CHECKSUM},
    {"reviewed", required_argument, NULL, OPT_REVIEWED},
    {"redraw", no_argument, NULL, OPT_REDRAW},
    {"rules", required_argument, NULL, OPT_RULES},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_coco_kind kind;
    double min_confidence;
    int redraw;
    const char *reviewed, *review, *image_ids, *checksum, *rules, *labels, *folder;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_POLYGONS:
        r->kind = WSAM_COCO_POLYGONS;
        return CLI_OK;
    case OPT_REVIEW:
        r->review = value;
        return CLI_OK;
    case OPT_REVIEWED:
        r->reviewed = value;
        return CLI_OK;
    case OPT_REDRAW:
        r->redraw = 1;
        return CLI_OK;
    case OPT_RULES:
        r->rules = value;
        return CLI_OK;
    case OPT_CHECKSUM:
        r->checksum = value;
        return CLI_OK;
    case OPT_IMAGE_IDS:
        r->image_ids = value;
        return CLI_OK;
    case OPT_MIN:
        if (!cli_numbers(value, 1, 1, &r->min_confidence) ||
            !(r->min_confidence >= 0 && r->min_confidence <= 1))
            return cli_usage("masks", "--min-confidence '%s': expected a number from 0 to 1",
                             value);
        return CLI_OK;
    default:
        return cli_picture_take_limit(&r->limits, option, value);
    }
}

/* ---- the work ---- */

typedef struct work {
    wsam_model *model;
    wsam_segmenter *segmenter;
    wsam_coco_document *d;
    wsam_review *review;
    wsam_rules *rules;
    wsam_masks_document_options options;
    wsam_truth_counts before; /* what gave way when decisions were taken over */
} work;

static void on_failure(void *user, const wsam_error *error)
{
    (void)user;
    cli_failed("masks", error);
}

/* A mask that is there stays as it is: made again from its box it would be another one. */
static wsam_status prepare(const request *r, work *w, wsam_error *error)
{
    static char label[] = "masks";
    wsam_status status = wsam_coco_load_masks(r->labels, r->image_ids, &w->d, error);
    if (!status)
        status = cli_rules_load(r->rules, &w->rules, error);
    if (!status && r->review)
        status = wsam_review_load(r->review, r->labels, &w->review, error);
    if (!status && r->reviewed)
        status = cli_truth_adopt("masks", r->reviewed, r->common.quiet, w->d, &w->before, error);
    if (status)
        return status;
    w->options = (wsam_masks_document_options){.images = r->folder,
                                               .polygons = r->kind == WSAM_COCO_POLYGONS,
                                               .redraw = r->redraw,
                                               .min_confidence = r->min_confidence,
                                               .review = w->review,
                                               .rules = w->rules,
                                               .limits = r->limits.picture,
                                               .failed = on_failure};
    if (cli_wants_progress(&r->common)) {
        w->options.progress = cli_progress;
        w->options.progress_user = label;
    }
    if (!wsam_masks_document_needs_model(w->d, &w->options))
        return WSAM_OK;
    if (!r->common.model)
        return cli_error(error, WSAM_ERR_ARGUMENT,
                         "%.300s: not all annotations have masks: -m "
                         "MODEL.wsam makes them",
                         r->labels);
    status = wsam_model_open(r->common.model, &r->common.runtime, &w->model, error);
    return status ? status : wsam_segmenter_create(w->model, &w->segmenter, error);
}

static void print_summary(const work *w, wsam_masks_summary s)
{
    s.truth.again += w->before.again;
    s.truth.refused += w->before.refused;
    s.truth.complete += w->before.complete;
    fprintf(stderr,
            "%zu images, %zu failed; %zu boxes, %zu masks (%zu as they were); left out: %zu "
            "without a pixel, %zu below the confidence",
            s.images, s.failed, s.boxes, s.written, s.as_they_were, s.empty, s.unsure);
    cli_rules_print(stderr, &s.rules);
    cli_truth_print(stderr, &s.truth);
    fputc('\n', stderr);
}

static int do_all(const request *r)
{
    work w = {0};
    wsam_error error = {0};
    wsam_masks_summary sum = {0};
    wsam_status status = prepare(r, &w, &error);
    if (!status)
        status = wsam_masks_document(w.segmenter, w.d, &w.options, r->common.output, &sum, &error);
    cli_progress_end();
    wsam_segmenter_free(w.segmenter);
    wsam_model_close(w.model);
    wsam_review_free(w.review);
    wsam_rules_free(w.rules);
    wsam_coco_free(w.d);
    if (status)
        return cli_failed("masks", &error);
    if (!r->common.quiet)
        print_summary(&w, sum);
    return sum.failed ? CLI_FAILED : CLI_OK;
}

/* What a review of a file has to say that it is about. */
static int print_checksum(const char *path)
{
    char checksum[17];
    wsam_error error = {0};
    if (wsam_file_checksum(path, checksum, &error))
        return cli_failed("masks", &error);
    puts(checksum);
    return cli_print_result("") ? CLI_OK : CLI_FAILED;
}

static int run(int argc, char **argv)
{
    request r = {.kind = WSAM_COCO_MASKS};
    int status;
    const int first =
        cli_options_parse(&cmd_masks, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (r.checksum)
        return print_checksum(r.checksum);
    if (!r.common.output || argc - first != 2)
        return cli_usage("masks", "expected LABELS.json, a folder and -o MASKS.json");
    r.labels = argv[first];
    r.folder = argv[first + 1];
    return do_all(&r);
}

const cli_command cmd_masks = {
    .name = "masks",
    .summary = "Make instance masks from boxes.",
    .usage = "masks -m MODEL.wsam LABELS.json FOLDER -o MASKS.json [OPTION...]",
    .takes = "morq",
    .run = run,
    .table = &help_masks};
