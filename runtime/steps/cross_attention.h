/* runtime/steps/cross_attention.h - attention between a few tokens and the many rows of an image:
 * what its steps share (steps_cross_attention.c, steps_token_to_image.c, steps_image_to_token.c,
 * low_rank_rows.c, steps_upscale.c).
 *
 * T tokens, H heads of d = C/H dimensions, N rows of E values; column t*H + h belongs to token t
 * and head h. */
#ifndef WS_RUNTIME_STEPS_CROSS_ATTENTION_H
#define WS_RUNTIME_STEPS_CROSS_ATTENTION_H

#include "runtime/program.h"

/* Operands of tokens_read and tokens_write; upscale has WS_TOKENS_TABLE and those of the levels in
 * the same places. */
enum {
    WS_TOKENS_ASK,            /* [T][C] the tokens' queries (read) or keys (write) */
    WS_TOKENS_FOLDED,         /* [T*H][E] what each token and head adds to a row (write) */
    WS_TOKENS_ROWS,           /* [N][E], or as a level keeps them */
    WS_TOKENS_POSITIONS,      /* [N][E] added to the rows for the scores, or absent */
    WS_TOKENS_TABLE,          /* [N][C] rows projected for the scores, by heads */
    WS_TOKENS_VALUE_TABLE,    /* [N][C] rows projected for the mix, by heads (read) */
    WS_TOKENS_POSITION_TABLE, /* [N][C] positions projected for the scores (with a level) */
    WS_TOKENS_BASE,           /* [N][E] the image's rows below all levels (write) */
    WS_TOKENS_LEVELS,         /* WS_TOKENS_FOLDED of the levels of the rows, the first one first */
    WS_TOKENS_VALUES = WS_TOKENS_LEVELS + 2, /* [T][C] the tokens' values (write) */
    /* For the moments of a row in terms (low_rank_norm.c): the values of the level of the rows,
     * products of the image's part, and its variance [N]. */
    WS_TOKENS_BELOW,
    WS_TOKENS_CROSS,
    WS_TOKENS_VARIANCE
};

struct ws_token_attention {
    const wsam_gemm_kernel *gemm;  /* of the products with image rows */
    const wsam_gemm_kernel *exact; /* f32, of their moments */
    size_t heads, inner, width;    /* H, C, E */
    int bf16;                      /* products may be bf16 */
    int residual;
    /* The projection that tokens are folded through, [C][E], and its bias; the one behind the mix:
     * [C][E] of the values (read), or the output's transposed, [C][E] (write). */
    const float *fold, *fold_bias, *out, *out_bias;
    /* Products of whole rows, by heads: for the scores, and [C][E] of the values (read) or [E][C]
     * of the output (write). */
    ws_product scores, values;
};

/* How the rows behind one or two write steps may be kept (low_rank_rows.c). */
struct ws_level {
    const struct ws_level *below; /* NULL: the first level, on the image's rows */
    const struct ws_level **last; /* shared by levels on one another: the highest of them */
    int depth;                    /* 1 for the first */
    uint32_t op;                  /* the attention behind which rows are at this level */
    int folded;                   /* its buffer WS_TOKENS_FOLDED */
    int values;                   /* its buffer WS_TOKENS_VALUES */
    size_t heads, inner, width;
    const float *weight, *shift, *bias; /* of the norm; of the output product, or NULL */
    const float *output;                /* [C][E], of the output product, transposed */
    /* B = base * gain + offset, per column: the image's part of the rows, but for a scale each. */
    const float *gain, *offset;
};

/* Terms of a row's sum at this level, and the same rounded up, where the image part's scale
 * stands. */
size_t ws_level_terms(const ws_level *v, size_t tokens);
size_t ws_level_padded(const ws_level *v, size_t tokens);
/* The level if rows are kept in its terms with that many tokens, else NULL: rows are stored. */
const ws_level *ws_level_of(const ws_level *v, size_t tokens);
/* Tokens of the attention that makes rows of the level. */
size_t ws_level_tokens(const ws_exec *x, const ws_level *v);
/* Floats from a row to the next: E where the last level's rows are stored. */
size_t ws_level_stride(const ws_level *v, size_t tokens);
/* The vectors that a row's terms multiply: [padded][E], rows behind the terms are zero. */
void ws_level_vectors(const ws_exec *x, const ws_step *s, const ws_level *v, size_t tokens,
                      int64_t prompt, float *vectors);

/* Columns of WS_TOKENS_CROSS: products with the output's columns, with those of the level below,
 * then these. */
enum {
    WS_CROSS_MEAN,  /* the image part's mean */
    WS_CROSS_SCALE, /* its product with the vector of a level's last but one term */
    WS_CROSS_SHIFT, /* and with that of the last, which is 1 */
    WS_CROSS_SUMS = 16
};

