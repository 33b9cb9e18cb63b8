/* cli/cmd_masks.c - weaksam masks: instance masks from pseudo boxes. */
#include <stdlib.h>
#include <string.h>

#include "cli/stages.h"

enum { OPT_POLYGONS = CLI_OWN, OPT_REVIEW, OPT_MIN, OPT_IMAGE_IDS, OPT_CHECKSUM };

static const struct option own_options[] = {
    {"polygons", no_argument, NULL, OPT_POLYGONS},
    {"review", required_argument, NULL, OPT_REVIEW},
    {"min-confidence", required_argument, NULL, OPT_MIN},
    {"image-ids", required_argument, NULL, OPT_IMAGE_IDS},
    {"checksum", required_argument, NULL, OPT_CHECKSUM},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_coco_kind kind;
    double min_confidence;
    const char *review, *image_ids, *checksum, *labels, *folder;
} request;

typedef struct work {
    wsam_model *model;
    wsam_segmenter *segmenter;
    wsam_coco_document *d;
    wsam_review *review;
    wsam_coco_writer *writer;
    int keep;         /* the document's masks: what was looked at is what stays */
    int64_t renumber; /* added to ids: 0 would be none, and evaluation passes it over */
    size_t pictures, failed, masks, rejected, unsure;
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

/* Boxes that were not rejected; the items stay the document's. */
static wsam_status choose_boxes(work *w, size_t image, wsam_instances *boxes, wsam_error *error)
{
    const size_t first = w->d->first[image], end = w->d->first[image + 1];
    boxes->n = 0;
    boxes->items = malloc((end - first + 1) * sizeof *boxes->items);
    if (!boxes->items)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for boxes");
    for (size_t i = first; i < end; i++) {
        const wsam_instance *a = &w->d->instances.items[i];
        const int rejected = w->review && wsam_review_of(w->review, a->id) < 0;
        w->rejected += (size_t)rejected;
        if (!rejected)
            boxes->items[boxes->n++] = *a;
    }
    return WSAM_OK;
}

/* What a person accepted stays whatever its confidence. */
static void drop_unsure(const request *r, work *w, wsam_instances *masks)
{
    size_t kept = 0;
    for (size_t i = 0; i < masks->n; i++) {
        wsam_instance *a = &masks->items[i];
        const int accepted = w->review && wsam_review_of(w->review, a->id) > 0;
        if (accepted || a->confidence >= r->min_confidence) {
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
    if (!status && boxes->n) {
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

/* The masks that the document has. */
static wsam_status copy_masks(const wsam_instances *boxes, wsam_instances *masks, wsam_error *error)
{
    masks->items = calloc(boxes->n + 1, sizeof *masks->items);
    if (!masks->items)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for masks");
    for (size_t i = 0; i < boxes->n; i++) {
        wsam_instance *to = &masks->items[masks->n];
        *to = boxes->items[i];
        to->counts = strdup(to->counts);
        if (!to->counts)
            return cli_error(error, WSAM_ERR_MEMORY, "no memory for masks");
        masks->n++;
    }
    return WSAM_OK;
}

/* A picture that fails is reported, and the others go on. */
static wsam_status do_picture(const request *r, work *w, size_t i, wsam_error *error)
{
    wsam_instances boxes = {0}, masks = {0};
    wsam_error inner = {0};
    int size[2] = {0, 0};
    wsam_status status = choose_boxes(w, i, &boxes, error);
    if (status)
        return status;
    w->pictures++;
    if (w->keep) {
        status = copy_masks(&boxes, &masks, &inner);
        memcpy(size, &w->d->sizes[2 * i], sizeof size);
    } else {
        status = segment(r, w, i, &boxes, &masks, size, &inner);
    }
    if (status) {
        status = WSAM_OK;
        w->failed++;
        cli_failed("masks", &inner);
    } else {
        const wsam_coco_image image = {w->d->image_ids[i], w->d->file_names[i], size[0], size[1]};
        drop_unsure(r, w, &masks);
        for (size_t k = 0; k < masks.n; k++)
            masks.items[k].id += w->renumber;
        w->masks += masks.n;
        status = wsam_coco_put(w->writer, &image, &masks, error);
    }
    wsam_instances_clear(&masks);
    free(boxes.items);
    return status;
}

/* ---- all ---- */

/* Whether all annotations have a mask, and all pictures a size. */
static int has_masks(const wsam_coco_document *d)
{
    int all = d->instances.n > 0;
    for (size_t i = 0; i < d->instances.n && all; i++)
        all = d->instances.items[i].counts != NULL;
    for (size_t i = 0; i < 2 * d->n_images && all; i++)
        all = d->sizes[i] > 0;
    return all;
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

/* A reviewed mask stays as it is: made again from its box it would be another one. */
static wsam_status prepare(const request *r, work *w, wsam_error *error)
{
    wsam_status status = r->review ? wsam_coco_load_masks(r->labels, r->image_ids, &w->d, error)
                                   : wsam_coco_load(r->labels, r->image_ids, &w->d, error);
    if (!status && r->review)
        status = wsam_review_load(r->review, r->labels, &w->review, error);
    w->keep = !status && r->review && has_masks(w->d);
    w->renumber = status ? 0 : least_shift(w->d);
    if (status || w->keep)
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
    if (!r->common.quiet)
        fprintf(stderr,
                "%zu pictures, %zu failed; %zu masks, %zu rejected, %zu below the confidence\n",
                w.pictures, w.failed, w.masks, w.rejected, w.unsure);
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
    if ((!r.common.model && !r.review) || !r.common.output || argc - first != 2)
        return cli_usage("masks", "wants -m MODEL.wsam, LABELS.json, a folder and -o MASKS.json");
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
        "Each mask has a confidence: the cube root of score (raw_score, where a box has one),\n"
        "predicted IoU and stability, each cut to 0..1.\n"
        "      --polygons           outlines instead of run lengths (holes are filled)\n"
        "      --min-confidence F   leave out masks below (0)\n"
        "      --review FILE        leave out what was rejected, keep what was accepted whatever\n"
        "                           its confidence; must be about LABELS.json. Masks that it has\n"
        "                           stay as they were looked at, and -m is not needed\n"
        "Ids stay; where one is below 1, all grow by the same number.\n"
        "      --checksum FILE      print what a review of FILE says that it is about, and end\n"
        "      --image-ids FILE     the images and categories, where LABELS.json is a results "
        "list\n" CLI_LIMIT_HELP,
    .takes = "morq",
    .run = run};
