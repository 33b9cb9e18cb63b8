/* runtime/graph/role_signature.c - see role_signature.h. */
#include "runtime/graph/role_signature.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A shape is a list of sizes, each a product of numbers and names. A letter is a size that takes
 * its value where it first stands alone: a capital one is the same in all graphs of the file and at
 * all dimensions ("E"), a small one in one graph at some dimensions ("h"). Other names are symbols
 * of the graph ("height"), integers of the metadata ("picture.size") or derived from the metadata
 * ("@predictions"). Behind a product, "/n" divides by the number n and rounds up. */
typedef struct port {
    const char *name; /* one that ends with '*': every one with a number in its place */
    const char *shape;
    wsam_type type;
    wsam_rate rate;
    int optional;
} port;

enum { INPUTS = 4, OUTPUTS = 16 };

typedef struct role {
    const char *graph;
    port inputs[INPUTS], outputs[OUTPUTS];
} role;

#define DECODER_INPUTS                                                                             \
    {"embedding", "G,G,E", WSAM_F32, IMAGE, 0}, {"points", "n,2", WSAM_F32, PROMPT, 0},            \
    {                                                                                              \
        "labels", "n", WSAM_S32, PROMPT, 0                                                         \
    }
#define DECODER_OUTPUTS                                                                            \
    {"iou", "masks", WSAM_F32, PROMPT, 0},                                                         \
    {                                                                                              \
        "low_res", "masks,4*G,4*G", WSAM_F32, PROMPT, 0                                            \
    }

#define IMAGE  WSAM_RATE_IMAGE
#define PROMPT WSAM_RATE_PROMPT

/* Level of a feature pyramid: what the RPN says of each of its cells. */
#define RPN_LEVEL(level, of)                                                                       \
    {"rpn_objectness_" level, "height" of ",width" of ",A", WSAM_F32, IMAGE, 0},                   \
    {                                                                                              \
        "rpn_deltas_" level, "height" of ",width" of ",4*A", WSAM_F32, IMAGE, 0                    \
    }

static const role roles[] = {
    {"image_encoder",
     {{"image", "picture.size,picture.size,3", WSAM_F32, IMAGE, 0}},
     {{"embedding", "G,G,E", WSAM_F32, IMAGE, 0}}},
    {"mask_decoder", {DECODER_INPUTS}, {DECODER_OUTPUTS}},
    {"mask_decoder_with_mask",
     {DECODER_INPUTS, {"mask", "prompt.mask_size,prompt.mask_size,1", WSAM_F32, PROMPT, 0}},
     {DECODER_OUTPUTS}},
    {"clues",
     {{"image", "height,width,3", WSAM_F32, IMAGE, 0}},
     {{"logits", "C", WSAM_F32, IMAGE, 0},
      {"coarse", "h,w,C", WSAM_F32, IMAGE, 0},
      {"fine", "h,w,C", WSAM_F32, IMAGE, 0},
      {"tokens", "h,w,D", WSAM_F32, IMAGE, 1},
      {"cross_*", "H,C,h,w", WSAM_F32, IMAGE, 1}}},
    {"backbone",
     {{"image", "height,width,3", WSAM_F32, IMAGE, 0}},
     {{"patch_tokens", "h,w,D", WSAM_F32, IMAGE, 0},
      {"class_token", "D", WSAM_F32, IMAGE, 0},
      {"attention", "H,1,h,w", WSAM_F32, IMAGE, 0}}},
    {"head",
     {{"rois", "rois,f", WSAM_F32, IMAGE, 0}},
     {{"predictions", "rois,@predictions", WSAM_F32, IMAGE, 0}}},
    {"clue_head",
     {{"tokens", "cells,t", WSAM_F32, IMAGE, 0}},
     {{"values", "cells,v", WSAM_F32, IMAGE, 0}}},
    {"reduce_*",
     {{"map", "cells,c", WSAM_F32, IMAGE, 0}},
     {{"reduced", "cells,r", WSAM_F32, IMAGE, 0}}},
    {"detector",
     {{"image", "height,width,3", WSAM_F32, IMAGE, 0}},
     {{"fpn_0", "height/4,width/4,E", WSAM_F32, IMAGE, 0},
      {"fpn_1", "height/8,width/8,E", WSAM_F32, IMAGE, 0},
      {"fpn_2", "height/16,width/16,E", WSAM_F32, IMAGE, 0},
      {"fpn_3", "height/32,width/32,E", WSAM_F32, IMAGE, 0},
      {"fpn_pool", "height/64,width/64,E", WSAM_F32, IMAGE, 0},
      RPN_LEVEL("0", "/4"),
      RPN_LEVEL("1", "/8"),
      RPN_LEVEL("2", "/16"),
      RPN_LEVEL("3", "/32"),
      RPN_LEVEL("4", "/64")}},
    {"detector_boxes",
     {{"roi", "detector.bins,detector.bins,E", WSAM_F32, PROMPT, 0}},
     {{"class_logits", "detector.slots", WSAM_F32, PROMPT, 0},
      {"box_regression", "4*detector.deltas", WSAM_F32, PROMPT, 0}}},
    {"detector_masks",
     {{"roi", "detector.mask_bins,detector.mask_bins,E", WSAM_F32, PROMPT, 0}},
     {{"mask_logits", "2*detector.mask_bins,2*detector.mask_bins,detector.mask_classes", WSAM_F32,
       PROMPT, 0}}},
    {"mist_map",
     {{"image", "height,width,3", WSAM_F32, IMAGE, 0}},
     {{"features", "height/8,width/8,E", WSAM_F32, IMAGE, 0}}},
    {"mist_boxes",
     {{"roi", "mist.bins,mist.bins,E", WSAM_F32, PROMPT, 0}},
     {{"class_logits", "3*mist.slots", WSAM_F32, PROMPT, 0},
      {"box_regression", "4*mist.slots", WSAM_F32, PROMPT, 0}}},
};

