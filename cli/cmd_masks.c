/* cli/cmd_masks.c - weaksam masks: instance masks from pseudo boxes. */
#include <stdlib.h>
#include <string.h>

#include "cli/stages.h"

enum {
    OPT_POLYGONS = CLI_OWN,
    OPT_REVIEW,
    OPT_MIN,
    OPT_IMAGE_IDS,
    OPT_CHECKSUM,
    OPT_REVIEWED,
    OPT_REDRAW
};

static const struct option own_options[] = {
    {"polygons", no_argument, NULL, OPT_POLYGONS},
    {"review", required_argument, NULL, OPT_REVIEW},
    {"min-confidence", required_argument, NULL, OPT_MIN},
    {"image-ids", required_argument, NULL, OPT_IMAGE_IDS},
    {"checksum", required_argument, NULL, OPT_CHECKSUM},
    {"reviewed", required_argument, NULL, OPT_REVIEWED},
    {"redraw", no_argument, NULL, OPT_REDRAW},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_coco_kind kind;
    double min_confidence;
    int redraw;
    const char *reviewed, *review, *image_ids, *checksum, *labels, *folder;
} request;

typedef struct work {
    wsam_model *model;
    wsam_segmenter *segmenter;
    wsam_coco_document *d;
    wsam_review *review;
    wsam_coco_writer *writer;
    int64_t renumber; /* added to ids: 0 would be none, and evaluation passes it over */
    size_t pictures, failed, boxes, masks, as_they_were, empty, unsure;
    wsam_truth_counts truth;
} work;

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
    case OPT_CHECKSUM:
        r->checksum = value;
        return CLI_OK;
    case OPT_IMAGE_IDS:
        r->image_ids = value;
        return CLI_OK;
    case OPT_MIN:
        if (!cli_numbers(value, 1, 1, &r->min_confidence) ||
            !(r->min_confidence >= 0 && r->min_confidence <= 1))
            return cli_usage("masks", "--min-confidence '%s': wants a number from 0 to 1", value);
        return CLI_OK;
    default:
        return cli_take_limit(&r->limits, option, value);
    }
}

/* ---- one picture ---- */

/* Whether a box is a machine's and has to get a mask. */
static int wants_mask(const wsam_instance *a)
{
    return !a->reviewed && !a->counts;
}

static void mark(wsam_instance *a, wsam_reviewed reviewed)
{
    if (a->reviewed == reviewed ||
        (a->reviewed == WSAM_REVIEWED_DRAWN && reviewed != WSAM_REVIEWED_REJECTED))
        return;
    a->reviewed = reviewed;
    free(a->json); /* says something else */
    a->json = NULL;
}

/* Marks of the review. Accepted boxes without a mask are accepted with the one that they get. */
static void take_marks(const work *w, wsam_instances *list)
{
    for (size_t i = 0; w->review && i < list->n; i++) {
        wsam_instance *a = &list->items[i];
        const int said = wsam_review_of(w->review, a->id);
        if (said < 0)
            mark(a, WSAM_REVIEWED_REJECTED);
        else if (said > 0 && (a->counts || a->reviewed))
            mark(a, WSAM_REVIEWED_ACCEPTED);
    }
}

/* The annotations of an image, taken out of the document. */
static wsam_status take_boxes(const request *r, work *w, size_t image, wsam_instances *boxes,
                              wsam_error *error)
{
    const size_t first = w->d->first[image], n = w->d->first[image + 1] - first;
    boxes->n = 0;
    boxes->items = calloc(n + 1, sizeof *boxes->items);
    if (!boxes->items)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for boxes");
    for (size_t i = 0; i < n; i++) {
        wsam_instance *from = &w->d->instances.items[first + i], *a = &boxes->items[boxes->n++];
        *a = *from;
        from->counts = from->json = NULL;
        if (r->redraw && !a->reviewed && !a->unscored) {
            free(a->counts);
            a->counts = NULL;
        }
    }
    take_marks(w, boxes);
    return WSAM_OK;
}

/* What a person accepted stays whatever its confidence. */
static void drop_unsure(const request *r, work *w, wsam_instances *masks)
{
    size_t kept = 0;
    for (size_t i = 0; i < masks->n; i++) {
        wsam_instance *a = &masks->items[i];
        if (w->review && !a->reviewed && wsam_review_of(w->review, a->id) > 0)
            a->reviewed = WSAM_REVIEWED_ACCEPTED;
        if (a->reviewed || a->unscored || a->confidence >= r->min_confidence) {
            masks->items[kept++] = *a;
        } else {
            w->unsure++;
            free(a->counts);
        }
    }
    masks->n = kept;
}

