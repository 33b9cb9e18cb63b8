#include "tests/util/util_clues.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_vit.h"

/* ---- peaks ---- */

static int is_peak(const float *map, int height, int width, int y, int x, int r)
{
    for (int j = y - r < 0 ? 0 : y - r; j <= y + r && j < height; j++)
        for (int i = x - r < 0 ? 0 : x - r; i <= x + r && i < width; i++)
            if (map[j * width + i] > map[y * width + x])
                return 0;
    return 1;
}

int direct_peaks(const float *map, int height, int width, const wsam_peak_params *p,
                 wsam_clue_point *points)
{
    const int spacing = p->spacing < 0 ? (p->window - 1) / 2 : p->spacing;
    char *used = calloc((size_t)height * (size_t)width, 1);
    int n = 0;
    /* The highest candidate that is left, the first of equal ones, `most` times. */
    for (int k = 0; used && k < p->most; k++) {
        int best = -1, near = 0;
        for (int i = 0; i < height * width; i++)
            if (!used[i] && (best < 0 || map[i] > map[best]) &&
                is_peak(map, height, width, i / width, i % width, (p->window - 1) / 2))
                best = i;
        if (best < 0 || (double)map[best] < p->threshold)
            break;
        used[best] = 1;
        for (int i = 0; i < n; i++)
            near |= abs(best % width - (int)points[i].x) + abs(best / width - (int)points[i].y) <
                    spacing;
        if (!near)
            points[n++] = (wsam_clue_point){.x = best % width, .y = best / width};
    }
    free(used);
    return n;
}

/* ---- the network ---- */

int family_heads(const char *family)
{
    const int three = strstr(family, "plain") || strstr(family, "stem");
    return three ? 3 : 4;
}

typedef struct network {
    direct_vit vit;
    int depth, classes, patch, side, h, w;
    double *probs; /* [depth][heads][tokens][tokens] */
    double *score; /* [depth][heads]: of the newer fusion */
} network;

/* The stored grid at (y, x) of another: factors (h + 0.1) / side. */
static double position(const network *n, const double *table, int y, int x, int c)
{
    const double fy = (y + 0.5) / ((n->h + 0.1) / n->side) - 0.5;
    const double fx = (x + 0.5) / ((n->w + 0.1) / n->side) - 0.5;
    double sum = 0.0;
    for (int j = (int)floor(fy) - 1; j <= (int)floor(fy) + 2; j++)
        for (int i = (int)floor(fx) - 1; i <= (int)floor(fx) + 2; i++) {
            const int sy = j < 0 ? 0 : (j >= n->side ? n->side - 1 : j);
            const int sx = i < 0 ? 0 : (i >= n->side ? n->side - 1 : i);
            sum += vit_cubic(-0.75, fy - j) * vit_cubic(-0.75, fx - i) *
                   table[(size_t)(sy * n->side + sx) * (size_t)n->vit.width + (size_t)c];
        }
    return sum;
}

/* A plane of channels, [h][w][c]. */
typedef struct plane {
    int h, w, c;
    double *values;
} plane;

static plane new_plane(int h, int w, int c)
{
    return (plane){h, w, c, vit_values((size_t)(h * w * c))};
}

/* 3x3, padding 1, and its BatchNorm: `name`.c and `name`.bn. */
static plane conv_bn(const network *n, const plane *x, const char *name, int stride)
{
    static const char *const ends[5] = {"c.weight", "bn.weight", "bn.bias", "bn.running_mean",
                                        "bn.running_var"};
    const double *v[5];
    char text[128];
    size_t count;
    for (int i = 4; i >= 0; i--) {
        snprintf(text, sizeof text, "%s.%s", name, ends[i]);
        v[i] = vit_tensor(&n->vit, text, -1, i == 1 ? &count : NULL);
    }
    const plane y =
        new_plane((x->h + stride - 1) / stride, (x->w + stride - 1) / stride, (int)count);
    for (int i = 0; i < y.h * y.w * y.c; i++) {
        const int c = i % y.c;
        double sum = 0.0;
        for (int k = 0; k < 9 * x->c; k++) {
            const int row = i / y.c / y.w * stride + k % 9 / 3 - 1;
            const int column = i / y.c % y.w * stride + k % 3 - 1;
            if (row >= 0 && row < x->h && column >= 0 && column < x->w)
                sum += v[0][c * 9 * x->c + k] * x->values[(row * x->w + column) * x->c + k / 9];
        }
        y.values[i] = (sum - v[3][c]) / sqrt(v[4][c] + 1e-5) * v[1][c] + v[2][c];
    }
    return y;
}

