/* pipeline/segment/mask_file.c - mask prompts from files. */
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "weaksam/segment.h"
#include "weights/import/source.h"

enum { MAX_SIDE = 16384 };

/* The candidate with the highest `iou`, where the file holds several. */
static wsam_status best_candidate(const ws_source *s, size_t count, size_t *best, wsam_error *error)
{
    const ws_source_tensor *iou = ws_source_find(s, "iou");
    float scores[64];
    *best = 0;
    if (count == 1)
        return WSAM_OK;
    if (!count)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: holds no mask", s->path);
    if (!iou || ws_source_elements(iou) != count || count > 64)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: %zu masks and no 'iou' of as many values to choose by", s->path, count);
    const wsam_status status = ws_source_read(s, iou, scores, error);
    for (size_t i = 1; i < count && !status; i++)
        if (scores[i] > scores[*best])
            *best = i;
    return status;
}

static wsam_status read_mask(const ws_source *s, float **mask, int *side, wsam_error *error)
{
    const ws_source_tensor *t = ws_source_find(s, "mask");
    if (!t)
        t = ws_source_find(s, "low_res");
    if (!t && s->n_tensors == 1)
        t = s->tensors;
    if (!t || t->rank < 2 || t->dims[t->rank - 1] != t->dims[t->rank - 2] ||
        t->dims[t->rank - 1] > MAX_SIDE || t->dims[t->rank - 1] < 1)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: no square tensor 'mask' or 'low_res'", s->path);
    const uint64_t all = ws_source_elements(t);
    const size_t n = (size_t)t->dims[t->rank - 1] * t->dims[t->rank - 1];
    size_t best;
    wsam_status status = best_candidate(s, (size_t)(all / n), &best, error);
    float *values = status ? NULL : malloc((size_t)all * sizeof *values);
    if (!status && !values)
        status = ws_no_memory(error, s->path);
    if (!status)
        status = ws_source_read(s, t, values, error);
    if (!status)
        status = ws_source_check_finite(s, values, (size_t)all, error);
    if (status) {
        free(values);
        return status;
    }
    memmove(values, values + best * n, n * sizeof *values);
    *mask = values;
    *side = (int)t->dims[t->rank - 1];
    return WSAM_OK;
}

wsam_status wsam_mask_load(const char *path, float **mask, int *side, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_source *s;
    *mask = NULL;
    wsam_status status = ws_source_open(path, &s, error);
    if (status)
        return status;
    status = read_mask(s, mask, side, error);
    ws_source_close(s);
    return status;
}
