/* kernels/template/attention_start.h - what the scores of a tile start from. Included before the tiles. */
#ifndef WS_KERNELS_TEMPLATE_ATTENTION_START_H
#define WS_KERNELS_TEMPLATE_ATTENTION_START_H

#include <stddef.h>

/* A row for each query, `ld` apart, and what each query adds to all of its row, `ld_more` apart; NULL:
 * nothing. A separable bias is the row of its column terms and the query's term of the keys' row;
 * where SPANS_ROWS is 1, keys from number `in_row` of the tile on lie in the row after it, whose term
 * is the next one. */
typedef struct score_start {
    const float *from, *more;
    size_t ld, ld_more;
    size_t in_row;
} score_start;

#endif
