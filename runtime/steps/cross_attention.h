/* runtime/steps/cross_attention.h - attention between a few tokens and the many rows of an image:
 * what its steps share (steps_cross_attention.c, steps_token_to_image.c, steps_image_to_token.c,
 * low_rank_rows.c, low_rank_norm.c, steps_upscale.c).
 *
 * T tokens, H heads of d = C/H dimensions, N rows of E values; column t*H + h belongs to token t
 * and head h. */
#ifndef WS_RUNTIME_STEPS_CROSS_ATTENTION_H
#define WS_RUNTIME_STEPS_CROSS_ATTENTION_H

#include "kernels/few_token_attention.h"
#include "runtime/program.h"

/* Operands of token_to_image and image_to_token; upscale has WS_CROSS_SCORE_TABLE and
 * WS_CROSS_LOW_RANK_VECTORS in the same places. */
enum {
    WS_CROSS_TOKENS, /* [T][C] the tokens' queries (token_to_image) or keys (image_to_token) */
    WS_CROSS_FOLDED_VALUES,  /* [T*H][E] what each token and head adds to a row (image_to_token) */
    WS_CROSS_ROWS,           /* [N][E], or in low-rank form */
    WS_CROSS_POSITIONS,      /* [N][E] added to the rows for the scores, or absent */
    WS_CROSS_SCORE_TABLE,    /* [N][C] rows projected for the scores, by heads */
    WS_CROSS_VALUE_TABLE,    /* [N][C] rows projected for the mix, by heads (token_to_image) */
    WS_CROSS_POSITION_TABLE, /* [N][C] positions projected for the scores (of low-rank rows) */
    WS_CROSS_IMAGE_ROWS,     /* [N][E] the image's part of low-rank rows (image_to_token) */
    WS_CROSS_LOW_RANK_VECTORS, /* WS_CROSS_FOLDED_VALUES of the attentions behind low-rank rows, in
                                  order */
    WS_CROSS_TOKEN_VALUES =
        WS_CROSS_LOW_RANK_VECTORS + 2, /* [T][C] the tokens' values (image_to_token) */
    /* For the norm of low-rank rows (low_rank_norm.c): the values of the previous attention,
     * products of the image's part, and its variance [N]. */
    WS_CROSS_PREVIOUS_VALUES,
    WS_CROSS_NORM_TABLE,
    WS_CROSS_IMAGE_VARIANCE
};

struct ws_cross_attention {
    const wsam_gemm_kernel *gemm;  /* of the products with image rows */
    const wsam_gemm_kernel *exact; /* f32, for products of vectors in the variance of rows */
    size_t heads, inner, width;    /* H, C, E */
    int tokens_ask;                /* token_to_image: q is the tokens' side */
    int bf16;                      /* products may be bf16 */
    int residual;
    /* The projection that tokens are folded through, [C][E], and its bias; the one behind the mix:
     * [C][E] of the values (token_to_image), or the output's transposed, [C][E] (image_to_token).
     */
    const float *fold, *fold_bias, *out, *out_bias;
    /* Products of whole rows, by heads: for the scores, and [C][E] of the values (token_to_image)
     * or [E][C] of the output (image_to_token). */
    ws_product scores, values;
};

/* The low-rank form of rows behind one or two image_to_token steps (low_rank_rows.c). */
struct ws_low_rank {
    const struct ws_low_rank
        *previous;                   /* of the rows that the attention reads; NULL: the image's */
    const struct ws_low_rank **last; /* shared by forms built on one another: the last of them */
    int depth;                       /* attentions behind the rows: 1 or 2 */
    uint32_t op;                     /* the last of these attentions */
    int folded;                      /* its buffer WS_CROSS_FOLDED_VALUES */
    int values;                      /* its buffer WS_CROSS_TOKEN_VALUES */
    size_t heads, inner, width;
    const float *weight, *shift, *bias; /* of the norm; of the output product, or NULL */
    const float *output;                /* [C][E], of the output product, transposed */
    /* B = base * gain + offset, per column: the image's part of the rows, but for a scale each. */
    const float *gain, *offset;
};

/* Terms of a row's sum, and the same rounded up, where the image part's scale
 * stands. */
size_t ws_low_rank_terms(const ws_low_rank *v, size_t tokens);
size_t ws_low_rank_padded(const ws_low_rank *v, size_t tokens);
/* The form if it is shorter than stored rows with that many tokens, else NULL: rows are stored. */
const ws_low_rank *ws_low_rank_if_shorter(const ws_low_rank *v, size_t tokens);
/* Tokens of the attention that makes the rows. */
size_t ws_low_rank_tokens(const ws_exec *x, const ws_low_rank *v);
/* Floats from a row to the next: E where rows of the last form are stored. */
size_t ws_low_rank_stride(const ws_low_rank *v, size_t tokens);
/* The vectors that a row's terms multiply: [padded][E], rows behind the terms are zero. */
void ws_low_rank_vectors(const ws_exec *x, const ws_step *s, const ws_low_rank *v, size_t tokens,
                         int64_t prompt, float *vectors);