typedef struct ws_token_sizes {
    size_t tokens, heads, columns; /* columns = tokens * heads */
    size_t inner, width, rows;     /* C, E, N */
    size_t head;                   /* inner / heads */
    size_t prompts;
} ws_token_sizes;

ws_token_sizes ws_token_sizes_of(const ws_exec *x, const ws_step *s);

/* The most that `bytes` asks for with so many tokens or fewer: what is reserved for many serves for
 * few, whose form is another. */
size_t ws_token_bytes(const ws_exec *x, const ws_step *s,
                      size_t (*bytes)(const ws_step *s, const ws_token_sizes *z));

enum {
    /* Rows that pass through scores, softmax and product while they are in L2: a multiple of every
     * tile's rows (14, 12, 8; 6 nearly). */
    WS_TOKENS_STRIP = 112,
    /* With more tokens the rows are projected instead of the tokens folded: 2 E C + 2 T C products
     * per row against 2 T H E. */
    WS_TOKENS_FOLD_MOST = 17
};

/* What scores and products are made of. */
typedef enum ws_token_form {
    WS_TOKENS_BY_FOLDING, /* rows meet folded tokens */
    WS_TOKENS_BY_TABLE,   /* rows were projected with the image */
    WS_TOKENS_BY_LEVEL,   /* the same for the image's part; terms meet folded tokens */
    WS_TOKENS_DIRECTLY    /* rows are projected here */
} ws_token_form;

ws_token_form ws_token_form_of(const ws_step *s, const ws_token_sizes *z);

/* Floats between WS_TOKENS_ROWS. */
size_t ws_tokens_stride(const ws_step *s, const ws_token_sizes *z);

/* folded[t*H + h] = scale * W_h^T v_t,h, where W_h is the head's [d][E] part of a projection.
 * turned: d * T floats. */
void ws_tokens_fold(const ws_exec *x, const float *w, const ws_token_sizes *z, float scale,
                    const float *v, float *folded, float *turned);
size_t ws_tokens_fold_bytes(const ws_token_sizes *z); /* of both */
/* 1 / sqrt(d) */
float ws_token_scale(const ws_token_sizes *z);
/* out[t][d*H + h] = scale * v[t][h*d + d] */
void ws_tokens_by_heads(const ws_token_sizes *z, float scale, const float *v, float *out);
/* Packs folded tokens for rows of E values, or, with a level, for its terms. Scratch of
 * ws_tokens_pack_bytes. */
void ws_tokens_pack(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, const float *v,
                    const float *vectors, void *packed, void *scratch);
size_t ws_tokens_pack_bytes(const ws_step *s, const ws_token_sizes *z);
size_t ws_tokens_packed_bytes(const ws_step *s, const ws_token_sizes *z);

/* Scores of a strip of rows from `row` on, [m][columns] with stride lds; bias may be NULL. */
typedef struct ws_token_scores {
    const void *packed;  /* of ws_tokens_pack */
    const float *tokens; /* by heads */
    const float *bias;
} ws_token_scores;
void ws_tokens_score(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                     size_t row, size_t m, const ws_token_scores *with, float *scores, size_t lds,
                     void *scratch);
/* Projected rows for the mix, from `row` on: the value table, scaled with a level. */
wsam_head_rows ws_tokens_values(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                                int64_t prompt, size_t row);
/* A product of a strip of stored rows; prepared: as much as ws_tokens_score takes. */
void ws_tokens_project(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                       size_t row, size_t m, const ws_product *p, int positions, float *out,
                       void *prepared);
size_t ws_tokens_score_bytes(const ws_step *s, const ws_token_sizes *z);

/* Mean and 1 / sqrt(variance + eps) of rows that a write step makes in terms (low_rank_norm.c).
 * What depends on the prompt alone is made first, in memory of ws_moments_bytes. */
size_t ws_moments_bytes(const ws_step *s, const ws_token_sizes *z);
void ws_moments_prepare(const ws_exec *x, const ws_step *s, const ws_token_sizes *z, int64_t prompt,
                        void *memory, void *scratch);
size_t ws_moments_prepare_bytes(const ws_step *s, const ws_token_sizes *z);
/* Rows [row, row + m): of the level below, with terms [m][k] before the norm, k all of them. */
void ws_moments_of_strip(const ws_exec *x, const ws_step *s, const ws_token_sizes *z,
                         int64_t prompt, size_t row, size_t m, void *memory, const float *terms,
                         float *mean, float *inverse, void *scratch);
size_t ws_moments_strip_bytes(const ws_step *s, const ws_token_sizes *z);

#endif