static wsam_status segment(const request *r, work *w, size_t i, const wsam_instances *boxes,
                           wsam_instances *masks, int size[2], wsam_error *error)
{
    wsam_picture picture = {0};
    wsam_embedding *embedding = NULL;
    char *path;
    wsam_error inner = {0};
    wsam_status status = cli_join(r->folder, w->d->file_names[i], "", &path, error);
    if (!status)
        status = wsam_picture_load(path, &r->limits.picture, &picture, error);
    const int *said = &w->d->sizes[2 * i];
    if (!status && said[0] && (said[0] != picture.width || said[1] != picture.height))
        status =
            cli_error(error, WSAM_ERR_MISMATCH, "%.300s: a picture of %d x %d, labels of %d x %d",
                      path, picture.width, picture.height, said[0], said[1]);
    size[0] = picture.width;
    size[1] = picture.height;
    if (!status) {
        status = wsam_segmenter_encode(w->segmenter, &picture, &embedding, &inner);
        if (!status)
            status = wsam_masks_run(w->segmenter, embedding, boxes, masks, &inner);
        if (status)
            cli_about(path, &inner, error);
    }
    wsam_embedding_free(embedding);
    wsam_picture_free(&picture);
    free(path);
    return status;
}

/* Nothing to draw: the masks that the document has. */
static void pass_on(wsam_instances *boxes, wsam_instances *masks)
{
    *masks = *boxes;
    *boxes = (wsam_instances){0};
}

static size_t count(const wsam_instances *list, int (*is)(const wsam_instance *))
{
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += (size_t)is(&list->items[i]);
    return n;
}

static wsam_status make_masks(const request *r, work *w, size_t i, wsam_instances *boxes,
                              wsam_instances *masks, int size[2], wsam_error *error)
{
    const size_t wanted = count(boxes, wants_mask), all = boxes->n;
    w->as_they_were += all - wanted;
    if (!wanted && w->d->sizes[2 * i] && w->d->sizes[2 * i + 1]) {
        pass_on(boxes, masks);
        return WSAM_OK;
    }
    const wsam_status status = segment(r, w, i, boxes, masks, size, error);
    if (!status)
        w->empty += all - masks->n;
    return status;
}

/* Ids and what people decided stay; the rest is what the model made. */
static wsam_status put_masks(const request *r, work *w, size_t i, wsam_instances *masks,
                             const int size[2], wsam_error *error)
{
    const wsam_coco_image image = {w->d->image_ids[i], w->d->file_names[i], size[0], size[1],
                                   w->d->reviews[i],   w->d->more[i]};
    wsam_truth_counts counts = {0};
    drop_unsure(r, w, masks);
    wsam_keep_truth(masks, w->d->reviews[i], &counts);
    w->truth.accepted += counts.accepted;
    w->truth.drawn += counts.drawn;
    w->truth.rejected += counts.rejected;
    w->truth.again += counts.again;
    w->truth.refused += counts.refused;
    for (size_t k = 0; k < masks->n; k++)
        masks->items[k].id += w->renumber;
    w->masks += masks->n;
    return wsam_coco_put(w->writer, &image, masks, error);
}

/* A picture that fails is reported, and the others go on. */
static wsam_status do_picture(const request *r, work *w, size_t i, wsam_error *error)
{
    wsam_instances boxes = {0}, masks = {0};
    wsam_truth_counts counts = {0};
    wsam_error inner = {0};
    int size[2] = {w->d->sizes[2 * i], w->d->sizes[2 * i + 1]};
    wsam_status status = take_boxes(r, w, i, &boxes, error);
    if (status)
        return status;
    w->pictures++;
    w->boxes += boxes.n;
    wsam_keep_truth(&boxes, w->d->reviews[i], &counts);
    w->truth.again += counts.again;
    w->truth.refused += counts.refused;
    w->truth.complete += counts.complete;
    status = make_masks(r, w, i, &boxes, &masks, size, &inner);
    if (status) {
        status = WSAM_OK;
        w->failed++;
        cli_failed("masks", &inner);
    } else {
        status = put_masks(r, w, i, &masks, size, error);
    }
    wsam_instances_clear(&masks);
    wsam_instances_clear(&boxes);
    return status;
}

/* ---- all ---- */

/* Whether an annotation needs the model. */
static int needs_model(const request *r, const wsam_coco_document *d, const wsam_review *review)
{
    int needed = !d->instances.n;
    for (size_t i = 0; i < d->instances.n && !needed; i++) {
        const wsam_instance *a = &d->instances.items[i];
        const int redrawn = r->redraw && !a->unscored;
        needed = !a->reviewed && (!a->counts || redrawn) &&
                 !(review && wsam_review_of(review, a->id) < 0);
    }
    for (size_t i = 0; i < 2 * d->n_images && !needed; i++)
        needed = d->sizes[i] <= 0;
    return needed;
}

/* What makes all ids 1 or more, where one is less; several zeros are annotations without an id. */
static int64_t least_shift(const wsam_coco_document *d)
{
    int64_t least = 1;
    size_t zeros = 0;
    for (size_t i = 0; i < d->instances.n; i++) {
        const int64_t id = d->instances.items[i].id;
        least = id < least ? id : least;
        zeros += !id;
    }
    return zeros > 1 ? 0 : 1 - least;
}

