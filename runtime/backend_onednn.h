/* runtime/backend_onednn.h - products by oneDNN: the second backend on x86, and the competitor in
 * our benchmarks. backend_onednn.c is the one file that knows oneDNN's API (2.x; a 3.x needs that
 * file changed and nothing else). */
#ifndef WS_RUNTIME_BACKEND_ONEDNN_H
#define WS_RUNTIME_BACKEND_ONEDNN_H

#include "weaksam/kernels.h"

/* The right operand's type, and the left one's with it. */
typedef enum ws_onednn_type {
    WS_ONEDNN_F32,  /* f32 x f32 */
    WS_ONEDNN_BF16, /* bf16 x bf16, sums in f32 */
    WS_ONEDNN_S8S8, /* s8 x s8 */
    WS_ONEDNN_U8S8  /* u8 x s8: what oneDNN itself is fastest with; for comparison only */
} ws_onednn_type;

/* C[m][n] = act(column_scale * (A[m][k] . W[n][k]^T) + bias), with m fixed at creation. */
typedef struct ws_onednn_gemm_desc {
    ws_onednn_type type;
    size_t m, n, k;
    const void *weight;        /* [n][k]: f32, bf16 or s8 */
    const float *column_scale; /* [n] for s8 weights, else NULL */
    const float *bias;         /* [n] or NULL */
    wsam_act act;
    int accumulate; /* C += instead of C = */
    int threads;
} ws_onednn_gemm_desc;

/* C = act(conv(X, W) + bias), channels last; C is f32. */
typedef struct ws_onednn_conv_desc {
    ws_onednn_type type; /* of X and W: f32 or bf16 */
    wsam_conv_shape shape;
    size_t out_channels;
    int groups;         /* 1 or shape.channels */
    const void *weight; /* [O][kh][kw][C/groups] */
    const float *bias;  /* [O] or NULL */
    wsam_act act;
    int threads;
} ws_onednn_conv_desc;

typedef struct ws_onednn_op ws_onednn_op;

/* 1 when the library was built with oneDNN. Without it every create fails with
 * WSAM_ERR_UNSUPPORTED. */
int ws_onednn_built(void);
const char *ws_onednn_version(void);

/* Holds oneDNN to the instructions of a level of ours. NULL or "" takes WEAKSAM_ISA from the
 * environment; where neither names a level there is no limit, so that oneDNN may use what our own
 * kernels do not (AMX). oneDNN takes such a limit once in a process and before its first primitive:
 * afterwards this fails unless oneDNN is held to the level, or below it, already. */
wsam_status ws_onednn_limit(const char *isa, wsam_error *error);
/* What oneDNN uses, in its own words: "avx512_core_amx". Settles it for the process. */
const char *ws_onednn_isa(void);

/* Whether int8 sums are exact with what oneDNN uses: without an instruction that adds four products
 * in 32 bits it adds pairs in 16, which overflow. */
int ws_onednn_exact_int8(void);

/* Creates the primitive and reorders the weights; the caller's weights are not needed afterwards.
 */
wsam_status ws_onednn_gemm_create(const ws_onednn_gemm_desc *desc, ws_onednn_op **op,
                                  wsam_error *error);
wsam_status ws_onednn_conv_create(const ws_onednn_conv_desc *desc, ws_onednn_op **op,
                                  wsam_error *error);
/* f32 rows to `type`'s, one scale for all of them: the pass that stands before a product when its
 * rows come in f32. */
wsam_status ws_onednn_rows_create(ws_onednn_type type, size_t m, size_t k, int threads,
                                  ws_onednn_op **op, wsam_error *error);
/* LayerNorm of f32 rows; for comparison only. */
wsam_status ws_onednn_norm_create(size_t m, size_t k, const float *weight, const float *bias,
                                  float eps, int threads, ws_onednn_op **op, wsam_error *error);
void ws_onednn_free(ws_onednn_op *op);

/* Bytes of scratch that a run needs, and of the reordered weights. */
size_t ws_onednn_scratch_bytes(const ws_onednn_op *op);
size_t ws_onednn_packed_bytes(const ws_onednn_op *op);

/* Runs with oneDNN's own threads: call from outside a parallel region. May be called from several
 * threads with different scratch. */
wsam_status ws_onednn_run(const ws_onednn_op *op, const void *a, void *c, void *scratch,
                          wsam_error *error);

#endif
