/* weaksam/kernels.h - the mathematics, usable without the runtime.
 *
 * Experimental: the tables of function pointers grow and change with the kernels, so that a program
 * that reads them must be built with the headers of the library it is linked with. The functions
 * about levels (wsam_isa_*) stay.
 *
 * wsam_kernels_for returns a table of function pointers for one instruction-set level. A kernel
 * allocates nothing, starts no thread, does no I/O and keeps no state: the caller tiles, threads
 * and gives scratch memory. Arrays are row-major, channels last (an image of C channels is
 * [H][W][C] = H*W token rows of C values). Pointers must be aligned for their type; `packed`,
 * `prepared` and `scratch` buffers to 64 bytes. Outputs may not overlap inputs unless it is said.
 *
 * Numbers. Each element of a result depends on its own inputs only, never on how the caller split
 * the work into rows, panels or tasks. s32 sums of int8 products, and resize, threshold, count, RLE
 * and NMS results are equal on every level; float results agree within the bounds in tests/. The
 * table's C version of each function is its specification.
 *
 * The caller sets round-to-nearest; flushing denormals to zero is allowed. */
#ifndef WEAKSAM_KERNELS_H
#define WEAKSAM_KERNELS_H

#include "weaksam/base.h"
#include "weaksam/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- levels ---------------------------------------------------------------------------------- */

/* The levels this build knows, in rising order within a family: "c", "avx2", "avxvnni", "avx512",
 * "avx512vnni", "avx512bf16", "amx" on x86-64; "c", "neon", "dotprod", "i8mm" on AArch64. NULL past
 * the end. A level is a set of features; wsam_isa_supported tells whether this machine has them. */
WSAM_API const char *wsam_isa_name(int index);

/* 1 when this build knows the level and this machine has all its features, else 0. */
WSAM_API int wsam_isa_supported(const char *isa);

/* Why wsam_isa_supported is 0, in a few words for a message; NULL where it is 1. Asking for "amx"
 * asks Linux for the tile registers, once per process. Linux refuses them where an alternate signal
 * stack is too small for them, and later refuses such stacks to a process that has them; a process
 * that names another level never asks. */
WSAM_API const char *wsam_isa_missing(const char *isa);

/* The fastest level of this machine: the last supported one, but not "avx512bf16" where bf16
 * products run at half the rate of f32 ones (Intel's cores with AMX, which take "amx"). */
WSAM_API const char *wsam_isa_best(void);

/* ---- GEMM: C[m][n] = epilogue(rows[m][k] . weight[n][k]^T) ----------------------------------- */

typedef enum wsam_act {
    WSAM_ACT_NONE = 0,
    WSAM_ACT_GELU = 1, /* x/2 (1 + erf(x/sqrt 2)) */
    WSAM_ACT_RELU = 2,
    WSAM_ACT_SIGMOID = 3
} wsam_act;

/* Rows of the left operand as they stand in memory, and what happens to them on the way in:
 * row + add_row, then LayerNorm over the k values (biased variance, two passes). */
typedef struct wsam_rows {
    const float *data;
    size_t ld;        /* floats between rows */
    const float *add; /* NULL, or rows to add (position codes) */
    size_t ld_add;
    const float *norm_weight, *norm_bias; /* [k], or NULL: no LayerNorm */
    float norm_eps;
} wsam_rows;

/* y = act(sum + bias) + residual */
typedef struct wsam_epilogue {
    const float *bias; /* [n] or NULL */
    wsam_act act;
    const float *residual; /* NULL, or rows of n floats; may be the output itself */
    size_t ld_residual;
} wsam_epilogue;

/* A result in bf16, which is rounded from relu(y + residual): rows ldc and ld_residual values apart. */
typedef struct wsam_narrow_result {
    uint16_t *c; /* column 0 */
    size_t ldc;
    const uint16_t *residual; /* or NULL; may be c */
    size_t ld_residual;
    int relu; /* else y + residual as it is */
} wsam_narrow_result;

struct wsam_conv_shape;

/* One GEMM family: f32, bf16 (operands rounded to bf16, sums in f32) or s8 (weights s8 with a scale
 * per column; rows quantized by `prepare` with a scale per row; s32 sums). */
