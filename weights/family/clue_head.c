/* weights/family/clue_head.c - a trained clue head: graph `clue_head` [cells][channels] of
 * normalised tokens -> the values of pipeline/tokens/clue_loss.h. All of it stays f32 in every
 * file: it is small, and its maps are looked at in detail. */
#include "weights/family/clue_head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CLASS_BYTES = 16384, MAX_CLASSES = 1000, MAX_CELLS = 1 << 20 };

int ws_is_clue_head(const ws_source *source)
{
    return ws_source_find(source, "clue_head.values.weight") != NULL;
}

static uint32_t dim(const ws_source *s, int d, const char *name)
{
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && d < t->rank ? t->dims[d] : 0;
}

/* Lines of text as a list. */
static wsam_status put_classes(ws_builder *b, const ws_source *s, wsam_error *error)
{
    const char *names[MAX_CLASSES];
    char text[MAX_CLASS_BYTES + 1];
    size_t n = 0;
    const ws_source_tensor *t = ws_source_find(s, "classes");
    if (!t || t->rank != 1 || t->dims[0] > MAX_CLASS_BYTES)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: a clue head without class names", s->path);
    const wsam_status status = ws_source_bytes(s, t->offset, text, t->dims[0], error);
    if (status)
        return status;
    text[t->dims[0]] = 0;
    const int whole = strlen(text) == t->dims[0];
    for (char *at = text; at && n < MAX_CLASSES; n++) {
        names[n] = at;
        at = strchr(at, '\n');
        if (at)
            *at++ = 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!whole || !*names[i] || strlen(names[i]) > WS_CAP_NAME)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: class name %zu is empty or too long",
                           s->path, i);
    ws_meta_strings(b, "classes", n, names);
    return WSAM_OK;
}

static ws_ref layer(ws_builder *b, const ws_source *s, const char *name, ws_ref x)
{
    char weight[48];
    snprintf(weight, sizeof weight, "%s.weight", name);
    const uint32_t n = dim(s, 0, weight), k = dim(s, 1, weight);
    const int w = ws_need_2d(b, n, k, "%s", weight), bias = ws_need_1d(b, n, "%s.bias", name);
    return ws_linear(b, name, x, ws_store(b, WS_ROLE_EXACT, w), ws_store(b, WS_ROLE_EXACT, bias));
}

wsam_status ws_describe_clue_head(ws_builder *b, const ws_source *s, wsam_error *error)
{
    const char *side = ws_source_note_value(s, "weaksam.side");
    const wsam_status status = put_classes(b, s, error);
    if (status)
        return status;
    if (!side)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: a clue head without its image size", s->path);
    ws_meta_string(b, "model.family", "clue_head");
    ws_meta_int(b, "clue_head.side", strtol(side, NULL, 10));
    ws_graph_begin(b, "clue_head");
    const int32_t dims[2] = {-1 - (int32_t)ws_symbol(b, "cells", 1, MAX_CELLS, 1),
                             (int32_t)dim(s, 1, "clue_head.embed.weight")};
    ws_ref x = ws_input(b, "tokens", WSAM_F32, WSAM_RATE_IMAGE, 2, dims);
    x = ws_activation(b, "clue_head.gelu", layer(b, s, "clue_head.embed", x), "gelu");
    ws_output(b, "values", layer(b, s, "clue_head.values", x));
    return WSAM_OK;
}
