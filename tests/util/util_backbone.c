#include "tests/util/util_backbone.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_vit.h"

typedef struct network {
    direct_vit vit;
    const char *mode;
    int patch, side, registers, h, w;
} network;

/* How much stored cell j counts for cell i of n, before normalisation; clamped taps add up. */
static double weight_of(const network *n, int size, int i, int j)
{
    const double step = (double)n->side / size;
    if (strcmp(n->mode, "antialias") == 0) {
        const double wide = step > 1.0 ? step : 1.0, centre = (i + 0.5) * step;
        const int low = (int)fmax(centre - 2.0 * wide + 0.5, 0.0);
        const int high = (int)fmin(centre + 2.0 * wide + 0.5, n->side);
        return j < low || j >= high ? 0.0 : vit_cubic(-0.5, (j - centre + 0.5) / wide);
    }
    const double factor = strcmp(n->mode, "size") == 0 ? step : n->side / (size + 0.1);
    const double at = (i + 0.5) * factor - 0.5;
    double sum = 0.0;
    for (int k = (int)floor(at) - 1; k <= (int)floor(at) + 2; k++)
        if ((k < 0 ? 0 : (k >= n->side ? n->side - 1 : k)) == j)
            sum += vit_cubic(-0.75, at - k);
    return sum;
}

/* Channel c of the position table at (y, x); antialias normalises, the others add up to 1. */
static double position(const network *n, const double *table, int y, int x, int c)
{
    double sum = 0.0, total = 0.0;
    if (n->h == n->side && n->w == n->side)
        return table[(y * n->side + x) * n->vit.width + c];
    for (int j = 0; j < n->side; j++)
        for (int i = 0; i < n->side; i++) {
            const double w = weight_of(n, n->h, y, j) * weight_of(n, n->w, x, i);
            total += w;
            sum += w * table[(j * n->side + i) * n->vit.width + c];
        }
    return sum / total;
}

static void embed(network *n, const float *image, int width)
{
    const int d = n->vit.width, p = n->patch, first = 1 + n->registers;
    const double *weight = vit_tensor(&n->vit, "patch_embed.proj.weight", -1, NULL);
    const double *bias = vit_tensor(&n->vit, "patch_embed.proj.bias", -1, NULL);
    const double *pos = vit_tensor(&n->vit, "pos_embed", -1, NULL);
    const double *cls = vit_tensor(&n->vit, "cls_token", -1, NULL);
    for (int c = 0; c < d; c++)
        n->vit.x[c] = cls[c] + pos[c];
    if (n->registers)
        memcpy(n->vit.x + d, vit_tensor(&n->vit, "register_tokens", -1, NULL),
               (size_t)(n->registers * d) * sizeof(double));
    for (int t = 0; t < n->h * n->w; t++)
        for (int c = 0; c < d; c++) {
            double sum = bias[c];
            for (int k = 0; k < 3 * p * p; k++) {
                const int row = t / n->w * p + k / p % p, column = t % n->w * p + k % p;
                sum += weight[c * 3 * p * p + k] *
                       (double)image[(row * width + column) * 3 + k / p / p];
            }
            n->vit.x[(first + t) * d + c] = sum + position(n, pos + d, t / n->w, t % n->w, c);
        }
}

static direct_backbone *outputs(network *n, const double *probs)
{
    const int d = n->vit.width, first = 1 + n->registers, cells = n->h * n->w, t = n->vit.tokens;
    direct_backbone *b = calloc(1, sizeof *b);
    double *z = vit_norm(&n->vit, "norm", -1);
    if (!b)
        abort();
    *b = (direct_backbone){n->h,
                           n->w,
                           d,
                           n->vit.heads,
                           vit_values((size_t)(cells * d)),
                           vit_values((size_t)d),
                           vit_values((size_t)(n->vit.heads * cells))};
    memcpy(b->patch_tokens, z + first * d, (size_t)(cells * d) * sizeof *z);
    memcpy(b->class_token, z, (size_t)d * sizeof *z);
    for (int h = 0; h < n->vit.heads; h++)
        memcpy(b->attention + h * cells, probs + (size_t)h * (size_t)t * (size_t)t + first,
               (size_t)cells * sizeof *z);
    free(z);
    return b;
}

direct_backbone *direct_backbone_run(st_file *checkpoint, const char *mode, int patch,
                                     const float *image, int height, int width)
{
    network n = {.vit = {.file = checkpoint}, .mode = mode, .patch = patch};
    size_t count, rows;
    vit_tensor(&n.vit, "cls_token", -1, &count);
    vit_tensor(&n.vit, "pos_embed", -1, &rows);
    n.vit.width = (int)count;
    n.vit.heads = n.vit.width / 64;
    n.side = (int)(sqrt((double)(rows / count) - 1.0) + 0.5);
    if (st_values(checkpoint, "register_tokens", &rows))
        n.registers = (int)(rows / count);
    n.h = height / patch;
    n.w = width / patch;
    n.vit.tokens = 1 + n.registers + n.h * n.w;
    n.vit.x = vit_values((size_t)(n.vit.tokens * n.vit.width));
    double *probs = vit_values((size_t)n.vit.heads * (size_t)n.vit.tokens * (size_t)n.vit.tokens);
    embed(&n, image, width);
    for (int l = 0;; l++) {
        char name[64];
        snprintf(name, sizeof name, "blocks.%d.norm1.weight", l);
        if (!st_values(checkpoint, name, &count))
            break;
        free(vit_block(&n.vit, l, probs));
    }
    direct_backbone *b = outputs(&n, probs);
    free(probs);
    free(n.vit.x);
    return b;
}

void direct_backbone_free(direct_backbone *b)
{
    free(b->patch_tokens);
    free(b->class_token);
    free(b->attention);
    free(b);
}
