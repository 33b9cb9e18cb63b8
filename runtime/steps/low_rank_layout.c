/* runtime/steps/low_rank_layout.c - how many terms rows of a level have (low_rank_rows.c), and
 * where they stand. */
#include "runtime/steps/cross_attention.h"

size_t ws_level_terms(const ws_level *v, size_t tokens)
{
    return (v->below ? ws_level_terms(v->below, tokens) : 0) + tokens * v->heads + 2;
}

size_t ws_level_padded(const ws_level *v, size_t tokens)
{
    return (ws_level_terms(v, tokens) + 15) / 16 * 16;
}

const ws_level *ws_level_of(const ws_level *v, size_t tokens)
{
    return v && 4 * ws_level_padded(v, tokens) <= 3 * v->width ? v : NULL;
}

size_t ws_level_tokens(const ws_exec *x, const ws_level *v)
{
    const ws_buffer *b = &x->program->buffers[v->folded];
    return (size_t)ws_rows(&x->values[b->value].shape);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t ws_level_stride(const ws_level *v, size_t tokens)
{
    const ws_level *last = *v->last;
    if (!ws_level_of(v, tokens) || !ws_level_of(last, tokens))
        return v->width;
    const size_t n = larger(ws_level_padded(v, tokens), ws_level_padded(last, tokens)) + 16;
    return n < v->width ? n : v->width;
}
