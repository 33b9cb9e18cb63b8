/* weights/family/mist.c - MIST's graphs: the map of an image, and the heads on one pooled box
 * (wetectron modeling/backbone/vgg16.py, roi_heads/weak_head). Of the training's streams only the
 * refinement heads are used; the means over them that are linear are taken here. */
#include "weights/family/mist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weights/family/family.h"

enum { STEP = 32, MOST_SIDE = 8192, UNIT = 1 };

/* One convolution: its place in `features`, what comes behind it. */
typedef struct layer {
    int index;
    int pool, dilation, last;
} layer;

static const layer layers[WS_MIST_CONVS] = {
    {0, 0, 1, 0},  {2, 1, 1, 0},  {5, 0, 1, 0},  {7, 1, 1, 0},  {10, 0, 1, 0},
    {12, 0, 1, 0}, {14, 1, 1, 0}, {17, 0, 1, 0}, {19, 0, 1, 0}, {21, 0, 1, 0},
    {24, 0, 2, 0}, {26, 0, 2, 0}, {28, 0, 2, 1}};

#define FEATURES   "backbone.body.features."
#define CLASSIFIER "roi_heads.feature_extractor.classifier."
#define PREDICTOR  "roi_heads.predictor."

/* ---- from the checkpoint ---- */

static uint32_t dim(const ws_source *s, int d, const char *name)
{
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && d < t->rank ? t->dims[d] : 0;
}

int ws_family_mist_matches(const ws_source *s)
{
    return ws_source_find(s, FEATURES "0.weight") && ws_source_find(s, PREDICTOR "ref1.weight");
}

wsam_status ws_family_mist_detect(const ws_source *s, const wsam_convert_options *o,
                                  ws_mist_config *c, char name[64], wsam_error *error)
{
    int good = 1;
    memset(c, 0, sizeof *c);
    for (int i = 0; i < WS_MIST_CONVS; i++) {
        char tensor[64];
        snprintf(tensor, sizeof tensor, FEATURES "%d.weight", layers[i].index);
        c->width[i] = dim(s, 0, tensor);
        good &= c->width[i] > 0 && c->width[i] <= 8192;
    }
    c->fc1 = dim(s, 0, CLASSIFIER "1.weight");
    c->fc2 = dim(s, 0, CLASSIFIER "4.weight");
    c->slots = dim(s, 0, PREDICTOR "ref1.weight");
    c->similarity[0] = dim(s, 0, "roi_heads.model_sim.mlp.0.weight");
    c->similarity[1] = dim(s, 0, "roi_heads.model_sim.mlp.2.weight");
    const uint32_t map = c->width[WS_MIST_CONVS - 1], pooled = dim(s, 1, CLASSIFIER "1.weight");
    while (good && (c->bins + 1) * (c->bins + 1) * map <= pooled && c->bins < 14)
        c->bins++;
    snprintf(name, 64, "mist_vgg16");
    if (!good || !c->fc1 || !c->fc2 || c->slots < 2 || c->slots > 65536 || !c->bins ||
        c->bins * c->bins * map != pooled)
        return ws_fail(
            error, WSAM_ERR_MISMATCH,
            "%s: looks like MIST's VGG16, but sizes that define it are missing or do not "
            "fit together",
            s->path);
    if (o->arch && strcmp(o->arch, "auto") != 0 && strcmp(o->arch, name) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: the tensors are those of %s, not of %.60s",
                       s->path, name, o->arch);
    if (o->n_classes && o->n_classes != c->slots - 1)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: %zu class names for %u classes", s->path,
                       o->n_classes, c->slots - 1);
    return WSAM_OK;
}

/* ---- recipes ---- */

/* [O,I,kh,kw] -> [O,kh,kw,I] with the last input channel first: the checkpoint wants BGR. */
static wsam_status make_reversed(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const uint32_t *d = ws_need_at(b, (size_t)r->need[0])->dims;
    const size_t o = d[0], c = d[1], taps = (size_t)d[2] * d[3];
    float *in = malloc(o * c * taps * sizeof *in);
    if (!in)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a convolution");
    const wsam_status status = ws_builder_fetch(b, r->need[0], in, error);
    for (size_t i = 0; !status && i < o; i++)
        for (size_t j = 0; j < c; j++)
            for (size_t t = 0; t < taps; t++)
                out[(i * taps + t) * c + c - 1 - j] = in[(i * c + j) * taps + t];
    free(in);
    return status;
}

