/* pipeline/learn/masks_document.c - masks of the boxes of all images of a document. */
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "kernels/float_scope.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/labels/picture_path.h"
#include "pipeline/learn/learn.h"

typedef struct work {
    wsam_segmenter *segmenter;
    wsam_coco_document *d;
    const wsam_masks_document_options *o;
    wsam_coco_writer *writer;
    wsam_classes classes;
    int64_t renumber; /* added to ids: 0 would be none, and evaluation passes it over */
    wsam_masks_summary sum;
} work;

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
    for (size_t i = 0; w->o->review && i < list->n; i++) {
        wsam_instance *a = &list->items[i];
        const int said = wsam_review_of(w->o->review, a->id);
        if (said < 0)
            mark(a, WSAM_REVIEWED_REJECTED);
        else if (said > 0 && (a->counts || a->reviewed))
            mark(a, WSAM_REVIEWED_ACCEPTED);
    }
}

/* The annotations of an image, taken out of the document. */
static wsam_status take_boxes(work *w, size_t image, wsam_instances *boxes, wsam_error *error)
{
    const size_t first = w->d->first[image], n = w->d->first[image + 1] - first;
    boxes->n = 0;
    boxes->items = calloc(n + 1, sizeof *boxes->items);
    if (!boxes->items)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for boxes");
    for (size_t i = 0; i < n; i++) {
        wsam_instance *from = &w->d->instances.items[first + i], *a = &boxes->items[boxes->n++];
        *a = *from;
        from->counts = from->json = NULL;
        if (w->o->redraw && !a->reviewed && !a->unscored) {
            free(a->counts);
            a->counts = NULL;
        }
    }
    take_marks(w, boxes);
    return WSAM_OK;
}

/* What a person accepted stays whatever its confidence. */
static void drop_unsure(work *w, wsam_instances *masks)
{
    size_t kept = 0;
    for (size_t i = 0; i < masks->n; i++) {
        wsam_instance *a = &masks->items[i];
        if (w->o->review && !a->reviewed && wsam_review_of(w->o->review, a->id) > 0)
            a->reviewed = WSAM_REVIEWED_ACCEPTED;
        if (a->reviewed || a->unscored || a->confidence >= w->o->min_confidence) {
            masks->items[kept++] = *a;
        } else {
            w->sum.unsure++;
            free(a->counts);
        }
    }
    masks->n = kept;
}

