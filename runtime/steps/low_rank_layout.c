/* runtime/steps/low_rank_layout.c - how many terms low-rank rows have (low_rank_rows.c), and
 * where they stand. */
#include "runtime/steps/cross_attention.h"

size_t ws_low_rank_terms(const ws_low_rank *v, size_t tokens)
{
    return (v->previous ? ws_low_rank_terms(v->previous, tokens) : 0) + tokens * v->heads + 2;
}

size_t ws_low_rank_padded(const ws_low_rank *v, size_t tokens)
{
    return (ws_low_rank_terms(v, tokens) + 15) / 16 * 16;
}

const ws_low_rank *ws_low_rank_if_shorter(const ws_low_rank *v, size_t tokens)
{
    return v && 4 * ws_low_rank_padded(v, tokens) <= 3 * v->width ? v : NULL;
}

size_t ws_low_rank_tokens(const ws_exec *x, const ws_low_rank *v)
{
    const ws_buffer *b = &x->program->buffers[v->folded];
    return (size_t)ws_rows(&x->values[b->value].shape);
}

size_t ws_low_rank_stride(const ws_low_rank *v, size_t tokens)
{
    const ws_low_rank *last = *v->last;
    if (!ws_low_rank_if_shorter(v, tokens) || !ws_low_rank_if_shorter(last, tokens))
        return v->width;
    const size_t n =
        ws_larger(ws_low_rank_padded(v, tokens), ws_low_rank_padded(last, tokens)) + 16;
    return n < v->width ? n : v->width;
}
