/* tests/kernels/check_training.c - the three products of training on a level's f32 and bf16 kernels
 * against sums in double. Here, so that they also run under an emulator. */
#include <math.h>
#include <stdio.h>

#include "kernels/vector.h"
#include "runtime/training_gemm.h"
#include "tests/kernels/check.h"

typedef struct layer {
    size_t m, n, k; /* RoIs, outputs, inputs */
    wsam_type type;
    float *x, *w, *bias, *dy;
} layer;

static double operand(const layer *l, float x)
{
    return (double)(l->type == WSAM_BF16 ? ws_f32_from_bf16(ws_bf16_from_f32(x)) : x);
}

static double forward(const layer *l, size_t i, size_t j)
{
    double sum = (double)l->bias[j];
    for (size_t p = 0; p < l->k; p++)
        sum += operand(l, l->x[i * l->k + p]) * operand(l, l->w[j * l->k + p]);
    return sum;
}

static double weights(const layer *l, size_t j, size_t p)
{
    double sum = 1.0; /* what the gradient was */
    for (size_t i = 0; i < l->m; i++)
        sum += operand(l, l->dy[i * l->n + j]) * operand(l, l->x[i * l->k + p]);
    return sum;
}

static double inputs(const layer *l, size_t i, size_t p)
{
    double sum = 0.0;
    for (size_t j = 0; j < l->n; j++)
        sum += operand(l, l->dy[i * l->n + j]) * operand(l, l->w[j * l->k + p]);
    return sum;
}

static void compare(check *t, const char *what, const layer *l, size_t rows, size_t columns,
                    double (*want)(const layer *, size_t, size_t), const float *got)
{
    char text[96];
    double worst = 0.0;
    for (size_t i = 0; i < rows * columns; i++)
        worst = fmax(worst, fabs(want(l, i / columns, i % columns) - (double)got[i]));
    snprintf(text, sizeof text, "%s %s %zux%zux%zu", l->type == WSAM_BF16 ? "bf16" : "f32", what,
             l->m, l->n, l->k);
    check_report(t, worst < 1e-4, text, "largest error %g", worst);
}

static void check_layer(check *t, wsam_type type, int threads, size_t m, size_t n, size_t k)
{
    const size_t shapes[1][2] = {{n, k}};
    layer l = {m, n, k, type, NULL, NULL, NULL, NULL};
    ws_train_gemm g;
    l.x = check_alloc(t, m * k * sizeof(float));
    l.w = check_alloc(t, n * k * sizeof(float));
    l.bias = check_alloc(t, n * sizeof(float));
    l.dy = check_alloc(t, m * n * sizeof(float));
    float *y = check_alloc(t, m * n * sizeof *y), *dw = check_alloc(t, n * k * sizeof *dw);
    float *dx = check_alloc(t, m * k * sizeof *dx);
    check_floats(t, l.x, m * k, CHECK_NORMAL);
    check_floats(t, l.w, n * k, CHECK_NORMAL);
    check_floats(t, l.bias, n, CHECK_NORMAL);
    check_floats(t, l.dy, m * n, CHECK_NORMAL);
    for (size_t i = 0; i < n * k; i++)
        dw[i] = 1.0f;
    if (!check_true(t, "memory",
                    !ws_training_gemm_init_as(&g, t->isa, type, threads, m, 1, shapes, NULL)))
        return;
    ws_training_gemm_forward(&g, m, n, k, l.x, l.w, l.bias, y);
    ws_training_gemm_weights(&g, m, n, k, l.dy, l.x, dw);
    ws_training_gemm_inputs(&g, m, n, k, l.dy, l.w, dx);
    ws_training_gemm_free(&g);
    compare(t, "forward", &l, m, n, forward, y);
    compare(t, "weights", &l, n, k, weights, dw);
    compare(t, "inputs", &l, m, k, inputs, dx);
    check_done(t, "products of training");
}

static void check_type(check *t, wsam_type type)
{
    const wsam_gemm_kernel *kernel = type == WSAM_BF16 ? &t->isa->gemm_bf16 : &t->isa->gemm_f32;
    if (!check_new(t, "training", kernel->name, kernel, sizeof *kernel))
        return;
    check_layer(t, type, 1, 1, 1, 1);
    check_layer(t, type, 2, 300, 37, 45); /* more RoIs than a block of the gradient's sum */
    check_layer(t, type, 3, 65, 90, 131);
}

void check_training(check *t)
{
    if (t->bench)
        return; /* bench_training does */
    check_type(t, WSAM_F32);
    check_type(t, WSAM_BF16);
}