/* A mask that is there stays as it is: made again from its box it would be another one. */
static wsam_status prepare(const request *r, work *w, wsam_error *error)
{
    wsam_status status = wsam_coco_load_masks(r->labels, r->image_ids, &w->d, error);
    if (!status && r->review)
        status = wsam_review_load(r->review, r->labels, &w->review, error);
    if (!status && r->reviewed)
        status = cli_adopt("masks", r->reviewed, r->common.quiet, w->d, &w->truth, error);
    w->truth.accepted = w->truth.drawn = w->truth.rejected = 0; /* counted as they are written */
    w->renumber = status ? 0 : least_shift(w->d);
    if (status || !needs_model(r, w->d, w->review))
        return status;
    if (!r->common.model)
        return cli_error(error, WSAM_ERR_ARGUMENT,
                         "%.300s: not all annotations have masks: -m "
                         "MODEL.wsam makes them",
                         r->labels);
    status = wsam_model_open(r->common.model, &r->common.runtime, &w->model, error);
    return status ? status : wsam_segmenter_create(w->model, &w->segmenter, error);
}

static wsam_status write_all(const request *r, work *w, wsam_error *error)
{
    char info[128];
    const char *const *names;
    memcpy(&names, &w->d->class_names, sizeof names); /* only read */
    const wsam_classes classes = {w->d->n_classes, names, w->d->class_ids};
    snprintf(info, sizeof info, "{\"min_confidence\":%.9g,\"review\":%s}", r->min_confidence,
             r->review ? "true" : "false");
    wsam_status status =
        wsam_coco_open(r->common.output, r->kind, &classes, info, &w->writer, error);
    for (size_t i = 0; i < w->d->instances.n && !status; i++)
        wsam_coco_reserve(w->writer, w->d->instances.items[i].id + w->renumber);
    for (size_t i = 0; i < w->d->n_images && !status; i++) {
        status = do_picture(r, w, i, error);
        if (cli_wants_progress(&r->common)) {
            static char label[] = "masks";
            cli_progress(label, (double)(i + 1) / (double)w->d->n_images);
        }
    }
    cli_progress_end();
    return wsam_coco_finish(w->writer, status, error);
}

static int do_all(const request *r)
{
    work w = {0};
    wsam_error error = {0};
    wsam_status status = prepare(r, &w, &error);
    if (!status)
        status = write_all(r, &w, &error);
    wsam_segmenter_free(w.segmenter);
    wsam_model_close(w.model);
    wsam_review_free(w.review);
    wsam_coco_free(w.d);
    if (status)
        return cli_failed("masks", &error);
    if (!r->common.quiet) {
        fprintf(stderr,
                "%zu pictures, %zu failed; %zu boxes, %zu masks (%zu as they were); left out: %zu "
                "without a pixel, %zu below the confidence",
                w.pictures, w.failed, w.boxes, w.masks, w.as_they_were, w.empty, w.unsure);
        cli_print_truth(stderr, &w.truth);
        fputc('\n', stderr);
    }
    return w.failed ? CLI_FAILED : CLI_OK;
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
    const int first = cli_parse(&cmd_masks, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (r.checksum)
        return print_checksum(r.checksum);
    if (!r.common.output || argc - first != 2)
        return cli_usage("masks", "wants LABELS.json, a folder and -o MASKS.json");
    r.labels = argv[first];
    r.folder = argv[first + 1];
    return do_all(&r);
}

const cli_command cmd_masks = {
    .name = "masks",
    .summary = "Instance masks from boxes: a COCO data set with segmentations.",
    .usage = "masks -m MODEL.wsam LABELS.json FOLDER -o MASKS.json [OPTION...]",
    .help =
        "LABELS.json is a data set of boxes (weaksam pgt, or masks again); FOLDER has its "
        "pictures.\n"
        "Boxes get masks; annotations that have one, and those that a person has decided about\n"
        "(reviewed), stay as they are, and nothing is drawn where one was rejected.\n"
        "Each mask has a confidence: the cube root of score (raw_score, where a box has one),\n"
        "predicted IoU and stability, each cut to 0..1.\n"
        "      --polygons           outlines instead of run lengths (holes are filled)\n"
        "      --min-confidence F   leave out masks below (0)\n"
        "      --redraw             make masks of machines again from their boxes\n"
        "      --reviewed FILE      a COCO data set with decisions of people: accepted and drawn\n"
        "                           annotations are taken over as they are, and complete images "
        "get\n"
        "                           nothing else\n"
        "      --review FILE        marks of a review page, which must be about LABELS.json:\n"
        "                           accepted annotations stay whatever their confidence, rejected\n"
        "                           ones stay in the file as such; both are reviewed from then "
        "on.\n"
        "                           Where all have masks -m is not needed\n"
        "Ids stay; where one is below 1, all grow by the same number.\n"
        "      --checksum FILE      print what a review of FILE says that it is about, and end\n"
        "      --image-ids FILE     the images and categories, where LABELS.json is a results "
        "list\n" CLI_LIMIT_HELP,
    .takes = "morq",
    .run = run};
