#include "tests/util/util_vit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double *vit_values(size_t n)
{
    double *values = calloc(n, sizeof *values);
    if (!values)
        abort();
    return values;
}

const double *vit_tensor(const direct_vit *v, const char *format, int layer, size_t *count)
{
    char name[256];
    size_t ignored;
    snprintf(name, sizeof name, "blocks.%d.%s", layer, format);
    const double *values = st_values(v->file, layer < 0 ? format : name, count ? count : &ignored);
    if (!values)
        abort();
    return values;
}

double *vit_linear(const double *x, size_t rows, size_t k, const double *w, const double *b,
                   size_t n)
{
    double *out = vit_values(rows * n);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = b ? b[j] : 0.0;
            for (size_t c = 0; c < k; c++)
                sum += x[i * k + c] * w[j * k + c];
            out[i * n + j] = sum;
        }
    return out;
}

double *vit_norm(const direct_vit *v, const char *name, int layer)
{
    char text[64];
    const size_t d = (size_t)v->width;
    snprintf(text, sizeof text, "%s.weight", name);
    const double *w = vit_tensor(v, text, layer, NULL);
    snprintf(text, sizeof text, "%s.bias", name);
    const double *b = vit_tensor(v, text, layer, NULL);
    double *out = vit_values((size_t)v->tokens * d);
    for (int i = 0; i < v->tokens; i++) {
        const double *row = v->x + (size_t)i * d;
        double mean = 0.0, variance = 0.0;
        for (size_t c = 0; c < d; c++)
            mean += row[c] / (double)d;
        for (size_t c = 0; c < d; c++)
            variance += (row[c] - mean) * (row[c] - mean) / (double)d;
        for (size_t c = 0; c < d; c++)
            out[(size_t)i * d + c] = (row[c] - mean) / sqrt(variance + 1e-6) * w[c] + b[c];
    }
    return out;
}

double vit_cubic(double a, double t)
{
    t = fabs(t);
    return t <= 1.0  ? ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0
           : t < 2.0 ? ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a
                     : 0.0;
}

/* Probabilities of one head, and its part of the mixed values. */
static void attend(const direct_vit *v, const double *qkv, int head, double *probs, double *mixed)
{
    const size_t d = (size_t)v->width, size = d / (size_t)v->heads, first = (size_t)head * size;
    for (int i = 0; i < v->tokens; i++) {
        double *row = probs + (size_t)i * (size_t)v->tokens, top = -1e300, sum = 0.0;
        for (int j = 0; j < v->tokens; j++) {
            row[j] = 0.0;
            for (size_t c = first; c < first + size; c++)
                row[j] += qkv[(size_t)i * 3 * d + c] * qkv[(size_t)j * 3 * d + d + c];
            row[j] /= sqrt((double)size);
            top = fmax(top, row[j]);
        }
        for (int j = 0; j < v->tokens; j++)
            sum += row[j] = exp(row[j] - top);
        for (int j = 0; j < v->tokens; j++) {
            row[j] /= sum;
            for (size_t c = first; c < first + size; c++)
                mixed[(size_t)i * d + c] += row[j] * qkv[(size_t)j * 3 * d + 2 * d + c];
        }
    }
}

/* Adds y, with the factors of a LayerScale where the checkpoint has them. */
static void add_branch(direct_vit *v, const char *scale, int layer, const double *y)
{
    char name[64];
    size_t count;
    snprintf(name, sizeof name, "blocks.%d.%s.gamma", layer, scale);
    const double *gamma = st_values(v->file, name, &count);
    for (size_t i = 0; i < (size_t)v->tokens * (size_t)v->width; i++)
        v->x[i] += gamma ? gamma[i % (size_t)v->width] * y[i] : y[i];
}

double *vit_block(direct_vit *v, int layer, double *probs)
{
    const size_t t = (size_t)v->tokens, d = (size_t)v->width;
    size_t hidden;
    double *y = vit_norm(v, "norm1", layer), *mixed = vit_values(t * d);
    double *qkv = vit_linear(y, t, d, vit_tensor(v, "attn.qkv.weight", layer, NULL),
                             vit_tensor(v, "attn.qkv.bias", layer, NULL), 3 * d);
    for (int h = 0; h < v->heads; h++)
        attend(v, qkv, h, probs + (size_t)h * t * t, mixed);
    double *attention = vit_linear(mixed, t, d, vit_tensor(v, "attn.proj.weight", layer, NULL),
                                   vit_tensor(v, "attn.proj.bias", layer, NULL), d);
    free(y);
    free(qkv);
    free(mixed);
    add_branch(v, "ls1", layer, attention);
    y = vit_norm(v, "norm2", layer);
    const double *b1 = vit_tensor(v, "mlp.fc1.bias", layer, &hidden);
    double *inner = vit_linear(y, t, d, vit_tensor(v, "mlp.fc1.weight", layer, NULL), b1, hidden);
    for (size_t i = 0; i < t * hidden; i++)
        inner[i] = 0.5 * inner[i] * (1.0 + erf(inner[i] / sqrt(2.0)));
    double *out = vit_linear(inner, t, hidden, vit_tensor(v, "mlp.fc2.weight", layer, NULL),
                             vit_tensor(v, "mlp.fc2.bias", layer, NULL), d);
    add_branch(v, "ls2", layer, out);
    free(y);
    free(inner);
    free(out);
    return attention;
}