typedef struct wsam_gemm_kernel {
    const char *name; /* operation, types, tile, level: "gemm_s8_14x32_avx512vnni" */
    size_t nr;        /* columns per panel */
    size_t rows;      /* rows per call of `run` that suit the caches */

    /* Of a whole weight: its panels, equally far apart, and what may be read behind the last one. */
    size_t (*packed_bytes)(size_t n, size_t k);
    /* Packs panels [p0, p1) (nr columns each, the last one padded) of a weight [n][k] of `type`
     * (f32 or bf16 for the float kernels; s8 with `scale` [n] for the s8 kernel). */
    void (*pack)(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                 size_t p0, size_t p1, void *packed);

    size_t (*prepared_bytes)(size_t m, size_t k);
    /* Brings m rows into the form `run` reads: add, LayerNorm, then copy, round to bf16, or
     * quantize (scale = max|x|/127, round half to even, a zero row has scale 0, NaN propagates to
     * the row's scale). */
    void (*prepare)(size_t m, size_t k, const wsam_rows *rows, void *prepared);

    /* The same of m rows in bf16, ld values apart, with neither add nor LayerNorm; NULL where rows
     * have to be widened first. */
    void (*prepare_narrow)(size_t m, size_t k, const uint16_t *rows, size_t ld, void *prepared);

    /* Row i of m in each of n products, as `prepare` places it: their rows i are ldx floats apart from x
     * on, and the prepared rows of a product take `bytes`. With neither add nor LayerNorm; NULL where the
     * rows of a product have to be prepared together. */
    void (*prepare_row)(size_t m, size_t k, size_t i, size_t n, const float *x, size_t ldx,
                        void *prepared, size_t bytes);

    /* The same of rows that are the patches of output pixels [p0, p1) of an image x, as im2col
     * writes them, from where the pixels lie. Returns 0, having done nothing, for shapes that want
     * im2col; NULL where all do. */
    int (*prepare_patches)(const struct wsam_conv_shape *shape, const float *x, size_t p0,
                           size_t p1, void *prepared);

    /* c[i][j] for i < m, n0 <= j < n1; n0 a multiple of nr; c points at column 0. `packed` holds
     * all n columns. */
    void (*run)(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                const void *packed, const wsam_epilogue *epilogue, float *c, size_t ldc);

    /* `run` with a result in bf16; NULL where rows of f32 have to be rounded. */
    void (*run_narrow)(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                       const void *packed, const wsam_epilogue *epilogue,
                       const wsam_narrow_result *result);

    /* s8 only: the bare sums. NULL for the others. */
    void (*run_s32)(size_t m, size_t n, size_t k, size_t n0, size_t n1, const void *prepared,
                    const void *packed, int32_t *c, size_t ldc);
} wsam_gemm_kernel;

/* ---- attention ------------------------------------------------------------------------------- */

typedef enum wsam_bias {
    WSAM_BIAS_NONE = 0,
    WSAM_BIAS_SEPARABLE = 1, /* q.rel_h[yq-yk+G-1] + q.rel_w[xq-xk+G-1], q unscaled */
    WSAM_BIAS_TABLE = 2      /* table[head][(yq-yk+G-1)(2G-1) + xq-xk+G-1] */
} wsam_bias;

/* out_i = sum_j softmax_j(scale q_i.k_j + bias(i,j)) v_j per head. Sequences are grids: a plain
 * sequence of n tokens is 1 x n. With a bias or a window the query grid is the key grid. */
typedef struct wsam_attention_shape {
    int heads, head_dim;
    int q_h, q_w; /* query grid */
    int k_h, k_w; /* key grid */
    int window;   /* 0: every query sees every key; else windows of this side from the top left */
    int padded; /* windows that reach over the edge see pad keys and values there (else nothing) */
    wsam_bias bias;
    float scale;
} wsam_attention_shape;

/* Head h of token t of q stands at q + t*ld_q + h*head_dim, the others alike. */
typedef struct wsam_attention_io {
    const float *q, *k, *v;
    size_t ld_q, ld_k, ld_v;
    const float *pad_k, *pad_v; /* [heads*head_dim], when shape.padded */
    const void *bias;           /* written by prepare_bias; NULL for WSAM_BIAS_NONE */
    float *out;
    size_t ld_out;
} wsam_attention_io;

/* One attention kernel: f32 or bf16 products (softmax always f32). The work is cut into tasks by
 * shape alone; tasks of one stage may run in any order on any thread. */
