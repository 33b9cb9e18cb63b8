/* runtime/steps/low_rank_rows.c - an image's rows as sums of few terms.
 *
 * In a mask decoder the image attends to the tokens, twice: row i becomes
 *   K1_i = norm(K0_i + sum_j P_ij M_j + b)
 * where K0 is the same for all prompts, j runs over the T*H columns, P are the probabilities and
 * M_j what token and head j adds. With r_i and m_i of the norm (g, s its weight and shift):
 *   K1_i = r_i (K0_i + b)*g  +  sum_j (r_i P_ij) (M_j*g)  +  (r_i m_i) (-g)  +  1 s
 * So a row is a scale of the image's part B = (K0 + b)*g and T*H + 2 terms, each a number per row
 * that multiplies a vector per prompt; after the second attention the same holds with 2 T*H + 4.
 * Every projection of K1 is that of B, made once with the image, and one of the few vectors. At
 * T = 7 (58 and 116 terms instead of 256 values) a prompt needs half the products of stored rows.
 *
 * A row is kept as [terms | zeros to a multiple of 16 | scale of B]. Rows behind the second
 * attention may take the place of those behind the first (inplace_buffers.c), so both have the
 * stride of the last form that a buffer comes to: 576 bytes at T = 7 where stored rows are 1024
 * apart, which puts every fourth row into one set of L1. */
#include <string.h>

#include "runtime/steps/cross_attention.h"

static size_t low_rank_add_vectors(const ws_exec *x, const ws_step *s, const ws_low_rank *v,
                                   size_t tokens, int64_t prompt, float *vectors)
{
    const size_t e = v->width, columns = tokens * v->heads;
    size_t n = 0;
    if (v->previous) {
        n = low_rank_add_vectors(x, s, v->previous, tokens, prompt, vectors);
        for (size_t c = 0; v->bias && c < e; c++) /* the last of a form's terms is 1 */
            vectors[(n - 1) * e + c] += v->bias[c];
    }
    memcpy(vectors + n * e,
           ws_step_operand(x, &s->in[WS_CROSS_LOW_RANK_VECTORS + v->depth - 1], prompt),
           columns * e * sizeof *vectors);
    n += columns;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < e; c++)
            vectors[i * e + c] *= v->weight[c];
    for (size_t c = 0; c < e; c++) {
        vectors[n * e + c] = -v->weight[c];
        vectors[(n + 1) * e + c] = v->shift[c];
    }
    return n + 2;
}

void ws_low_rank_vectors(const ws_exec *x, const ws_step *s, const ws_low_rank *v, size_t tokens,
                         int64_t prompt, float *vectors)
{
    const size_t n = low_rank_add_vectors(x, s, v, tokens, prompt, vectors);
    memset(vectors + n * v->width, 0,
           (ws_low_rank_padded(v, tokens) - n) * v->width * sizeof *vectors);
}
