/* pipeline/exchange/join.c - wsam_join: several documents become one (weaksam/exchange.h). */
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/exchange/document.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/exchange/overlap.h"
#include "pipeline/stages/stages.h"

/* Of an object of another class that a person made, what a machine found there goes from here on. */
static const double OTHER_CLASS = 0.7;

void wsam_join_options_default(wsam_join_options *options)
{
    *options = (wsam_join_options){.iou = 0.5};
}

/* One image as a document has it. */
typedef struct source {
    size_t document, image;
} source;

/* An object of an image of the result. */
typedef struct candidate {
    const wsam_instance *object;
    size_t document;
    int32_t class_index; /* in the result */
    int kept;
} candidate;

typedef struct join {
    const wsam_coco_document *const *documents;
    size_t n;
    double iou;
    wsam_join_counts *counts;
    ws_builder b;
    int32_t **classes; /* per document: its classes in the result */
    candidate *candidates;
    size_t n_candidates, capacity;
    int width, height;
} join;

/* ---- one image ---- */

static int same_place(const join *j, const candidate *a, const candidate *b)
{
    const double overlap = ws_overlap_iou(a->object, b->object, j->height, j->width);
    if (a->class_index == b->class_index)
        return overlap > j->iou;
    return overlap >= OTHER_CLASS && (a->object->reviewed == WSAM_REVIEWED_ACCEPTED ||
                                      a->object->reviewed == WSAM_REVIEWED_DRAWN);
}

/* Whether `c` stays beside what is kept. Decisions of one document stand together; a machine's
 * objects give way to every decision, and to a machine's of a later document. */
static int stays(const join *j, const candidate *c)
{
    for (size_t i = 0; i < j->n_candidates; i++) {
        const candidate *k = &j->candidates[i];
        if (!k->kept ||
            (k->document == c->document && (!k->object->reviewed || c->object->reviewed)))
            continue;
        if (!same_place(j, k, c))
            continue;
        j->counts->rejected += k->object->reviewed == WSAM_REVIEWED_REJECTED;
        j->counts->duplicates += k->object->reviewed != WSAM_REVIEWED_REJECTED;
        j->counts->by_person += k->object->reviewed == WSAM_REVIEWED_ACCEPTED ||
                                k->object->reviewed == WSAM_REVIEWED_DRAWN;
        return 0;
    }
    return 1;
}

/* Decisions of the latest document first, then those before it; machines' objects likewise. */
static void choose(join *j)
{
    for (int decided = 1; decided >= 0; decided--)
        for (size_t d = j->n; d-- > 0;)
            for (size_t i = 0; i < j->n_candidates; i++) {
                candidate *c = &j->candidates[i];
                if (c->document == d && (c->object->reviewed != WSAM_REVIEWED_NO) == decided)
                    c->kept = stays(j, c);
            }
}

static wsam_status add_candidates(join *j, const source *s, wsam_error *error)
{
    const wsam_coco_document *d = j->documents[s->document];
    for (size_t k = d->first[s->image]; k < d->first[s->image + 1]; k++) {
        candidate *all = ws_grow(j->candidates, j->n_candidates, &j->capacity, sizeof *all);
        if (!all)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the objects of an image");
        const wsam_instance *a = &d->instances.items[k];
        j->candidates = all;
        all[j->n_candidates++] =
            (candidate){a, s->document, j->classes[s->document][a->class_index], 0};
    }
    return WSAM_OK;
}

/* Of several documents that are complete on an image the last one has it alone. */
static wsam_status gather(join *j, const source *sources, size_t n, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    const source *alone = NULL;
    j->n_candidates = 0;
    for (size_t i = 0; i < n; i++)
        if (ws_document_complete(j->documents[sources[i].document], sources[i].image))
            alone = &sources[i];
    for (size_t i = 0; i < n && !status; i++) {
        const wsam_coco_document *d = j->documents[sources[i].document];
        if (alone && alone != &sources[i]) {
            const size_t gone = d->first[sources[i].image + 1] - d->first[sources[i].image];
            j->counts->duplicates += gone;
            j->counts->by_person += gone;
        } else {
            status = add_candidates(j, &sources[i], error);
        }
    }
    return status;
}

static int size_of(const join *j, const source *sources, size_t n, int k)
{
    int size = 0;
    for (size_t i = 0; i < n && !size; i++)
        size = j->documents[sources[i].document]->sizes[2 * sources[i].image + (size_t)k];
    return size;
}