/* Rows of all heads, one head behind the other. */
static wsam_status make_stacked(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int k = 0; k < WS_MIST_HEADS && !status; k++)
        status = ws_builder_fetch(b, r->need[k], out + k * r->arg[0], error);
    return status;
}

/* The mean of all heads; arg: elements of one. */
static wsam_status make_mean(ws_builder *b, const ws_recipe *r, float *out, wsam_error *error)
{
    const size_t n = (size_t)r->arg[0];
    float *in = malloc(n * sizeof *in);
    double *sum = calloc(n, sizeof *sum);
    wsam_status status =
        in && sum ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a box head");
    for (int k = 0; k < WS_MIST_HEADS && !status; k++) {
        status = ws_builder_fetch(b, r->need[k], in, error);
        for (size_t i = 0; i < n && !status; i++)
            sum[i] += (double)in[i];
    }
    for (size_t i = 0; i < n && !status; i++)
        out[i] = (float)(sum[i] / WS_MIST_HEADS);
    free(in);
    free(sum);
    return status;
}

/* ---- graphs ---- */

static ws_ref describe_conv(const ws_mist_config *c, ws_builder *b, int i, ws_ref x)
{
    char name[64], stored[80];
    const layer *l = &layers[i];
    const uint32_t in = i ? c->width[i - 1] : 3, dims[4] = {c->width[i], 3, 3, in};
    snprintf(name, sizeof name, FEATURES "%d", l->index);
    snprintf(stored, sizeof stored, "%s.weight", name);
    const int weight = ws_need_4d(b, c->width[i], in, 3, 3, "%s.weight", name);
    ws_recipe reversed = ws_builder_recipe_new(make_reversed);
    reversed.need[0] = weight;
    const ws_ref w = i ? ws_store_conv(b, WS_ROLE_LINEAR, weight)
                       : ws_store_made(b, WS_ROLE_EXACT, stored, 4, dims, &reversed);
    const ws_ref bias = ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, c->width[i], "%s.bias", name));
    x = ws_conv(b, name, x, w, bias, 1, l->dilation, 1);
    if (l->dilation > 1)
        ws_attr_int(b, "dilation", l->dilation);
    return l->last ? x : ws_activation(b, name, x, "relu");
}

static void describe_map(const ws_mist_config *c, ws_builder *b)
{
    ws_graph_begin(b, "mist_map");
    const uint32_t height = ws_symbol(b, "height", STEP, MOST_SIDE, STEP);
    const uint32_t width = ws_symbol(b, "width", STEP, MOST_SIDE, STEP);
    const int32_t image[3] = {-1 - (int32_t)height, -1 - (int32_t)width, 3};
    ws_ref x = ws_input(b, "image", WSAM_F32, WSAM_RATE_IMAGE, 3, image);
    for (int i = 0; i < WS_MIST_CONVS; i++) {
        x = describe_conv(c, b, i, x);
        if (layers[i].pool) {
            char name[32];
            snprintf(name, sizeof name, "pool.%d", i);
            x = ws_op(b, "max_pool2d", name, WS_UNARY_INPUTS, &x);
            ws_attr_int(b, "kernel", 2);
            ws_attr_int(b, "stride", 2);
        }
    }
    ws_output(b, "features", x);
}

static ws_ref describe_fc(ws_builder *b, const char *name, ws_ref x, uint32_t in, uint32_t out,
                          uint32_t cells)
{
    const int weight = ws_need_2d(b, out, in, "%s.weight", name);
    const ws_ref w = ws_store_channels_last(b, WS_ROLE_LINEAR, weight, cells);
    const ws_ref bias = ws_store(b, WS_ROLE_EXACT, ws_need_1d(b, out, "%s.bias", name));
    return ws_activation(b, name, ws_linear(b, name, x, w, bias), "relu");
}