/* x = relu(y + x), or relu(y) where the sizes differ; frees y. */
static void rectify(plane *x, plane y)
{
    const int residual = x->h == y.h && x->w == y.w && x->c == y.c;
    for (int i = 0; i < y.h * y.w * y.c; i++)
        y.values[i] = fmax(y.values[i] + (residual ? x->values[i] : 0.0), 0.0);
    free(x->values);
    *x = y;
}

/* The picture through a stem: stages of one halving convolution and residual pairs; as it is where
 * there is no stem. */
static plane through_stem(const network *n, const float *image, int height, int width)
{
    char name[96];
    size_t count;
    plane x = new_plane(height, width, 3);
    for (int i = 0; i < height * width * 3; i++)
        x.values[i] = (double)image[i];
    for (int stage = 0;; stage++) {
        snprintf(name, sizeof name, "patch_embed.stem.%d.down", stage);
        char first[112];
        snprintf(first, sizeof first, "%s.c.weight", name);
        if (!st_values(n->vit.file, first, &count))
            return x;
        rectify(&x, conv_bn(n, &x, name, 2));
        for (int pair = 0;; pair++) {
            snprintf(name, sizeof name, "patch_embed.stem.%d.res.%d.first", stage, pair);
            snprintf(first, sizeof first, "%s.c.weight", name);
            if (!st_values(n->vit.file, first, &count))
                break;
            plane y = new_plane(1, 1, 1);
            rectify(&y, conv_bn(n, &x, name, 1));
            snprintf(name, sizeof name, "patch_embed.stem.%d.res.%d.second", stage, pair);
            const plane z = conv_bn(n, &y, name, 1);
            free(y.values);
            rectify(&x, z);
        }
    }
}

static void embed(network *n, const float *image, int height, int width)
{
    const double *w = vit_tensor(&n->vit, "patch_embed.proj.weight", -1, NULL);
    const double *b = vit_tensor(&n->vit, "patch_embed.proj.bias", -1, NULL);
    const double *pos = vit_tensor(&n->vit, "pos_embed", -1, NULL),
                 *cls = vit_tensor(&n->vit, "cls_token", -1, NULL);
    const double *table = pos + (size_t)n->classes * (size_t)n->vit.width;
    const plane x = through_stem(n, image, height, width);
    const int p = x.c == 3 ? n->patch : 1, area = p * p;
    const int same = height == width && n->h == n->side && n->w == n->side;
    for (int i = 0; i < n->classes * n->vit.width; i++)
        n->vit.x[i] = cls[i] + pos[i];
    for (int t = 0; t < n->h * n->w; t++)
        for (int c = 0; c < n->vit.width; c++) {
            double sum = b[c];
            for (int k = 0; k < x.c * area; k++) {
                const int row = t / n->w * p + k / p % p, column = t % n->w * p + k % p;
                sum += w[c * x.c * area + k] * x.values[(row * x.w + column) * x.c + k / area];
            }
            n->vit.x[(size_t)(n->classes + t) * (size_t)n->vit.width + (size_t)c] =
                sum +
                (same ? table[t * n->vit.width + c] : position(n, table, t / n->w, t % n->w, c));
        }
    free(x.values);
}

