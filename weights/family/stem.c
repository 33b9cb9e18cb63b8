/* weights/family/stem.c - a convolutional stem in the place of a ViT's patch embedding: stages that
 * halve the picture with a 3x3 convolution of stride 2, each with residual pairs of 3x3
 * convolutions behind it, BatchNorm everywhere (Xiao et al. 2021, "Early convolutions help
 * transformers see better"; the pairs are ResNet's basic blocks). A 1x1 convolution to the ViT's
 * width follows. */
#include <stdio.h>

#include "weights/family/family.h"

static const ws_source_tensor *weight_of(const ws_source *s, uint32_t stage, int pair)
{
    char name[96];
    if (pair < 0)
        snprintf(name, sizeof name, WS_STEM "%u.down.c.weight", stage);
    else
        snprintf(name, sizeof name, WS_STEM "%u.res.%d.first.c.weight", stage, pair);
    const ws_source_tensor *t = ws_source_find(s, name);
    return t && t->rank == 4 ? t : NULL;
}

void ws_stem_detect(const ws_source *s, ws_stem_config *c)
{
    const ws_source_tensor *t;
    for (c->stages = 0; c->stages < WS_MAX_STEM; c->stages++) {
        if (!(t = weight_of(s, c->stages, -1)))
            return;
        c->width[c->stages] = t->dims[0];
        while (c->pairs[c->stages] < WS_MAX_DEPTH &&
               weight_of(s, c->stages, (int)c->pairs[c->stages]))
            c->pairs[c->stages]++;
    }
}

int ws_stem_sensible(const ws_stem_config *c)
{
    for (uint32_t i = 0; i < c->stages; i++)
        if (!c->width[i] || c->width[i] > 8192)
            return 0;
    return 1;
}

static ws_ref conv(ws_builder *b, const char *name, ws_ref x, uint32_t in, uint32_t out, int stride)
{
    const ws_conv_bn c = {"", name, in, out, 3, stride, 0};
    return ws_describe_conv_bn(b, WS_ROLE_FLOAT, x, &c);
}

static ws_ref describe_pair(ws_builder *b, ws_ref x, const char *prefix, uint32_t width)
{
    char name[96];
    snprintf(name, sizeof name, "%s.first", prefix);
    ws_ref y = ws_activation(b, name, conv(b, name, x, width, width, 1), "relu");
    snprintf(name, sizeof name, "%s.second", prefix);
    y = ws_add(b, name, conv(b, name, y, width, width, 1), x);
    return ws_activation(b, name, y, "relu");
}

ws_ref ws_describe_stem(ws_builder *b, ws_ref x, const ws_stem_config *c)
{
    uint32_t in = 3;
    char name[64];
    for (uint32_t i = 0; i < c->stages; i++) {
        snprintf(name, sizeof name, WS_STEM "%u.down", i);
        x = ws_activation(b, name, conv(b, name, x, in, c->width[i], 2), "relu");
        for (uint32_t j = 0; j < c->pairs[i]; j++) {
            snprintf(name, sizeof name, WS_STEM "%u.res.%u", i, j);
            x = describe_pair(b, x, name, c->width[i]);
        }
        in = c->width[i];
    }
    return x;
}
