/* runtime/lower/lowering_products.c - see lowering.h: packed products, and the tables that they
 * make. */
#include <stdlib.h>
#include <string.h>

#include "runtime/lower/lowering.h"

ws_product ws_lowering_product(ws_lowering *l, uint32_t weight, uint32_t bias)
{
    return ws_lowering_product_as(l, ws_ref_tensor(l->file, weight)->type, weight, bias);
}

ws_product ws_lowering_product_as(ws_lowering *l, wsam_type as, uint32_t weight, uint32_t bias)
{
    const ws_tensor_def *t = ws_ref_tensor(l->file, weight);
    const size_t n = t->dims[0], k = ws_tensor_elements(t) / n;
    /* Callers look at the kernel also where a lowering has failed before. */
    ws_product p = {.kernel = ws_select_gemm(l->program->kernels, as), .n = n, .k = k};
    if (!l->status)
        ws_lowering_keep(l, ws_packs_product(l->packs, t, as, n, k, &p, l->error));
    p.bias = ws_lowering_constant(l, bias);
    return p;
}

ws_product ws_lowering_winograd(ws_lowering *l, int side, uint32_t weight, uint32_t bias)
{
    const ws_tensor_def *t = ws_ref_tensor(l->file, weight);
    ws_product p = {
        .kernel = ws_select_gemm(l->program->kernels, t->type), .n = t->dims[0], .k = t->dims[3]};
    if (!l->status)
        ws_lowering_keep(l, ws_packs_winograd(l->packs, t, side, p.n, p.k, &p, l->error));
    p.bias = ws_lowering_constant(l, bias);
    return p;
}

/* The bias of a transposed convolution, once per position of its kernel. */
static const float *repeated_bias(ws_lowering *l, uint32_t bias, size_t times, size_t n)
{
    const float *one = ws_lowering_constant(l, bias);
    if (!one || l->status)
        return NULL;
    float *all = ws_lowering_alloc(l, times * n * sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; i < times; i++)
        memcpy(all + i * n, one, n * sizeof *all);
    return all;
}

ws_product ws_lowering_transposed(ws_lowering *l, uint32_t op)
{
    const ws_tensor_def *w = ws_ref_tensor(l->file, ws_lowering_ref(l, op, WS_PRODUCT_WEIGHT));
    const size_t times = (size_t)w->dims[0] * w->dims[1], n = w->dims[2], k = w->dims[3];
    ws_product p = {.kernel = NULL};
    if (!l->status)
        ws_lowering_keep(l, ws_packs_product(l->packs, w, w->type, times * n, k, &p, l->error));
    p.bias = repeated_bias(l, ws_lowering_ref(l, op, WS_PRODUCT_BIAS), times, n);
    return p;
}

ws_product ws_lowering_packed(ws_lowering *l, const wsam_gemm_kernel *kernel, size_t n, size_t k,
                              const float *rows, const float *gain, const float *bias)
{
    const ws_product p = {.kernel = kernel,
                          .packed = ws_lowering_alloc(l, kernel->packed_bytes(n, k)),
                          .n = n,
                          .k = k,
                          .bias = bias};
    float *scaled = malloc(n * k * sizeof *scaled);
    if (!scaled)
        ws_lowering_no_memory(l);
    for (size_t i = 0; scaled && p.packed && i < n * k; i++)
        scaled[i] = rows[i] * (gain ? gain[i % k] : 1.0f);
    if (scaled && p.packed)
        kernel->pack(n, k, WSAM_F32, scaled, NULL, 0, (n + kernel->nr - 1) / kernel->nr,
                     (void *)(uintptr_t)p.packed);
    free(scaled);
    return p;
}

const float *ws_lowering_offset(ws_lowering *l, size_t n, size_t k, const float *rows,
                                const float *offset)
{
    float *out = offset ? ws_lowering_alloc(l, n * sizeof *out) : NULL;
    for (size_t i = 0; out && i < n; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < k; j++)
            sum += (double)rows[i * k + j] * (double)offset[j];
        out[i] = (float)sum;
    }
    return out;
}

ws_operand ws_lowering_table(ws_lowering *l, uint32_t op, uint32_t ref, ws_operand rows,
                             ws_operand position, const ws_product *product)
{
    const ws_operand in[2] = {[WS_STEP_ROWS] = rows, [WS_STEP_ADDED] = position};
    const wsam_rate rate = ws_lowering_rate(l, in, 2);
    const int64_t columns = (int64_t)product->n;
    const ws_operand out = {NULL, ws_lowering_temporary(l, rate, ref, columns), columns};
    ws_step *s = ws_lowering_step(l, &ws_step_gemm, op);
    if (!s)
        return out;
    s->rate = rate;
    memcpy(s->in, in, sizeof in);
    s->out = out.buffer;
    s->product = *product;
    s->kernel = product->kernel->name;
    return out;
}

ws_operand ws_lowering_project(ws_lowering *l, uint32_t op, uint32_t x, uint32_t position,
                               uint32_t weight, uint32_t bias)
{
    const ws_product p = ws_lowering_product(l, weight, bias);
    const ws_operand rows = ws_lowering_operand(l, x), added = ws_lowering_operand(l, position);
    return ws_lowering_table(l, op, x, rows, added, &p);
}

const float *ws_lowering_by_tap(ws_lowering *l, uint32_t weight)
{
    const ws_tensor_def *t = ws_ref_tensor(l->file, weight);
    const size_t channels = t->dims[0], taps = (size_t)t->dims[1] * t->dims[2];
    const float *from = ws_lowering_constant(l, weight);
    float *by_tap = ws_lowering_alloc(l, channels * taps * sizeof *by_tap);
    for (size_t i = 0; by_tap && i < channels; i++)
        for (size_t j = 0; j < taps; j++)
            by_tap[j * channels + i] = from[i * taps + j];
    return by_tap;
}

ws_norm ws_lowering_norm(ws_lowering *l, uint32_t op)
{
    const ws_op_view v = ws_lowering_view(l, op);
    const ws_norm n = {.weight = ws_lowering_constant(l, v.op->inputs[WS_NORM_WEIGHT]),
                       .bias = ws_lowering_constant(l, v.op->inputs[WS_NORM_BIAS]),
                       .eps = (float)ws_op_float(&v, "eps", 1e-6)};
    return n;
}