static wsam_status segment(work *w, size_t i, const wsam_instances *boxes, wsam_instances *masks,
                           int size[2], wsam_error *error)
{
    wsam_picture picture = {0};
    wsam_embedding *embedding = NULL;
    char *path;
    wsam_status status = ws_picture_path(w->o->images, w->d->file_names[i], &path, error);
    if (!status)
        status = wsam_picture_load(path, &w->o->limits, &picture, error);
    const int *said = &w->d->sizes[2 * i];
    if (!status && said[0] && (said[0] != picture.width || said[1] != picture.height))
        status = ws_fail(error, WSAM_ERR_MISMATCH, "%.300s: an image of %d x %d, labels of %d x %d",
                         path, picture.width, picture.height, said[0], said[1]);
    size[0] = picture.width;
    size[1] = picture.height;
    if (!status) {
        status = wsam_segmenter_encode(w->segmenter, &picture, &embedding, error);
        if (!status)
            status = wsam_masks_run(w->segmenter, embedding, boxes, masks, error);
        if (status)
            ws_boxes_about(path, error);
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

static wsam_status make_masks(work *w, size_t i, wsam_instances *boxes, wsam_instances *masks,
                              int size[2], wsam_error *error)
{
    const size_t wanted = count(boxes, wants_mask), all = boxes->n;
    w->sum.as_they_were += all - wanted;
    if (!wanted && w->d->sizes[2 * i] && w->d->sizes[2 * i + 1]) {
        pass_on(boxes, masks);
        return WSAM_OK;
    }
    const wsam_status status = segment(w, i, boxes, masks, size, error);
    if (!status)
        w->sum.empty += all - masks->n;
    return status;
}

/* Ids and what people decided stay; the rest is what the model made. */
static wsam_status put_masks(work *w, size_t i, wsam_instances *masks, const int size[2],
                             wsam_error *error)
{
    const wsam_coco_image image = {w->d->image_ids[i], w->d->file_names[i], size[0], size[1],
                                   w->d->reviews[i],   w->d->more[i]};
    wsam_truth_counts counts = {0};
    drop_unsure(w, masks);
    if (w->o->rules) {
        const wsam_status status = wsam_rules_apply(w->o->rules, &w->classes, size[0], size[1],
                                                    masks, &w->sum.rules, error);
        if (status)
            return status;
    }
    wsam_keep_truth(masks, w->d->reviews[i], &counts);
    w->sum.truth.accepted += counts.accepted;
    w->sum.truth.drawn += counts.drawn;
    w->sum.truth.rejected += counts.rejected;
    w->sum.truth.again += counts.again;
    w->sum.truth.refused += counts.refused;
    for (size_t k = 0; k < masks->n; k++)
        if (!ws_id_texts_get(w->d->id_texts, masks->items[k].id))
            masks->items[k].id += w->renumber;
    w->sum.written += masks->n;
    return wsam_coco_put(w->writer, &image, masks, error);
}

/* An image that fails is reported, and the others go on. */
static wsam_status do_image(work *w, size_t i, wsam_error *error)
{
    wsam_instances boxes = {0}, masks = {0};
    wsam_truth_counts counts = {0};
    wsam_error inner = {0};
    int size[2] = {w->d->sizes[2 * i], w->d->sizes[2 * i + 1]};
    wsam_status status = take_boxes(w, i, &boxes, error);
    if (status)
        return status;
    w->sum.images++;
    w->sum.boxes += boxes.n;
    wsam_keep_truth(&boxes, w->d->reviews[i], &counts);
    w->sum.truth.again += counts.again;
    w->sum.truth.refused += counts.refused;
    w->sum.truth.complete += counts.complete;
    status = make_masks(w, i, &boxes, &masks, size, &inner);
    if (status) {
        status = WSAM_OK;
        w->sum.failed++;
        if (w->o->failed)
            w->o->failed(w->o->failed_user, &inner);
    } else {
        status = put_masks(w, i, &masks, size, error);
    }
    wsam_instances_clear(&masks);
    wsam_instances_clear(&boxes);
    return status;
}

/* ---- all ---- */

int wsam_masks_document_needs_model(const wsam_coco_document *d,
                                    const wsam_masks_document_options *o)
{
    int needed = !d->instances.n;
    for (size_t i = 0; i < d->instances.n && !needed; i++) {
        const wsam_instance *a = &d->instances.items[i];
        const int redrawn = o->redraw && !a->unscored;
        needed = !a->reviewed && (!a->counts || redrawn) &&
                 !(o->review && wsam_review_of(o->review, a->id) < 0);
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

wsam_status wsam_masks_document(wsam_segmenter *segmenter, wsam_coco_document *d,
                                const wsam_masks_document_options *o, const char *output,
                                wsam_masks_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    work w = {.segmenter = segmenter, .d = d, .o = o, .renumber = least_shift(d)};
    char info[128];
    const char *const *names;
    if (!segmenter && wsam_masks_document_needs_model(d, o))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "not all annotations have masks: a model makes them");
    memcpy(&names, &d->class_names, sizeof names); /* only read */
    w.classes = (wsam_classes){d->n_classes, names, d->class_ids, d->id_texts};
    ws_locale_print(info, sizeof info, "{\"min_confidence\":%.9g,\"review\":%s}", o->min_confidence,
                    o->review ? "true" : "false");
    wsam_status status = wsam_coco_open(output, o->polygons ? WSAM_COCO_POLYGONS : WSAM_COCO_MASKS,
                                        &w.classes, info, &w.writer, error);
    for (size_t i = 0; i < d->instances.n && !status; i++)
        if (!ws_id_texts_get(d->id_texts, d->instances.items[i].id))
            wsam_coco_reserve(w.writer, d->instances.items[i].id + w.renumber);
    for (size_t i = 0; i < d->n_images && !status; i++) {
        status = do_image(&w, i, error);
        const double done = (double)(i + 1) / (double)d->n_images;
        if (o->progress && o->progress(o->progress_user, done) && !status)
            status = ws_fail(error, WSAM_ERR_CANCELLED, "stopped after %zu of %zu images", i + 1,
                             d->n_images);
    }
    if (summary)
        *summary = w.sum;
    if (!status && w.sum.images && w.sum.failed == w.sum.images) /* a good result stays */
        status =
            ws_fail(error, WSAM_ERR_FORMAT, "%.300s: not written, as every image failed", output);
    return wsam_coco_finish(w.writer, status, error);
}