/* ---- names ---- */

/* "cross_*" fits "cross_0" and "reduce_*" fits "reduce_clue": at least one letter or digit. */
static int fits(const char *pattern, const char *name)
{
    const size_t n = strlen(pattern);
    if (pattern[n - 1] != '*')
        return strcmp(pattern, name) == 0;
    return strncmp(pattern, name, n - 1) == 0 && name[n - 1];
}

static const role *role_of(const char *graph)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (fits(roles[i].graph, graph))
            return &roles[i];
    return NULL;
}

/* Numbers that a detection head gives per RoI: 5 or, of the stage "mil", 17 for every class and the
 * background. -1: the metadata do not say. */
static int64_t predictions(const ws_file *f)
{
    const ws_metadata *stage = ws_weight_file_metadata(f, "head.stage");
    const ws_metadata *classes = ws_weight_file_metadata(f, "head.classes");
    int64_t n = 2;
    if (!stage || stage->kind != WS_META_STRING || !classes || classes->kind != WS_META_STRING)
        return -1;
    for (const char *at = classes->string; *at; at++)
        n += *at == '\n';
    return n * (strcmp(stage->string, "mil") == 0 ? 17 : 5);
}

/* What is known while one graph is checked. */
typedef struct check {
    const ws_file *file;
    const ws_graph_def *graph;
    const ws_dims *dims;
    const ws_value *values;
    ws_role_sizes *shared, local;
} check;

/* Upper case: a size of the file. */
static ws_role_sizes *sizes_of(check *c, const char *name)
{
    return isupper((unsigned char)name[0]) ? c->shared : &c->local;
}

static int is_letter(const char *name)
{
    return isalpha((unsigned char)name[0]) && !name[1];
}

/* The value of a name, or -1. */
static int64_t value_of(check *c, const char *name)
{
    const ws_role_sizes *sizes = sizes_of(c, name);
    if (isdigit((unsigned char)name[0]))
        return strtoll(name, NULL, 10);
    if (name[0] == '@')
        return predictions(c->file);
    for (size_t i = 0; is_letter(name) && i < sizes->n; i++)
        if (sizes->sizes[i].name == name[0])
            return sizes->sizes[i].size;
    for (uint32_t i = 0; !is_letter(name) && i < c->graph->n_symbols; i++)
        if (strcmp(c->graph->symbols[i].name, name) == 0)
            return c->dims->symbols[i];
    const ws_metadata *d = is_letter(name) ? NULL : ws_weight_file_metadata(c->file, name);
    return d && d->kind == WS_META_INT ? d->integer : -1;
}

static int define(check *c, const char *name, int64_t size)
{
    ws_role_sizes *to = sizes_of(c, name);
    if (!is_letter(name) || to->n == WS_ROLE_SIZES)
        return 0;
    to->sizes[to->n].name = name[0];
    to->sizes[to->n++].size = size;
    return 1;
}

/* ---- shapes ---- */

