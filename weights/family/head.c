/* weights/family/head.c - a trained detection head: graph `head` [rois][features] -> predictors,
 * and per feature map `reduce_NAME` [cells][channels] -> principal components. */
#include <stdio.h>
#include <string.h>

#include "weights/family/head.h"

enum { MAX_CLASS_BYTES = 16384, MAX_MAPS = 4, MAX_ROWS = 1 << 20 };

int ws_is_head(const ws_source *source)
{
    return ws_source_find(source, "head.predictors.weight") != NULL;
}

static uint32_t dim(const ws_source *s, int d, const char *name)
{
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && d < t->rank ? t->dims[d] : 0;
}

static int note(ws_builder *b, const ws_source *s, const char *key, const char *meta)
{
    const char *text = ws_source_note_value(s, key);
    if (text)
        ws_meta_string(b, meta, text);
    return text != NULL;
}

static wsam_status class_names(ws_builder *b, const ws_source *s, wsam_error *error)
{
    char text[MAX_CLASS_BYTES + 1];
    const ws_source_tensor *t = ws_source_find(s, "classes");
    if (!t || t->rank != 1 || t->dims[0] > MAX_CLASS_BYTES)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: a head without class names", s->path);
    const wsam_status status = ws_source_bytes(s, t->offset, text, t->dims[0], error);
    if (status)
        return status;
    text[t->dims[0]] = 0;
    if (strlen(text) != t->dims[0])
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: class names with zero bytes", s->path);
    ws_meta_string(b, "head.classes", text);
    return WSAM_OK;
}

static ws_ref stored_linear(ws_builder *b, ws_role role, const char *name, ws_ref x, uint32_t n,
                            uint32_t k)
{
    const int w = ws_need_2d(b, n, k, "%s.weight", name), bias = ws_need_1d(b, n, "%s.bias", name);
    return ws_linear(b, name, x, ws_store(b, role, w), ws_store(b, WS_ROLE_EXACT, bias));
}

static ws_ref rows_input(ws_builder *b, const char *symbol, const char *name, uint32_t columns)
{
    const int32_t dims[2] = {-1 - (int32_t)ws_symbol(b, symbol, 1, MAX_ROWS, 1), (int32_t)columns};
    return ws_input(b, name, WSAM_F32, WSAM_RATE_IMAGE, 2, dims);
}

/* The comma-separated names of the maps; a projection stays f32 in every file. */
static void describe_maps(ws_builder *b, const ws_source *s, const char *names)
{
    while (*names) {
        char name[32], tensor[64];
        const size_t n = strcspn(names, ",");
        snprintf(name, sizeof name, "reduce_%.*s", (int)(n < 16 ? n : 16), names);
        snprintf(tensor, sizeof tensor, "%s.weight", name);
        const uint32_t out = dim(s, 0, tensor), in = dim(s, 1, tensor);
        ws_graph_begin(b, name);
        const ws_ref x = rows_input(b, "cells", "map", in);
        ws_output(b, "reduced", stored_linear(b, WS_ROLE_EXACT, name, x, out, in));
        names += n + (names[n] == ',');
    }
}

wsam_status ws_describe_head(ws_builder *b, const ws_source *s, wsam_error *error)
{
    static const char *const layers[2] = {"head.neck1", "head.neck2"};
    const char *maps = ws_source_note_value(s, "weaksam.maps");
    ws_meta_string(b, "model.family", "detection_head");
    if (!maps || !note(b, s, "weaksam.stage", "head.stage") ||
        !note(b, s, "weaksam.bins", "head.bins") || !note(b, s, "weaksam.maps", "head.maps"))
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: a head without stage, bins or maps", s->path);
    note(b, s, "weaksam.sides", "head.sides"); /* heads of older versions have none */
    const wsam_status status = class_names(b, s, error);
    if (status)
        return status;
    ws_graph_begin(b, "head");
    ws_ref x = rows_input(b, "rois", "rois", dim(s, 1, "head.neck1.weight"));
    for (int i = 0; i < 2; i++) {
        char weight[32];
        snprintf(weight, sizeof weight, "%s.weight", layers[i]);
        x = stored_linear(b, WS_ROLE_LINEAR, layers[i], x, dim(s, 0, weight), dim(s, 1, weight));
        x = ws_activation(b, i ? "head.relu2" : "head.relu1", x, "relu");
    }
    x = stored_linear(b, WS_ROLE_LINEAR, "head.predictors", x, dim(s, 0, "head.predictors.weight"),
                      dim(s, 1, "head.predictors.weight"));
    ws_output(b, "predictions", x);
    describe_maps(b, s, maps);
    return WSAM_OK;
}