typedef struct wsam_attention_kernel {
    const char *name;

    /* Constants of the layer, computed once: rel_h, rel_w [2G-1][head_dim] or table
     * [heads][(2G-1)^2]. */
    size_t (*bias_bytes)(const wsam_attention_shape *shape);
    void (*prepare_bias)(const wsam_attention_shape *shape, const float *rel_h, const float *rel_w,
                         const float *table, void *bias);

    /* Stage 1: keys and values into the form the tiles read. 0 tasks where tiles pack for
     * themselves. */
    size_t (*packed_bytes)(const wsam_attention_shape *shape);
    int (*pack_tasks)(const wsam_attention_shape *shape);
    void (*pack)(const wsam_attention_shape *shape, const wsam_attention_io *io, int task,
                 void *packed);

    /* Stage 2: a task computes whole output rows of one head. scratch is per thread. */
    size_t (*scratch_bytes)(const wsam_attention_shape *shape);
    int (*run_tasks)(const wsam_attention_shape *shape);
    void (*run)(const wsam_attention_shape *shape, const wsam_attention_io *io, int task,
                const void *packed, void *scratch);
} wsam_attention_kernel;

/* ---- convolution ----------------------------------------------------------------------------- */

/* Dense convolutions are im2col rows times a packed weight [O][kh*kw*C]; transposed 2x2 ones a
 * product with a weight [s*s*O][C], then pixel_shuffle. */
typedef struct wsam_conv_shape {
    int in_h, in_w, channels;
    int out_h, out_w;
    int kernel_h, kernel_w;
    int stride, pad, dilation;
} wsam_conv_shape;

typedef struct wsam_conv_kernels {
    const char *name;
    /* Patches of the output pixels [p0, p1) (row-major) as rows [kh][kw][C]; zero where padded. `x`
     * holds the input rows from row x_y0 on (a band of the image is enough). */
    void (*im2col_f32)(const wsam_conv_shape *shape, const float *x, int x_y0, size_t p0, size_t p1,
                       float *rows);
    /* Depthwise convolution of the output rows [y0, y1); weight [kh*kw][C], bias [C]; `out` points
     * at output row y0, `x` at input row x_y0. */
    void (*depthwise_f32)(const wsam_conv_shape *shape, const float *x, int x_y0,
                          const float *weight, const float *bias, wsam_act act, int y0, int y1,
                          float *out);
    /* Output rows [y0, y1) of a max-pool, equal on every level. NaN wins over numbers, padding over
     * nothing: a window without a pixel gives -inf. */
    void (*max_pool_f32)(const wsam_conv_shape *shape, const float *x, int x_y0, int y0, int y1,
                         float *out);
    /* rows [w][s][s][O] of one input row of a transposed convolution -> s output rows of w*s*O
     * floats. */
    void (*pixel_shuffle_f32)(int w, int s, int o, const float *rows, float *out, size_t ld_out);
} wsam_conv_kernels;

/* ---- norms, activations, element-wise -------------------------------------------------------- */

typedef struct wsam_vector_kernels {
    const char *name;
    /* Rows of c values, biased variance in two passes: (x-mean)/sqrt(var+eps)*w + b. y may be x. */
    void (*layer_norm_f32)(size_t m, size_t c, const float *x, size_t ldx, const float *w,
                           const float *b, float eps, float *y, size_t ldy);
    /* Sum of (x - shift), and of its square, over n values, in blocks of 512 combined in index
     * order. */
    void (*moments_f32)(size_t n, const float *x, float shift, double out[2]);
    /* y[i][j] = x[i][j]*scale[j] + shift[j]; y may be x. */
    void (*scale_shift_f32)(size_t m, size_t c, const float *x, const float *scale,
                            const float *shift, float *y);
    /* y may be x in all of these. */
    void (*act_f32)(wsam_act act, size_t n, const float *x, float *y);
    void (*exp_f32)(size_t n, const float *x, float *y);
    void (*softmax_f32)(size_t m, size_t n, const float *x, size_t ldx, float *y, size_t ldy);
    /* |x| up to 1e4, range-reduced. */
    void (*sincos_f32)(size_t n, const float *x, float *s, float *c);
    void (*add_f32)(size_t n, const float *a, const float *b, float *y);
    void (*mul_f32)(size_t n, const float *a, const float *b, float *y);
    /* out[p] = sum_c a[p][c] * v[c], p < m: one mask of a mask product. */
    void (*dot_rows_f32)(size_t m, size_t c, const float *a, size_t lda, const float *v,
                         float *out);
    void (*bf16_to_f32)(size_t n, const uint16_t *x, float *y);
    /* Rounds to nearest even; NaN stays NaN. */
    void (*f32_to_bf16)(size_t n, const float *x, uint16_t *y);
    /* y[j*ldy + i] = x[i*ldx + j], i < m, j < k; y may not overlap x. */
    void (*transpose_f32)(size_t m, size_t k, const float *x, size_t ldx, float *y, size_t ldy);
} wsam_vector_kernels;