/* Columns of WS_CROSS_NORM_TABLE: products with the output's columns, with those of the previous
 * attention, then these. */
enum {
    WS_NORM_TABLE_MEAN,  /* the image part's mean */
    WS_NORM_TABLE_SCALE, /* its product with the vector of a form's last but one term */
    WS_NORM_TABLE_SHIFT, /* and with that of the last, which is 1 */
    WS_NORM_TABLE_SUMS = 16
};

typedef struct ws_cross_sizes {
    size_t tokens, heads, columns; /* columns = tokens * heads */
    size_t inner, width, rows;     /* C, E, N */
    size_t head;                   /* inner / heads */
    size_t prompts;
} ws_cross_sizes;

ws_cross_sizes ws_cross_sizes_of(const ws_exec *x, const ws_step *s);

/* The most that `bytes` asks for with so many tokens or fewer: what is reserved for many serves for
 * few, whose form is another. */
size_t ws_cross_most_bytes(const ws_exec *x, const ws_step *s,
                           size_t (*bytes)(const ws_step *s, const ws_cross_sizes *z));

enum {
    /* Rows that pass through scores, softmax and product while they are in L2: a multiple of every
     * tile's rows (14, 12, 8; 6 nearly). */
    WS_CROSS_STRIP = 112,
    /* With more tokens the rows are projected instead of the tokens folded: 2 E C + 2 T C products
     * per row against 2 T H E. */
    WS_CROSS_FOLDED_TOKENS = 17
};

/* What scores and products are made of. */
typedef enum ws_cross_form {
    WS_CROSS_BY_FOLDING,   /* rows meet folded tokens */
    WS_CROSS_BY_TABLE,     /* rows were projected with the image */
    WS_CROSS_BY_LOW_RANK,  /* the same for the image's part; terms meet folded tokens */
    WS_CROSS_BY_PROJECTION /* rows are projected here */
} ws_cross_form;

ws_cross_form ws_cross_form_of(const ws_step *s, const ws_cross_sizes *z);

/* Floats between WS_CROSS_ROWS. */
size_t ws_cross_row_stride(const ws_step *s, const ws_cross_sizes *z);

/* folded[t*H + h] = scale * W_h^T v_t,h, where W_h is the head's [d][E] part of a projection.
 * turned: d * T floats. */
void ws_cross_fold(const ws_exec *x, const float *w, const ws_cross_sizes *z, float scale,
                   const float *v, float *folded, float *turned);
size_t ws_cross_fold_bytes(const ws_cross_sizes *z); /* of both */
/* 1 / sqrt(d) */
float ws_cross_scale(const ws_cross_sizes *z);
/* out[t][d*H + h] = scale * v[t][h*d + d] */
void ws_cross_by_heads(const ws_cross_sizes *z, float scale, const float *v, float *out);
/* Packs folded tokens for rows of E values, or for the terms of low-rank rows. Scratch of
 * ws_cross_pack_bytes. */
void ws_cross_pack_tokens(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                          const float *v, const float *vectors, void *packed, void *scratch);
size_t ws_cross_pack_bytes(const ws_step *s, const ws_cross_sizes *z);
size_t ws_cross_packed_bytes(const ws_step *s, const ws_cross_sizes *z);

/* Scores of a strip of rows from `row` on, [m][columns] with stride lds; bias may be NULL. */
typedef struct ws_cross_scores {
    const void *packed;  /* of ws_cross_pack_tokens */
    const float *tokens; /* by heads */
    const float *bias;
} ws_cross_scores;
void ws_cross_score_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                          int64_t prompt, size_t row, size_t m, const ws_cross_scores *with,
                          float *scores, size_t lds, void *scratch);
/* Projected rows for the mix, from `row` on: the value table, scaled for low-rank rows. */
ws_head_rows ws_cross_value_rows(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                                 int64_t prompt, size_t row);
/* A product of a strip of stored rows; prepared: as much as ws_cross_score_strip takes. */
void ws_cross_project_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                            int64_t prompt, size_t row, size_t m, const ws_product *p,
                            int positions, float *out, void *prepared);
size_t ws_cross_score_bytes(const ws_step *s, const ws_cross_sizes *z);

/* Mean and 1 / sqrt(variance + eps) of the low-rank rows that an image_to_token step makes
 * (low_rank_norm.c). What depends on the prompt alone is made first, in memory of
 * ws_low_rank_norm_bytes. */
size_t ws_low_rank_norm_bytes(const ws_step *s, const ws_cross_sizes *z);
void ws_low_rank_norm_prepare(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                              int64_t prompt, void *memory, void *scratch);
size_t ws_low_rank_norm_prepare_bytes(const ws_step *s, const ws_cross_sizes *z);
/* Rows [row, row + m): of the previous form, with terms [m][k] before the norm, k all of them. */
void ws_low_rank_norm_strip(const ws_exec *x, const ws_step *s, const ws_cross_sizes *z,
                            int64_t prompt, size_t row, size_t m, void *memory, const float *terms,
                            float *mean, float *inverse, void *scratch);
size_t ws_low_rank_norm_strip_bytes(const ws_step *s, const ws_cross_sizes *z);

#endif
