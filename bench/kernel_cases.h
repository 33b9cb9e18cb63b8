/* bench/kernel_cases.h - one kernel on one shape, timed: what bench_kernels.c makes its tables of.
 *
 * A product is timed in four ways. "fused": ours from f32 rows, which it rounds, quantizes or
 * normalises on the way; "ready": ours from rows prepared beforehand; "onednn": oneDNN from rows of
 * its own type; "passes": oneDNN's separate passes over f32 rows (LayerNorm where the case has one,
 * and the reorder into its type), then its product. The pairs are ready to onednn and fused to
 * passes. f32 rows without a norm need no passes, so there fused stands against onednn. (An int8
 * reorder uses one scale that is given; ours finds one scale per row. Below VNNI oneDNN adds in 16
 * bits, which overflow: its int8 is then faster than exact sums can be.) */
#ifndef WS_BENCH_KERNEL_CASES_H
#define WS_BENCH_KERNEL_CASES_H

#include "bench/gbench.h"
#include "runtime/backend_onednn.h"
#include "runtime/run/peak_rate.h"
#include "weaksam/kernels.h"

enum { N_TYPES = 3, N_WAYS = 4 };

typedef struct bench_config {
    const wsam_kernels *kernels;
    int threads, json, brief;
    const char *shapes;     /* folder */
    const char *json_to;    /* file that rows are appended to, or NULL */
    const char *onednn_isa; /* what oneDNN uses, in its words */
} bench_config;

typedef enum case_family { FAMILY_GEMM, FAMILY_ATTENTION, FAMILY_CONV, N_FAMILIES } case_family;
typedef enum case_way { WAY_FUSED, WAY_READY, WAY_ONEDNN, WAY_PASSES } case_way;

typedef struct bench_case {
    const bench_config *config;
    case_family family;
    case_way way;
    int type;       /* ws_peak_type */
    size_t m, n, k; /* of the product; of a convolution as one, too */
    wsam_act act;   /* behind the product */
    int norm;       /* LayerNorm of the rows before it */
    wsam_conv_shape conv;
    int depthwise;
    wsam_attention_shape attention;
    char where[64], shape[32], name[128];
    double ops; /* multiply and add count as two */
} bench_case;

/* gbench_fn's of the families; arg is a bench_case. */
void bench_gemm(gbench_state *state, void *arg);
void bench_gemm_onednn(gbench_state *state, void *arg);
void bench_conv(gbench_state *state, void *arg);
void bench_conv_onednn(gbench_state *state, void *arg);
void bench_attention(gbench_state *state, void *arg);

/* Zeroed memory, aligned for kernels; ends the program when there is none. */
void *bench_buffer(size_t bytes);
/* Small numbers that are exact in every type. */
float *bench_floats(size_t n);
int8_t *bench_s8(size_t n);
const wsam_gemm_kernel *bench_gemm_of(const bench_case *c);
extern const ws_onednn_type bench_onednn_types[N_TYPES];
/* Times some primitives one after another: the first reads `a`, each writes the next one's rows,
 * the last `out`. Those that are NULL are left out. */
void bench_primitives(gbench_state *state, ws_onednn_op *const *ops, int n, float *a, float *out,
                      size_t row_bytes);

#endif