/* ---- resize ---------------------------------------------------------------------------------- */

/* One axis of Pillow's 8-bit resampler: for output i, taps [lo[i], lo[i]+n[i]) with 22-bit weights
 * at q + i*max_taps. wsam_filter: bilinear is the triangle, bicubic has a = -0.5. */
typedef struct wsam_resample {
    int n_in, n_out, max_taps;
    int32_t *lo, *n, *q;
} wsam_resample;

typedef struct wsam_resize_kernels {
    const char *name;
    /* One row of `channels` interleaved bytes: n_in pixels -> n_out pixels. */
    void (*horizontal_u8)(const wsam_resample *axis, int channels, const uint8_t *in, uint8_t *out);
    /* Output row y of a row of `bytes` bytes; rows[j] = input row lo[y]+j. */
    void (*vertical_u8)(const wsam_resample *axis, int y, size_t bytes, const uint8_t *const *rows,
                        uint8_t *out);
    /* PyTorch bilinear, align_corners false, no antialias, on rows: output row y of
     * [in_h][in_w][channels]. */
    void (*bilinear_row_f32)(int in_h, int in_w, int channels, const float *in, int out_h,
                             int out_w, int y, float *out);
    /* PyTorch bicubic, A = -0.75. */
    void (*bicubic_row_f32)(int in_h, int in_w, int channels, const float *in, int out_h, int out_w,
                            int y, float *out);
} wsam_resize_kernels;

/* Bytes for the tables of one axis. */
WSAM_API size_t wsam_resample_bytes(int n_in, int n_out, wsam_filter filter);

/* Computes the tables of one axis into `memory` of wsam_resample_bytes bytes, aligned for int32_t,
 * which must outlive *axis. */
WSAM_API void wsam_resample_init(wsam_resample *axis, int n_in, int n_out, wsam_filter filter,
                                 void *memory);

/* ---- masks ----------------------------------------------------------------------------------- */

/* From low-resolution logits to a full-size binary mask, in one pass by rows.
 *
 * WSAM_UPSCALE_BILINEAR_TWICE: low_h x low_w -> square_h x square_w, its top left crop_h x crop_w
 * -> out_h x out_w, both bilinear without antialias in f32, x before y in each (SAM).
 * WSAM_UPSCALE_BICUBIC: low_h x low_w -> out_h x out_w, A = -0.75 (EfficientSAM); square and crop
 * are not read. */
typedef enum wsam_upscale {
    WSAM_UPSCALE_BILINEAR_TWICE = 0,
    WSAM_UPSCALE_BICUBIC = 1
} wsam_upscale;

typedef struct wsam_mask_geometry {
    wsam_upscale filter;
    int low_h, low_w;
    int square_h, square_w;
    int crop_h, crop_w;
    int out_h, out_w;
} wsam_mask_geometry;

/* Taps of one axis: output i = sum over t of weight[t*stride + i] * input[first[i] + t]. */
typedef struct wsam_taps {
    int count, stride;
    int taps;            /* 2 or 4 */
    int reach8, reach16; /* most inputs between first and last tap of 8 and 16 aligned outputs */
    const int32_t *first;
    const float *weight;
} wsam_taps;

/* A geometry with its tables; immutable once made, shared by any number of threads. */
typedef struct wsam_mask_plan {
    wsam_mask_geometry geometry;
    wsam_taps x1, y1; /* low -> square; not for bicubic */
    wsam_taps x2, y2; /* crop (bicubic: low) -> out */
} wsam_mask_plan;

/* A pixel is set when logit > threshold (inclusive: >=). The stability counts are of logits >
 * threshold + offset and > threshold - offset, always strict. */
typedef struct wsam_mask_rule {
    float threshold, offset;
    int inclusive;
} wsam_mask_rule;

/* Of a mask or some rows of one. The box is tight and inclusive; x1 = y1 = -1 for an empty mask. */
typedef struct wsam_mask_stats {
    uint64_t area, above_high, above_low;
    int32_t x0, y0, x1, y1;
} wsam_mask_stats;

/* Bytes for the tables of a geometry; 0 when a size is below 1 or above 65536, or the crop is not
 * inside the square. */
WSAM_API size_t wsam_mask_plan_bytes(const wsam_mask_geometry *geometry);

