/* pipeline/everything/everything_nms.c - the lists of masks found so far: suppression, and the memory
 * that their run lengths take. */
#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "pipeline/everything/everything_run.h"

#include <stdlib.h>
#include <string.h>

void ws_everything_nms_note_memory(const ws_generator_run *r, const ws_candidate_list *other)
{
    const size_t answers = r->batch * (size_t)r->source->masks;
    const size_t candidates =
        answers + r->found.capacity + r->kept.capacity + (other ? other->capacity : 0);
    const size_t of_nms =
        4 * sizeof *r->boxes + sizeof *r->scores + sizeof *r->order + sizeof *r->keep;
    const uint64_t bytes = ws_everything_masks_bytes(&r->masks) + r->text_bytes +
                           answers * (r->logits_of_mask + 1) * sizeof(float) +
                           r->grid_capacity * (sizeof *r->selected + sizeof *r->covered) +
                           r->batch * 2 * sizeof *r->points + answers * sizeof *r->fates +
                           candidates * sizeof(ws_candidate) + r->nms_capacity * of_nms;
    if (bytes > r->stats->peak_bytes)
        r->stats->peak_bytes = bytes;
}

void ws_everything_nms_drop_text(ws_generator_run *r, ws_candidate *c)
{
    if (c->text)
        r->text_bytes -= c->length + 1;
    free(c->text);
    c->text = NULL;
}

wsam_status ws_everything_nms_append(ws_generator_run *r, ws_candidate_list *list,
                                     const ws_candidate *c)
{
    ws_candidate *items = ws_grow(list->items, list->n, &list->capacity, sizeof *items);
    if (!items)
        return ws_no_memory(r->error, "candidates");
    list->items = items;
    list->items[list->n++] = *c;
    return WSAM_OK;
}

void ws_everything_nms_free_list(ws_candidate_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i].text);
    free(list->items);
}

wsam_status ws_everything_nms_apply(ws_generator_run *r, ws_candidate_list *list)
{
    ws_candidate_list next = {0};
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < r->n_keep && !status; i++) {
        ws_candidate *c = &list->items[r->keep[i]];
        status = ws_everything_nms_append(r, &next, c);
        if (!status)
            c->text = NULL; /* moved */
    }
    ws_everything_nms_note_memory(r, &next);
    for (size_t i = 0; i < list->n; i++)
        ws_everything_nms_drop_text(r, &list->items[i]);
    ws_everything_nms_free_list(list);
    *list = next;
    return status;
}

static wsam_status reserve_nms(ws_generator_run *r, size_t n)
{
    if (n <= r->nms_capacity)
        return WSAM_OK;
    n = 2 * n;
    free(r->boxes), free(r->scores), free(r->order), free(r->keep);
    r->boxes = malloc(4 * n * sizeof *r->boxes);
    r->scores = malloc(n * sizeof *r->scores);
    r->order = malloc(n * sizeof *r->order);
    r->keep = malloc(n * sizeof *r->keep);
    r->nms_capacity = n;
    return r->boxes && r->scores && r->order && r->keep ? WSAM_OK : ws_no_memory(r->error, "NMS");
}

static void box_to_floats(const int32_t box[4], float out[4])
{
    for (int k = 0; k < 4; k++)
        out[k] = (float)box[k];
}

wsam_status ws_everything_nms(ws_generator_run *r, const ws_candidate_list *list, ws_score_fn score,
                              double threshold)
{
    const double start = ws_clock();
    const wsam_status status = reserve_nms(r, list->n);
    if (status)
        return status;
    for (size_t i = 0; i < list->n; i++) {
        const ws_candidate *c = &list->items[i];
        box_to_floats(c->box, r->boxes + 4 * i);
        if (!c->area) /* in whatever frame its crop was */
            memset(r->boxes + 4 * i, 0, 4 * sizeof *r->boxes);
        r->scores[i] = score(r, c);
    }
    r->n_keep = wsam_box_nms(r->boxes, r->scores, list->n, threshold, r->order, r->keep);
    r->stats->nms_s += ws_clock() - start;
    return WSAM_OK;
}

int ws_everything_nms_suppressed(const ws_generator_run *r, const ws_candidate *c)
{
    float box[4], other[4];
    box_to_floats(c->box, box);
    for (size_t i = 0; i < r->n_keep; i++) {
        const ws_candidate *k = &r->found.items[r->keep[i]];
        if (!(k->iou >= c->iou))
            return 0; /* in order of falling scores */
        box_to_floats(k->box, other);
        if ((double)wsam_box_iou(other, box) > r->options->box_nms_thresh)
            return 1;
    }
    return 0;
}

/* Of what is suppressed so far, then of the lowest scores. */
void ws_everything_nms_save_memory(ws_generator_run *r)
{
    const uint64_t limit = r->options->mask_memory;
    if (r->text_bytes <= limit)
        return;
    for (size_t i = 0; i < r->found.n; i++)
        r->found.items[i].leading = 0;
    for (size_t i = 0; i < r->n_keep; i++)
        r->found.items[r->keep[i]].leading = 1;
    for (size_t i = 0; i < r->found.n; i++)
        if (!r->found.items[i].leading)
            ws_everything_nms_drop_text(r, &r->found.items[i]);
    for (size_t i = r->n_keep; i-- > 0 && r->text_bytes > limit;)
        ws_everything_nms_drop_text(r, &r->found.items[r->keep[i]]);
}
