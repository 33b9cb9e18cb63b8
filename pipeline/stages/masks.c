/* pipeline/stages/masks.c - instance masks from boxes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/stages/stages.h"

/* Prompts at most in one run, which bounds the memory of its full-size masks. */
enum { AT_ONCE = 64 };

static double clamp(double v)
{
    return v > 0 ? (v < 1 ? v : 1) : 0; /* NaN is 0 */
}

/* x,y,w,h to corners within the picture; 0 when nothing of the box is in it. */
static int corners(const double *b, const wsam_transform *t, double box[4])
{
    for (int k = 0; k < 4; k++) {
        const double v = k < 2 ? b[k] : b[k - 2] + b[k], most = k & 1 ? t->height : t->width;
        if (!isfinite(v))
            return 0;
        box[k] = v < 0 ? 0 : v > most ? most : v;
    }
    return box[2] > box[0] && box[3] > box[1];
}

static double confidence_of(const wsam_instance *a)
{
    return cbrt(clamp(wsam_instance_evidence(a)) * clamp((double)a->predicted_iou) *
                clamp((double)a->stability_score));
}

static wsam_status keep(const wsam_instance *from, const wsam_mask *m, wsam_instances *out,
                        wsam_error *error)
{
    wsam_instance *to = &out->items[out->n];
    if (!m->area)
        return WSAM_OK;
    *to = *from;
    to->counts = to->json = NULL;
    to->area = m->area;
    for (int k = 0; k < 4 && !from->unscored; k++)
        to->bbox[k] = m->bbox[k];
    to->predicted_iou = m->predicted_iou;
    to->stability_score = m->stability_score;
    to->confidence = confidence_of(to);
    out->n++;
    return ws_counts_text(&m->rle, &to->counts, &to->counts_length)
               ? WSAM_OK
               : ws_no_memory(error, "instance masks");
}

/* Decided boxes, and those with masks, from *next on. */
static wsam_status pass_on(const wsam_instances *in, size_t *next, wsam_instances *out,
                           wsam_error *error)
{
    for (; *next < in->n && (in->items[*next].reviewed || in->items[*next].counts); (*next)++) {
        wsam_instance *to = &out->items[out->n++];
        if (!ws_instances_copy(&in->items[*next], to))
            return ws_no_memory(error, "instance masks");
        if (to->origin && !to->reviewed && !(to->confidence > 0)) /* a proposal and its mask */
            to->confidence = confidence_of(to);
    }
    return WSAM_OK;
}

/* Up to AT_ONCE boxes from *next on, to the next one that has nothing to gain. */
static wsam_status run_some(wsam_segmenter *s, const wsam_embedding *e, const wsam_instances *in,
                            size_t *next, wsam_instances *out, wsam_error *error)
{
    wsam_prompt prompts[AT_ONCE];
    const wsam_instance *from[AT_ONCE];
    const wsam_transform *t = wsam_embedding_transform(e);
    wsam_result *result = NULL;
    size_t n = 0;
    for (; *next < in->n && n < AT_ONCE; (*next)++) {
        if (in->items[*next].reviewed || in->items[*next].counts)
            break;
        prompts[n] = (wsam_prompt){.has_box = 1};
        from[n] = &in->items[*next];
        n += (size_t)corners(from[n]->bbox, t, prompts[n].box);
    }
    wsam_status status =
        n ? wsam_segmenter_run(s, e, prompts, n, WSAM_WANT_MASKS, &result, error) : WSAM_OK;
    for (size_t i = 0; i < n && !status; i++)
        status = keep(from[i], &result->masks[result->first[i]], out, error);
    wsam_result_free(result);
    return status;
}

wsam_status wsam_masks_run(wsam_segmenter *segmenter, const wsam_embedding *embedding,
                           const wsam_instances *boxes, wsam_instances *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = (wsam_instances){0};
    if (!boxes->n)
        return WSAM_OK;
    out->items = calloc(boxes->n, sizeof *out->items);
    if (!out->items)
        return ws_no_memory(error, "instance masks");
    wsam_status status = WSAM_OK;
    for (size_t next = 0; next < boxes->n && !status;) {
        status = pass_on(boxes, &next, out, error);
        if (!status)
            status = run_some(segmenter, embedding, boxes, &next, out, error);
    }
    if (status)
        wsam_instances_clear(out);
    return status;
}