/* Computes the tables into `memory` of wsam_mask_plan_bytes bytes, 64-byte aligned, which must
 * outlive the plan. The geometry must be one for which that is not 0. */
WSAM_API void wsam_mask_plan_init(wsam_mask_plan *plan, const wsam_mask_geometry *geometry,
                                  void *memory);

typedef struct wsam_mask_kernels {
    const char *name;
    size_t (*scratch_bytes)(const wsam_mask_plan *plan);
    /* Rows [y0, y1) of the mask of logits [low_h][low_w]: writes their words of `bits` (layout of
     * masks.h; the words of a whole mask are allocated) and *stats. y0 is a multiple of 64, y1 too
     * or out_h. Results are equal on every level and for every division into rows. */
    void (*upscale)(const wsam_mask_plan *plan, const wsam_mask_rule *rule, const float *logits,
                    int y0, int y1, void *scratch, uint64_t *bits, wsam_mask_stats *stats);
} wsam_mask_kernels;

/* *into = both together; start from a zeroed struct with x1 = y1 = -1. */
WSAM_API void wsam_mask_stats_merge(wsam_mask_stats *into, const wsam_mask_stats *from);

/* above_high / above_low in f32; NaN when both are 0, so that it fails every >= test. */
WSAM_API float wsam_mask_stability(const wsam_mask_stats *stats);

/* ---- regions of interest --------------------------------------------------------------------- */

typedef enum wsam_roi_rule {
    WSAM_ROI_ALIGN_HALF = 0, /* detectron2, mmdetection: cell centres at half, nothing outside */
    WSAM_ROI_ALIGN = 1,      /* torchvision: no half, at least one cell, nothing outside */
    WSAM_ROI_CLAMPED = 2     /* as the first, with samples held inside of the map */
} wsam_roi_rule;

/* A map [height][width][channels], and how boxes in pixels lie on it. */
typedef struct wsam_roi_shape {
    int height, width, channels;
    float scale_x, scale_y; /* cells per pixel */
    int bins;               /* per axis */
    int ratio;              /* samples per bin and axis; 0: one per cell, rounded up */
    wsam_roi_rule rule;     /* not read by max_pool_f32 */
} wsam_roi_shape;

typedef struct wsam_roi_kernels {
    const char *name;
    /* RoIAlign of one box x0, y0, x1, y1: bins*bins rows of channels, ld_out floats apart. */
    void (*align_f32)(const wsam_roi_shape *shape, const float *map, const float box[4], float *out,
                      size_t ld_out);
    /* The same of a map in bf16, of a multiple of 16 channels. */
    void (*align_bf16)(const wsam_roi_shape *shape, const uint16_t *map, const float box[4],
                       float *out, size_t ld_out);
    /* RoI max-pool as in Caffe: corners rounded to cells, inclusive; 0 in empty bins. */
    void (*max_pool_f32)(const wsam_roi_shape *shape, const float *map, const float box[4],
                         float *out, size_t ld_out);
} wsam_roi_kernels;

/* ---- the table ------------------------------------------------------------------------------- */

typedef struct wsam_kernels {
    const char *isa;
    wsam_gemm_kernel gemm_f32, gemm_bf16, gemm_s8;
    wsam_attention_kernel attention_f32, attention_bf16;
    wsam_conv_kernels conv;
    wsam_vector_kernels vector;
    /* Attention between a few tokens and many rows, as this library's runtime cuts it: no part of
     * the interface. */
    const struct ws_token_kernels *tokens;
    const char *tokens_name;
    wsam_resize_kernels resize;
    wsam_mask_kernels mask;
    wsam_roi_kernels roi;
} wsam_kernels;

/* The table of a level; NULL or "" takes WEAKSAM_ISA from the environment, else the best level of
 * this machine. WSAM_ERR_ARGUMENT: an unknown name. WSAM_ERR_UNSUPPORTED: this machine does not have
 * the level. *kernels lives as long as the process. Thread-safe. */
WSAM_API wsam_status wsam_kernels_for(const char *isa, const wsam_kernels **kernels,
                                      wsam_error *error);

/* Sets round-to-nearest, denormals to zero and masked exceptions for this thread. Returns the old
 * floating-point control word. */
WSAM_API uint64_t wsam_float_enter(void);

/* Puts the control word back that wsam_float_enter returned. */
WSAM_API void wsam_float_restore(uint64_t saved);

#ifdef __cplusplus
}
#endif
#endif