/* Whether a dimension is what the text of its size says. */
static int is_size(check *c, const char *text, int64_t dim)
{
    int64_t size = 1;
    if (is_letter(text) && value_of(c, text) < 0 && !define(c, text, dim))
        return 0;
    for (;;) {
        char word[32];
        const size_t n = strcspn(text, "*/");
        snprintf(word, sizeof word, "%.*s", (int)n, text);
        const int64_t value = value_of(c, word);
        if (value < 0 || value > WS_CAP_DIM)
            return 0;
        size *= value;
        if (text[n] == '/') {
            const int64_t by = strtoll(text + n + 1, NULL, 10);
            return (size + by - 1) / by == dim;
        }
        if (!text[n])
            return size == dim;
        text += n + 1;
    }
}

static int has_shape(check *c, const char *text, const ws_shape *shape)
{
    for (int d = 0; d < shape->rank; d++) {
        char size[64];
        const size_t n = strcspn(text, ",");
        snprintf(size, sizeof size, "%.*s", (int)n, text);
        if (!n || !is_size(c, size, shape->dims[d]))
            return 0;
        text += n + (text[n] == ',');
    }
    return !*text;
}

static wsam_status check_port(check *c, const port *p, const char *kind, const char *name,
                              const ws_value *v, wsam_error *error)
{
    char is[64] = "";
    if (v->type == p->type && v->rate == p->rate && has_shape(c, p->shape, &v->shape))
        return WSAM_OK;
    for (int d = 0; d < v->shape.rank; d++) {
        const size_t n = strlen(is);
        snprintf(is + n, sizeof is - n, "%s%lld", d ? "," : "", (long long)v->shape.dims[d]);
    }
    return ws_fail(error, WSAM_ERR_FORMAT, "%s: graph %s: %s '%s' is %s%s [%s], expected %s [%s]",
                   c->file->path, c->graph->name, kind, name,
                   v->rate == WSAM_RATE_PROMPT  ? "per prompt"
                   : v->rate == WSAM_RATE_IMAGE ? "per image"
                                                : "constant",
                   v->type == WSAM_F32 ? "" : ", not f32", is,
                   p->rate == WSAM_RATE_PROMPT ? "per prompt" : "per image", p->shape);
}

static const port *input_port(const role *r, const char *name)
{
    for (const port *p = r->inputs; p < r->inputs + INPUTS && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

/* Names of inputs are unique, so as many known ones as the role has are all of the role's: a
 * pipeline gives these and no other. */
static wsam_status check_inputs(check *c, const role *r, wsam_error *error)
{
    uint32_t wanted = 0;
    while (wanted < INPUTS && r->inputs[wanted].name)
        wanted++;
    if (c->graph->n_inputs != wanted)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: graph %s has %u inputs, expected %u",
                       c->file->path, c->graph->name, c->graph->n_inputs, wanted);
    for (uint32_t i = 0; i < wanted; i++) {
        const char *name = c->graph->inputs[i].name;
        const port *p = input_port(r, name);
        if (!p)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: graph %s: no pipeline gives input '%s'",
                           c->file->path, c->graph->name, name);
        const wsam_status status = check_port(c, p, "input", name, &c->values[i], error);
        if (status)
            return status;
    }
    return WSAM_OK;
}

/* Outputs that the role does not name are nobody's business. */
static wsam_status check_outputs(check *c, const role *r, wsam_error *error)
{
    for (const port *p = r->outputs; p < r->outputs + OUTPUTS && p->name; p++) {
        int found = 0;
        for (uint32_t i = 0; i < c->graph->n_outputs; i++) {
            const ws_output_def *out = &c->graph->outputs[i];
            if (!fits(p->name, out->name))
                continue;
            const wsam_status status =
                check_port(c, p, "output", out->name, &c->values[out->ref], error);
            if (status)
                return status;
            found = 1;
        }
        if (!found && !p->optional)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: graph %s has no output '%s'", c->file->path,
                           c->graph->name, p->name);
    }
    return WSAM_OK;
}

wsam_status ws_role_signature_check(const ws_file *file, const ws_graph_def *graph,
                                    const ws_dims *dims, const ws_value *values,
                                    ws_role_sizes *sizes, wsam_error *error)
{
    const role *r = role_of(graph->name);
    check c = {file, graph, dims, values, sizes, {0}};
    if (!r)
        return WSAM_OK;
    const wsam_status status = check_inputs(&c, r, error);
    return status ? status : check_outputs(&c, r, error);
}
