/* weights/family/region_clues.c - what was learnt of regions: graph `regions`, numbers of regions
 * [rois][features] -> class and attention values [rois][2 * classes], the sum of several networks. All of it stays f32 in every
 * file: the first layer has the numbers' different scales in its weights. */
#include "weights/family/region_clues.h"

#include <stdio.h>
#include <string.h>

enum { MAX_CLASS_BYTES = 16384, MAX_ROWS = 1 << 20, MAX_MEMBERS = 16 };

int ws_is_region_clues(const ws_source *source)
{
    return ws_source_find(source, "regions.predictors.weight") != NULL;
}

static uint32_t dim(const ws_source *s, int d, const char *layer)
{
    char name[64];
    snprintf(name, sizeof name, "%s.weight", layer);
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && d < t->rank ? t->dims[d] : 0;
}

static wsam_status put_text(ws_builder *b, const ws_source *s, const char *tensor, const char *key,
                            wsam_error *error)
{
    char text[MAX_CLASS_BYTES + 1];
    const ws_source_tensor *t = ws_source_find(s, tensor);
    if (!t || t->rank != 1 || t->dims[0] > MAX_CLASS_BYTES)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: region clues without '%s'", s->path, tensor);
    const wsam_status status = ws_source_bytes(s, t->offset, text, t->dims[0], error);
    if (status)
        return status;
    text[t->dims[0]] = 0;
    if (strlen(text) != t->dims[0])
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%s' with zero bytes", s->path, tensor);
    ws_meta_string(b, key, text);
    return WSAM_OK;
}

/* Class names, and which classes show by their parts; files of before do not say. */
static wsam_status put_classes(ws_builder *b, const ws_source *s, wsam_error *error)
{
    const wsam_status status = put_text(b, s, "classes", "regions.classes", error);
    return status || !ws_source_find(s, "parts") ? status
                                                 : put_text(b, s, "parts", "regions.parts", error);
}

static ws_ref layer(ws_builder *b, const ws_source *s, const char *member, const char *layer_name,
                    ws_ref x)
{
    char name[48];
    snprintf(name, sizeof name, "%s.%s", member, layer_name);
    const uint32_t n = dim(s, 0, name), k = dim(s, 1, name);
    const int weight = ws_need_2d(b, n, k, "%s.weight", name),
              bias = ws_need_1d(b, n, "%s.bias", name);
    return ws_linear(b, name, x, ws_store(b, WS_ROLE_EXACT, weight),
                     ws_store(b, WS_ROLE_EXACT, bias));
}

static int has_member(const ws_source *s, const char *member)
{
    char name[48];
    snprintf(name, sizeof name, "%s.predictors.weight", member);
    return ws_source_find(s, name) != NULL;
}

static ws_ref describe_member(ws_builder *b, const ws_source *s, const char *member, ws_ref x)
{
    char name[32];
    snprintf(name, sizeof name, "%s.relu1", member);
    x = ws_activation(b, name, layer(b, s, member, "neck1", x), "relu");
    snprintf(name, sizeof name, "%s.relu2", member);
    x = ws_activation(b, name, layer(b, s, member, "neck2", x), "relu");
    return layer(b, s, member, "predictors", x);
}

wsam_status ws_describe_region_clues(ws_builder *b, const ws_source *s, wsam_error *error)
{
    static const char *const notes[][2] = {{"weaksam.groups", "regions.groups"},
                                           {"weaksam.segmenter", "regions.segmenter"},
                                           {"weaksam.network", "regions.network"}};
    ws_meta_string(b, "model.family", "region_clues");
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++) {
        const char *text = ws_source_note_value(s, notes[i][0]);
        if (!text)
            return ws_fail(error, WSAM_ERR_MISMATCH, "%s: region clues without '%s'", s->path,
                           notes[i][0]);
        ws_meta_string(b, notes[i][1], text);
    }
    const wsam_status status = put_classes(b, s, error);
    if (status)
        return status;
    ws_graph_begin(b, "regions");
    char numbers[16], member[24] = "regions";
    snprintf(numbers, sizeof numbers, "%u", dim(s, 1, "regions.neck1"));
    ws_meta_string(b, "regions.features", numbers);
    const int32_t dims[2] = {-1 - (int32_t)ws_symbol(b, "rois", 1, MAX_ROWS, 1),
                             (int32_t)dim(s, 1, "regions.neck1")};
    const ws_ref rois = ws_input(b, "rois", WSAM_F32, WSAM_RATE_IMAGE, 2, dims);
    ws_ref sum = describe_member(b, s, member, rois);
    for (int i = 1; i < MAX_MEMBERS; i++) {
        snprintf(member, sizeof member, "regions%d", i);
        if (!has_member(s, member))
            break;
        sum = ws_add(b, member, describe_member(b, s, member, rois), sum);
    }
    ws_output(b, "predictions", sum);
    return WSAM_OK;
}
