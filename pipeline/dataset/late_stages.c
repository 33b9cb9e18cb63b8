/* pipeline/dataset/late_stages.c - other pseudo labels of a picture whose scores are known; masks are
 * made for boxes alone that have none yet. */
#include "pipeline/dataset/late_stages.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pipeline/stages/stages.h"

static int same_box(const wsam_instance *a, const wsam_instance *b)
{
    for (int k = 0; k < 4; k++)
        if (a->bbox[k] < b->bbox[k] || a->bbox[k] > b->bbox[k])
            return 0;
    return a->class_index == b->class_index;
}

/* Whether the box was asked for before. *mask: what came of it; NULL: no pixel. */
static int find_known(const wsam_run_output *known, const wsam_instance *box,
                      const wsam_instance **mask)
{
    *mask = NULL;
    for (size_t i = 0; i < known->pgt.n; i++) {
        if (!same_box(&known->pgt.items[i], box))
            continue;
        for (size_t k = 0; k < known->masks.n; k++)
            if (known->masks.items[k].id == (int64_t)i + 1)
                *mask = &known->masks.items[k];
        return 1;
    }
    return 0;
}

/* A known mask in the place of its box: class, scores and number are the box's. */
static int take_known(const wsam_instance *box, const wsam_instance *mask, wsam_instance *to)
{
    if (!ws_instances_copy(mask, to))
        return 0;
    to->id = box->id;
    to->class_index = box->class_index;
    to->score = box->score;
    to->raw_score = box->raw_score;
    to->origin = box->origin;
    return 1;
}

/* Boxes that nobody asked for before; their numbers are those of `pgt`. */
static wsam_status new_boxes(const wsam_run_output *known, const wsam_instances *pgt,
                             wsam_instances *fresh, wsam_error *error)
{
    const wsam_instance *mask;
    fresh->items = calloc(pgt->n + 1, sizeof *fresh->items);
    if (!fresh->items)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for boxes");
    for (size_t i = 0; i < pgt->n; i++)
        if (!find_known(known, &pgt->items[i], &mask))
            fresh->items[fresh->n++] = pgt->items[i]; /* has no run lengths */
    return WSAM_OK;
}

static wsam_status segment(const wsam_stage_options *o, wsam_segmenter *segmenter, const char *path,
                           const wsam_instances *boxes, wsam_run_output *out, wsam_instances *masks,
                           wsam_error *error)
{
    wsam_picture picture = {0};
    wsam_embedding *embedding = NULL;
    const double start = ws_clock();
    wsam_status status = wsam_picture_load(path, &o->limits, &picture, error);
    if (!status)
        status = wsam_segmenter_encode(segmenter, &picture, &embedding, error);
    out->seconds[WSAM_RUN_ENCODE] += ws_clock() - start;
    if (!status)
        status = wsam_masks_run(segmenter, embedding, boxes, masks, error);
    wsam_embedding_free(embedding);
    wsam_picture_free(&picture);
    return status;
}

/* Known and new masks in the order of their boxes. */
static wsam_status join(const wsam_run_output *known, wsam_instances *fresh, wsam_run_output *out,
                        wsam_error *error)
{
    size_t next = 0;
    out->masks.items = calloc(out->pgt.n + 1, sizeof *out->masks.items);
    if (!out->masks.items)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
    for (size_t i = 0; i < out->pgt.n; i++) {
        const wsam_instance *box = &out->pgt.items[i], *mask;
        wsam_instance *to = &out->masks.items[out->masks.n];
        if (find_known(known, box, &mask)) {
            if (!mask)
                continue;
            out->masks.n++;
            if (!take_known(box, mask, to))
                return ws_fail(error, WSAM_ERR_MEMORY, "no memory for masks");
        } else if (next < fresh->n && fresh->items[next].id == box->id) {
            *to = fresh->items[next];
            fresh->items[next++].counts = NULL; /* moved */
            out->masks.n++;
        }
    }
    return WSAM_OK;
}

wsam_status ws_late_stages(const wsam_stage_options *o, wsam_segmenter *segmenter,
                           const wsam_run_item *item, wsam_run_output *out, wsam_error *error)
{
    const wsam_run_output *known = item->known;
    wsam_instances fresh = {0}, masks = {0};
    double last = ws_clock();
    out->width = known->width;
    out->height = known->height;
    out->stage = WSAM_RUN_PGT;
    wsam_status status =
        wsam_pgt(&known->scores, item->labels, item->n_labels, &o->pgt, &out->pgt, error);
    for (size_t i = 0; i < out->pgt.n; i++)
        out->pgt.items[i].id = (int64_t)i + 1;
    out->seconds[WSAM_RUN_PGT] = ws_clock() - last;
    if (status)
        return status;
    last = ws_clock();
    out->stage = WSAM_RUN_MASKS;
    status = new_boxes(known, &out->pgt, &fresh, error);
    if (!status && fresh.n)
        status = segment(o, segmenter, item->path, &fresh, out, &masks, error);
    if (!status)
        status = join(known, &masks, out, error);
    out->seconds[WSAM_RUN_MASKS] = ws_clock() - last - out->seconds[WSAM_RUN_ENCODE];
    free(fresh.items); /* the boxes belong to out->pgt */
    wsam_instances_clear(&masks);
    return status;
}
