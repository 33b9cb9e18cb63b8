/* pipeline/segment/result.c - results as JSON, tensors, mask pictures and an overlay. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/picture/picture.h"
#include "pipeline/segment/overlay.h"
#include "weaksam/segment.h"
#include "weights/export/safetensors_writer.h"

/* ---- JSON ---- */

/* Nine digits give every f32 back. */
static void put_score(ws_text *t, const char *name, float value)
{
    if (isfinite(value))
        ws_text_printf(t, "\"%s\":%.9g,", name, (double)value);
    else
        ws_text_printf(t, "\"%s\":null,", name);
}

static void put_counts(ws_text *t, const wsam_rle *rle)
{
    const size_t n = wsam_rle_to_string(rle, NULL, 0);
    char *text = malloc(n + 1);
    if (!text) {
        t->failed = 1;
        return;
    }
    wsam_rle_to_string(rle, text, n);
    ws_json_bytes(t, text, n);
    free(text);
}

static void put_mask(ws_text *t, const wsam_mask *m, const char *id)
{
    ws_text_printf(t, "{\"prompt\":");
    if (id)
        ws_text_put(t, id, strlen(id));
    else
        ws_text_printf(t, "%zu", m->prompt);
    ws_text_printf(t, ",\"mask\":%d,", m->index);
    put_score(t, "predicted_iou", m->predicted_iou);
    put_score(t, "stability_score", m->stability_score);
    ws_text_printf(t, "\"area\":%llu,\"bbox\":[%d,%d,%d,%d],", (unsigned long long)m->area,
                   m->bbox[0], m->bbox[1], m->bbox[2], m->bbox[3]);
    ws_text_printf(t, "\"segmentation\":{\"size\":[%d,%d],\"counts\":", m->rle.height,
                   m->rle.width);
    put_counts(t, &m->rle);
    ws_text_put(t, "}}", 2);
}

wsam_status wsam_result_json(const wsam_result *r, char *const *ids, char **json)
{
    WS_FLOAT_SCOPE;
    ws_text t = {0};
    ws_text_put(&t, "[", 1);
    for (size_t i = 0; i < r->n; i++) {
        if (i)
            ws_text_put(&t, ",\n", 2);
        put_mask(&t, &r->masks[i], ids ? ids[r->masks[i].prompt] : NULL);
    }
    ws_text_put(&t, "]\n", 2);
    return ws_text_take(&t, json);
}

static wsam_status check_masks(const wsam_result *r, wsam_error *error)
{
    for (size_t i = 0; i < r->n; i++)
        if (!r->masks[i].rle.counts)
            return ws_fail(error, WSAM_ERR_ARGUMENT, "the result holds no full-size masks");
    return WSAM_OK;
}

/* Adds the file with all masks to `out`. */
static wsam_status add_json(const wsam_result *r, char *const *ids, const char *path,
                            ws_outputs *out, wsam_error *error)
{
    char *text;
    if (wsam_result_json(r, ids, &text))
        return ws_no_memory(error, path);
    FILE *f = ws_outputs_open(out, path, error);
    if (f)
        fputs(text, f);
    free(text);
    return f ? ws_outputs_close(out, error) : WSAM_ERR_IO;
}

wsam_status wsam_result_save_json(const wsam_result *r, char *const *ids, const char *path,
                                  wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_outputs out = {0};
    wsam_status status = check_masks(r, error);
    if (!status)
        status = add_json(r, ids, path, &out, error);
    return ws_outputs_finish(&out, status, error);
}

/* ---- tensors ---- */

wsam_status wsam_result_save_tensors(const wsam_result *r, const char *path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_tensors t = {0};
    float *iou = malloc((r->n + 1) * sizeof *iou);
    if (!iou)
        return ws_no_memory(error, path);
    if (!r->n || !r->masks[0].low_res) {
        free(iou);
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: the result holds no logits", path);
    }
    ws_tensors_note_int(&t, "height", r->height);
    ws_tensors_note_int(&t, "width", r->width);
    for (size_t i = 0; i < r->n; i++)
        iou[i] = r->masks[i].predicted_iou;
    for (size_t p = 0; p < r->n_prompts; p++) {
        char name[2][40] = {"iou", "low_res"};
        const size_t first = r->first[p];
        const int dims[3] = {(int)(r->first[p + 1] - first), r->low_h, r->low_w};
        if (r->n_prompts > 1) {
            snprintf(name[0], sizeof name[0], "iou.%zu", p);
            snprintf(name[1], sizeof name[1], "low_res.%zu", p);
        }
        ws_tensors_add(&t, name[0], 1, dims, iou + first);
        ws_tensors_add(&t, name[1], 3, dims, r->masks[first].low_res);
    }
    const wsam_status status = ws_tensors_save(&t, path, error);
    free(iou);
    return status;
}

