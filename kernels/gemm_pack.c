/* kernels/gemm_pack.c - weights into panels. Runs once per weight when a graph is lowered: plain C,
 * but in the panel's order, as a model is some 1e8 weights and is packed whenever it is opened. */
#include <string.h>

#include "kernels/gemm.h"

/* to[group][nr] from `columns` rows that stand ld bytes apart; a group is `bytes` bytes of a row.
 */
static inline __attribute__((always_inline)) void copy_groups(const char *from, size_t ld,
                                                              size_t groups, size_t columns,
                                                              size_t nr, size_t bytes, char *to)
{
    for (size_t p = 0; p < groups; p++, from += bytes, to += nr * bytes)
        for (size_t c = 0; c < columns; c++)
            memcpy(to + c * bytes, from + c * ld, bytes);
}

/* The same with the size known to the compiler. */
static void gather(const void *from, size_t ld, size_t groups, size_t columns, size_t nr,
                   size_t bytes, void *to)
{
    /* A memcpy of a length that the compiler knows is one move, else a call, some 1e8 times per
     * model. */
    switch (bytes) {
    case 1:
        copy_groups(from, ld, groups, columns, nr, 1, to);
        break;
    case 2:
        copy_groups(from, ld, groups, columns, nr, 2, to);
        break;
    case 4:
        copy_groups(from, ld, groups, columns, nr, 4, to);
        break;
    case 8:
        copy_groups(from, ld, groups, columns, nr, 8, to);
        break;
    default:
        copy_groups(from, ld, groups, columns, nr, bytes, to);
        break;
    }
}

/* Columns of a panel that exist; the others of the last panel are zeros, so that kernels need no
 * mask. */
static size_t columns_of(size_t n, size_t nr, size_t panel)
{
    const size_t left = n - panel * nr;
    return left < nr ? left : nr;
}

/* [k][nr]: a step of k reads one line per 16 columns. `round` is for levels that have no bf16
 * products: the operands are rounded, the arithmetic is f32. */
void ws_pack_f32(size_t n, size_t k, size_t nr, wsam_type type, const void *weight, int round,
                 size_t p0, size_t p1, float *packed)
{
    const size_t panel = ws_align64(k * nr * sizeof(float)) / sizeof(float);
    for (size_t q = p0; q < p1; q++) {
        float *to = packed + q * panel;
        const size_t columns = columns_of(n, nr, q), first = q * nr * k;
        if (columns < nr)
            memset(to, 0, panel * sizeof *to);
        if (type == WSAM_F32 && !round) {
            gather((const float *)weight + first, k * sizeof *to, k, columns, nr, sizeof *to, to);
            continue;
        }
        for (size_t p = 0; p < k; p++)
            for (size_t c = 0; c < columns; c++) {
                const float w = ws_weight_f32(type, weight, first + c * k + p);
                to[p * nr + c] = round ? ws_f32_from_bf16(ws_bf16_from_f32(w)) : w;
            }
    }
}

/* [k / 2][nr][2]: the dot products of pairs take two neighbours of k per column. k is filled up to
 * k_step with zeros, which add nothing. */
void ws_pack_bf16(size_t n, size_t k, size_t nr, size_t k_step, wsam_type type, const void *weight,
                  size_t p0, size_t p1, uint16_t *packed)
{
    const size_t groups = ws_groups(k, k_step) * k_step / 2, whole = k / 2;
    const size_t panel = ws_align64(groups * 2 * nr * sizeof(uint16_t)) / sizeof(uint16_t);
    for (size_t q = p0; q < p1; q++) {
        uint16_t *to = packed + q * panel;
        const size_t columns = columns_of(n, nr, q), first = q * nr * k;
        const int copied = type == WSAM_BF16;
        if (columns < nr || k % k_step)
            memset(to, 0, panel * sizeof *to);
        if (copied)
            gather((const uint16_t *)weight + first, k * sizeof *to, whole, columns, nr,
                   2 * sizeof *to, to);
        for (size_t p = copied ? 2 * whole : 0; p < k; p++)
            for (size_t c = 0; c < columns; c++)
                to[(p / 2 * nr + c) * 2 + p % 2] =
                    ws_bf16_from_f32(ws_weight_f32(type, weight, first + c * k + p));
    }
}

/* Behind the groups stand the scales of the columns and, where rows are shifted to unsigned bytes,
 * what that has to be compensated by. */
size_t ws_packed_s8_panel(size_t k, size_t nr, size_t g, int compensate)
{
    return ws_align64(ws_groups(k, g) * g * nr + nr * sizeof(float) * (compensate ? 2 : 1));
}

/* vpdpbusd multiplies unsigned bytes with signed ones: rows go in as x + 128, and 128 times the
 * sum of the weights comes off again, exactly. */
static int32_t sum_of(const int8_t *w, size_t k)
{
    int32_t sum = 0;
    for (size_t p = 0; p < k; p++)
        sum += w[p];
    return sum;
}

void ws_pack_s8(size_t n, size_t k, size_t nr, size_t g, int compensate, const void *weight,
                const float *scale, size_t p0, size_t p1, void *packed)
{
    const size_t groups = ws_groups(k, g), whole = k / g;
    const size_t panel = ws_packed_s8_panel(k, nr, g, compensate);
    for (size_t q = p0; q < p1; q++) {
        int8_t *to = (int8_t *)packed + q * panel, *tail = to + groups * g * nr;
        const int8_t *w = (const int8_t *)weight + q * nr * k;
        const size_t columns = columns_of(n, nr, q);
        const size_t kept = columns < nr ? 0 : whole * g * nr; /* bytes that gather fills */
        memset(to + kept, 0, panel - kept);
        gather(w, k, whole, columns, nr, g, to);
        for (size_t c = 0; c < columns; c++) {
            memcpy(to + (whole * nr + c) * g, w + c * k + whole * g, k - whole * g);
            memcpy(tail + c * sizeof(float), &scale[q * nr + c], sizeof(float));
            const int32_t first = -128 * sum_of(w + c * k, k);
            if (compensate)
                memcpy(tail + (nr + c) * sizeof(float), &first, sizeof first);
        }
    }
}