/* The newer fusion's score of one head: channels c * heads + head, the largest of all tokens. */
static double score_of(const network *n, const double *out, int head)
{
    const char *prefix = "adaptive_attention_fusion.attn_feat_ffn.";
    char name[4][80];
    const char *const ends[4] = {"0.weight", "0.bias", "1.weight", "1.bias"};
    const double *v[4];
    size_t hidden, size = (size_t)(n->vit.width / n->vit.heads);
    for (int i = 0; i < 4; i++)
        snprintf(name[i], sizeof name[i], "%s%s", prefix, ends[i]);
    for (int i = 3; i >= 0; i--)
        v[i] = vit_tensor(&n->vit, name[i], -1, i == 1 ? &hidden : NULL);
    double score = v[3][0];
    for (size_t f = 0; f < hidden; f++) {
        double sum = v[1][f];
        for (size_t c = 0; c < size; c++) {
            double top = -1e300;
            for (int i = 0; i < n->vit.tokens; i++)
                top = fmax(top, out[(size_t)i * (size_t)n->vit.width + c * (size_t)n->vit.heads +
                                    (size_t)head]);
            sum += v[0][f * size + c] * top;
        }
        score += v[2][f] * sum;
    }
    return score;
}

static void block(network *n, int layer, direct_fusion fusion)
{
    const size_t t = (size_t)n->vit.tokens;
    double *out = vit_block(&n->vit, layer, n->probs + (size_t)(layer * n->vit.heads) * t * t);
    for (int h = 0; h < n->vit.heads && fusion == DIRECT_BY_FEATURES; h++)
        n->score[layer * n->vit.heads + h] = score_of(n, out, h);
    free(out);
}

/* sigmoid(W2 relu(W1 p)), maps numbered head * depth + layer. */
static double *weights_of(const network *n, direct_fusion fusion)
{
    const size_t maps = (size_t)(n->vit.heads * n->depth);
    const int old = fusion == DIRECT_BY_TOKENS;
    double *p = vit_values(maps), *a = vit_values(maps);
    size_t count;
    for (size_t i = 0; i < maps; i++) {
        const size_t head = i / (size_t)n->depth, layer = i % (size_t)n->depth;
        p[i] = old ? 1.0 / n->vit.tokens : n->score[layer * (size_t)n->vit.heads + head];
        a[i] = 1.0;
    }
    if (fusion != DIRECT_ALIKE) {
        const char *prefix = "adaptive_attention_fusion.";
        char first[80], second[80];
        snprintf(first, sizeof first, "%s%s.0.weight", prefix, old ? "fc" : "attn_head_ffn");
        snprintf(second, sizeof second, "%s%s.2.weight", prefix, old ? "fc" : "attn_head_ffn");
        const double *w1 = vit_tensor(&n->vit, first, -1, &count),
                     *w2 = vit_tensor(&n->vit, second, -1, NULL);
        double *inner = vit_linear(p, 1, maps, w1, NULL, count / maps);
        for (size_t i = 0; i < count / maps; i++)
            inner[i] = fmax(inner[i], 0.0);
        free(a);
        a = vit_linear(inner, 1, count / maps, w2, NULL, maps);
        for (size_t i = 0; i < maps; i++)
            a[i] = 1.0 / (1.0 + exp(-a[i]));
        free(inner);
    }
    free(p);
    return a;
}

/* The mean of all weighted maps: [tokens][tokens]. */
static double *fused_map(const network *n, direct_fusion fusion)
{
    const size_t all = (size_t)n->vit.tokens * (size_t)n->vit.tokens;
    double *a = weights_of(n, fusion), *mean = vit_values(all);
    for (int l = 0; l < n->depth; l++)
        for (int h = 0; h < n->vit.heads; h++)
            for (size_t i = 0; i < all; i++)
                mean[i] += a[h * n->depth + l] *
                           n->probs[(size_t)(l * n->vit.heads + h) * all + i] /
                           (n->vit.heads * n->depth);
    free(a);
    return mean;
}

