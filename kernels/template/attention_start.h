/* kernels/template/attention_start.h - what the scores of a tile start from. Included before the tiles. */
#ifndef WS_KERNELS_TEMPLATE_ATTENTION_START_H
#define WS_KERNELS_TEMPLATE_ATTENTION_START_H

#include <stddef.h>

/* A row for each query, `ld` apart, and what each query adds to all of its row, `ld_more` apart; NULL:
 * nothing. A separable bias is the row of its column terms and the query's term of the keys' row. */
typedef struct score_start {
    const float *from, *more;
    size_t ld, ld_more;
} score_start;

#endif