/* Seconds, sample and the like: those of the last document that has some. */
static wsam_status keep_members(join *j, const source *sources, size_t n, wsam_error *error)
{
    const char *more = NULL;
    for (size_t i = 0; i < n; i++) {
        const wsam_coco_document *d = j->documents[sources[i].document];
        more = d->more && d->more[sources[i].image] ? d->more[sources[i].image] : more;
    }
    char **to = &j->b.d->more[j->b.d->n_images - 1];
    *to = more ? strdup(more) : NULL;
    return more && !*to ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for an image") : WSAM_OK;
}

static wsam_status join_image(join *j, const source *sources, size_t n, wsam_error *error)
{
    const wsam_coco_document *d = j->documents[sources[0].document];
    const char *name = d->file_names[sources[0].image];
    j->width = size_of(j, sources, n, 0);
    j->height = size_of(j, sources, n, 1);
    j->counts->same_file += n > 1;
    for (size_t i = 1; i < n; i++) {
        const int *size = &j->documents[sources[i].document]->sizes[2 * sources[i].image];
        if (size[0] && size[1] && (size[0] != j->width || size[1] != j->height))
            return ws_fail(error, WSAM_ERR_MISMATCH,
                           "'%s' is %d x %d pixels in one document and %d x %d in another", name,
                           j->width, j->height, size[0], size[1]);
    }
    wsam_status status = ws_document_add_image(&j->b, name, j->width, j->height, error);
    if (!status)
        status = gather(j, sources, n, error);
    if (status)
        return status;
    wsam_review_state review = WSAM_REVIEW_NONE;
    for (size_t i = 0; i < n; i++) {
        const wsam_review_state r = j->documents[sources[i].document]->reviews[sources[i].image];
        review = r > review ? r : review;
    }
    ws_document_add_review(&j->b, review);
    status = keep_members(j, sources, n, error);
    choose(j);
    for (size_t i = 0; i < j->n_candidates && !status; i++)
        if (j->candidates[i].kept) {
            wsam_instance a;
            if (!ws_instances_copy(j->candidates[i].object, &a))
                return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", name);
            a.class_index = j->candidates[i].class_index;
            status = ws_document_add_object(&j->b, &a, error);
        }
    return status;
}

/* ---- documents ---- */

static wsam_status join_classes(join *j, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t d = 0; d < j->n && !status; d++) {
        const wsam_coco_document *document = j->documents[d];
        status = ws_id_texts_merge(&j->b.d->id_texts, document->id_texts, error);
        j->classes[d] = malloc((document->n_classes + 1) * sizeof **j->classes);
        if (!j->classes[d])
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the classes");
        for (size_t i = 0; i < document->n_classes && !status; i++)
            status =
                ws_document_add_class(&j->b, document->class_names[i], &j->classes[d][i], error);
    }
    return status;
}

static wsam_status join_images(join *j, wsam_error *error)
{
    ws_image_groups groups;
    source *sources = calloc(j->n + 1, sizeof *sources);
    wsam_status status = ws_overlap_groups_make(j->documents, j->n, &groups, error);
    if (!sources && !status)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu documents", j->n);
    for (size_t g = 0; g < groups.n && !status; g++) {
        size_t n = 0;
        for (size_t k = groups.first[g]; k < groups.first[g + 1]; k++)
            sources[n++] = (source){groups.members[k].document, groups.members[k].image};
        status = join_image(j, sources, n, error);
    }
    ws_overlap_groups_free(&groups);
    free(sources);
    return status;
}

wsam_status wsam_join(const wsam_coco_document *const *documents, size_t n,
                      const wsam_join_options *options, wsam_coco_document **joined,
                      wsam_join_counts *counts, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_join_counts own = {0};
    join j = {.documents = documents, .n = n, .counts = counts ? counts : &own};
    *joined = NULL;
    *j.counts = (wsam_join_counts){0};
    j.iou = options ? options->iou : 0.5;
    if (!n || !(j.iou > 0 && j.iou < 1))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "wsam_join: expected documents, and an IoU between 0 and 1");
    j.classes = calloc(n, sizeof *j.classes);
    wsam_status status =
        j.classes ? ws_document_start(&j.b, error) : ws_fail(error, WSAM_ERR_MEMORY, "no memory");
    if (!status)
        status = join_classes(&j, error);
    if (!status)
        status = join_images(&j, error);
    for (size_t d = 0; d < n && j.classes; d++)
        free(j.classes[d]);
    free(j.classes);
    free(j.candidates);
    *joined = ws_document_finish(&j.b, status);
    if (!status) {
        j.counts->images = (*joined)->n_images;
        j.counts->objects = (*joined)->instances.n;
    }
    return status;
}