/* The 3x3 head with its ReLU, at patch (y, x). */
static double coarse_at(const network *n, const double *w, const double *b, int c, int y, int x)
{
    double sum = b[c];
    for (int k = 0; k < 9; k++) {
        const int j = y + k / 3 - 1, i = x + k % 3 - 1;
        if (j < 0 || j >= n->h || i < 0 || i >= n->w)
            continue;
        const double *token = n->vit.x + (size_t)(n->classes + j * n->w + i) * (size_t)n->vit.width;
        for (int d = 0; d < n->vit.width; d++)
            sum += w[(c * n->vit.width + d) * 9 + k] * token[d];
    }
    return fmax(sum, 0.0);
}

static direct_maps *make_maps(const network *n, direct_fusion fusion)
{
    const int k = n->classes, cells = n->h * n->w;
    const double *w = vit_tensor(&n->vit, "head.weight", -1, NULL),
                 *b = vit_tensor(&n->vit, "head.bias", -1, NULL);
    direct_maps *m = calloc(1, sizeof *m);
    double *mean = fused_map(n, fusion);
    if (!m)
        abort();
    *m = (direct_maps){.h = n->h, .w = n->w, .classes = k, .logits = vit_values((size_t)k)};
    m->coarse = vit_values((size_t)(cells * k));
    m->fused = vit_values((size_t)(cells * k));
    m->fine = vit_values((size_t)(cells * k));
    for (int i = 0; i < k * n->vit.width; i++)
        m->logits[i / n->vit.width] += n->vit.x[i] / n->vit.width;
    for (int p = 0; p < cells; p++)
        for (int c = 0; c < k; c++) {
            m->coarse[p * k + c] = coarse_at(n, w, b, c, p / n->w, p % n->w);
            m->fused[p * k + c] = mean[c * n->vit.tokens + k + p];
        }
    for (int p = 0; p < cells; p++)
        for (int q = 0; q < cells; q++)
            for (int c = 0; c < k; c++)
                m->fine[p * k + c] += mean[(k + p) * n->vit.tokens + k + q] * m->fused[q * k + c] *
                                      m->coarse[q * k + c];
    free(mean);
    return m;
}

direct_maps *direct_network(st_file *checkpoint, int heads, direct_fusion fusion,
                            const float *image, int height, int width)
{
    network n = {.vit = {.file = checkpoint, .heads = heads}, .patch = 16};
    size_t count, rows;
    char name[64];
    vit_tensor(&n.vit, "patch_embed.proj.bias", -1, &count);
    n.vit.width = (int)count;
    vit_tensor(&n.vit, "cls_token", -1, &count);
    n.classes = (int)count / n.vit.width;
    vit_tensor(&n.vit, "pos_embed", -1, &rows);
    n.side = (int)(sqrt((double)(rows - count) / n.vit.width) + 0.5);
    do
        snprintf(name, sizeof name, "blocks.%d.norm1.weight", ++n.depth);
    while (st_values(checkpoint, name, &count));
    const int stem = st_values(checkpoint, "patch_embed.stem.0.down.c.weight", &count) != NULL;
    n.h = stem ? (height + 7) / 8 : height / n.patch; /* three halvings */
    n.w = stem ? (width + 7) / 8 : width / n.patch;
    n.vit.tokens = n.classes + n.h * n.w;
    n.vit.x = vit_values((size_t)n.vit.tokens * (size_t)n.vit.width);
    n.probs = vit_values((size_t)(n.depth * heads) * (size_t)n.vit.tokens * (size_t)n.vit.tokens);
    n.score = vit_values((size_t)(n.depth * heads));
    embed(&n, image, height, width);
    for (int l = 0; l < n.depth; l++)
        block(&n, l, fusion);
    direct_maps *maps = make_maps(&n, fusion);
    free(n.vit.x);
    free(n.probs);
    free(n.score);
    return maps;
}

void direct_free(direct_maps *m)
{
    free(m->logits);
    free(m->coarse);
    free(m->fused);
    free(m->fine);
    free(m);
}