/* ---- pictures ---- */

static size_t best_of(const wsam_result *r, size_t prompt)
{
    size_t best = r->first[prompt];
    for (size_t i = best + 1; i < r->first[prompt + 1]; i++)
        if (r->masks[i].predicted_iou > r->masks[best].predicted_iou)
            best = i;
    return best;
}

wsam_status wsam_result_overlay(const wsam_result *r, const wsam_picture *picture,
                                wsam_picture *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    uint8_t *pixels;
    memset(out, 0, sizeof *out);
    wsam_status status = ws_picture_valid(picture, error);
    if (!status)
        status = check_masks(r, error);
    if (status)
        return status;
    if (picture->height != r->height || picture->width != r->width)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "overlay: an image of %d x %d, masks of %d x %d",
                       picture->width, picture->height, r->width, r->height);
    status = ws_picture_new(r->height, r->width, out, &pixels, error);
    if (status)
        return status;
    uint8_t *mask = malloc((size_t)r->height * (size_t)r->width);
    if (!mask) {
        wsam_picture_free(out);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an overlay");
    }
    ws_overlay_begin(picture, pixels);
    for (size_t p = 0; p < r->n_prompts; p++) {
        int rgb[3];
        ws_overlay_colour(p, rgb);
        wsam_rle_decode(&r->masks[best_of(r, p)].rle, 1, mask, (size_t)r->width);
        ws_overlay_mask(mask, r->height, r->width, rgb, pixels);
    }
    free(mask);
    return WSAM_OK;
}

/* ---- a folder ---- */

static wsam_status add_picture(const wsam_picture *picture, const char *path, ws_outputs *out,
                               wsam_error *error)
{
    FILE *f = ws_outputs_open(out, path, error);
    if (!f)
        return WSAM_ERR_IO;
    const wsam_status status = ws_png_write(picture, f, error);
    return status ? status : ws_outputs_close(out, error);
}

static wsam_status add_masks(const wsam_result *r, const char *folder, char *path, size_t size,
                             ws_outputs *out, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    uint8_t *bytes = malloc((size_t)r->height * (size_t)r->width);
    if (!bytes)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    const wsam_picture mask = {r->height, r->width, 1, (size_t)r->width, bytes, NULL};
    for (size_t i = 0; i < r->n && !status; i++) {
        const wsam_mask *m = &r->masks[i];
        snprintf(path, size, "%s/mask_%zu_%d.png", folder, m->prompt, m->index);
        wsam_rle_decode(&m->rle, 255, bytes, (size_t)r->width);
        status = add_picture(&mask, path, out, error);
    }
    free(bytes);
    return status;
}

static wsam_status add_overlay(const wsam_result *r, const wsam_picture *picture, const char *path,
                               ws_outputs *out, wsam_error *error)
{
    wsam_picture overlay;
    wsam_status status = wsam_result_overlay(r, picture, &overlay, error);
    if (!status)
        status = add_picture(&overlay, path, out, error);
    wsam_picture_free(&overlay);
    return status;
}

wsam_status wsam_result_save_folder(const wsam_result *r, char *const *ids,
                                    const wsam_picture *picture, const char *folder,
                                    wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_outputs out = {0};
    const size_t size = strlen(folder) + 80;
    char *path = malloc(size);
    if (!path)
        return ws_no_memory(error, folder);
    wsam_status status = check_masks(r, error);
    if (!status)
        status = ws_outputs_folder(&out, folder, error);
    if (!status)
        status = add_masks(r, folder, path, size, &out, error);
    snprintf(path, size, "%s/masks.json", folder);
    if (!status)
        status = add_json(r, ids, path, &out, error);
    snprintf(path, size, "%s/overlay.png", folder);
    if (!status && picture)
        status = add_overlay(r, picture, path, &out, error);
    free(path);
    return ws_outputs_finish(&out, status, error);
}

/* ---- memory ---- */

/* The memory of all logits starts at the first mask's. */
void wsam_result_free(wsam_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; result->masks && i < result->n; i++)
        free(result->masks[i].rle.counts);
    if (result->masks && result->n) {
        float *low_res;
        memcpy(&low_res, &result->masks[0].low_res, sizeof low_res);
        free(low_res);
    }
    free(result->masks);
    free(result->first);
    free(result);
}