/* All refinement heads as one product: their rows one behind the other, or their mean. */
static ws_ref describe_heads(ws_builder *b, const char *part, ws_ref x, uint32_t k, uint32_t rows,
                             int mean)
{
    char name[32];
    const uint32_t n = mean ? rows : WS_MIST_HEADS * rows, dims[2] = {n, k};
    ws_recipe weight = ws_builder_recipe_new(mean ? make_mean : make_stacked), bias = weight;
    for (int i = 0; i < WS_MIST_HEADS; i++) {
        weight.need[i] = ws_need_2d(b, rows, k, PREDICTOR "%s%d.weight", part, i + 1);
        bias.need[i] = ws_need_1d(b, rows, PREDICTOR "%s%d.bias", part, i + 1);
    }
    weight.arg[0] = (int64_t)rows * k;
    bias.arg[0] = rows;
    snprintf(name, sizeof name, "%s.weight", part);
    const ws_ref w = ws_store_made(b, WS_ROLE_EXACT, name, 2, dims, &weight);
    snprintf(name, sizeof name, "%s.bias", part);
    return ws_linear(b, part, x, w, ws_store_made(b, WS_ROLE_EXACT, name, 1, &n, &bias));
}

static void describe_boxes(const ws_mist_config *c, ws_builder *b)
{
    const uint32_t map = c->width[WS_MIST_CONVS - 1], cells = c->bins * c->bins;
    const int32_t roi[3] = {(int32_t)c->bins, (int32_t)c->bins, (int32_t)map};
    ws_graph_begin(b, "mist_boxes");
    ws_ref x = ws_input(b, "roi", WSAM_F32, WSAM_RATE_PROMPT, 3, roi);
    x = ws_op(b, "reshape", "pooled", WS_UNARY_INPUTS, &x);
    ws_attr_int(b, "dim0", (int64_t)cells * map);
    x = describe_fc(b, CLASSIFIER "1", x, cells * map, c->fc1, cells);
    x = describe_fc(b, CLASSIFIER "4", x, c->fc1, c->fc2, 1);
    ws_output(b, "class_logits", describe_heads(b, "ref", x, c->fc2, c->slots, 0));
    ws_output(b, "box_regression", describe_heads(b, "bbox_pred", x, c->fc2, 4 * c->slots, 1));
}

/* The streams and the head of training. */
static void describe_unused(const ws_mist_config *c, ws_builder *b)
{
    static const char *const streams[] = {"cls_score", "det_score"};
    for (int i = 0; i < 2; i++) {
        ws_need_unused(b, ws_need_2d(b, c->slots, c->fc2, PREDICTOR "%s.weight", streams[i]));
        ws_need_unused(b, ws_need_1d(b, c->slots, PREDICTOR "%s.bias", streams[i]));
    }
    for (uint32_t i = 0; i < 2 && c->similarity[0] && c->similarity[1]; i++) {
        const uint32_t n = c->similarity[i], k = i ? c->similarity[0] : c->fc2;
        ws_need_unused(b, ws_need_2d(b, n, k, "roi_heads.model_sim.mlp.%u.weight", 2 * i));
        ws_need_unused(b, ws_need_1d(b, n, "roi_heads.model_sim.mlp.%u.bias", 2 * i));
    }
}

void ws_describe_mist(const ws_mist_config *c, const char *name, ws_builder *b)
{
    const wsam_convert_options *o = ws_builder_options(b);
    const double unit = UNIT, mean[3] = {122.7717, 115.9465, 102.9801}, std[3] = {1.0, 1.0, 1.0};
    ws_meta_string(b, "model.family", name);
    ws_meta_numbers(b, "picture.unit", 1, &unit);
    ws_meta_numbers(b, "picture.mean", 3, mean);
    ws_meta_numbers(b, "picture.std", 3, std);
    ws_meta_int(b, "mist.bins", c->bins);
    ws_meta_int(b, "mist.slots", c->slots);
    ws_meta_int(b, "mist.min_side", c->slots == 81 ? 2 : 20);
    if (o->n_classes)
        ws_meta_strings(b, "classes", o->n_classes, o->classes);
    describe_map(c, b);
    describe_boxes(c, b);
    describe_unused(c, b);
}
