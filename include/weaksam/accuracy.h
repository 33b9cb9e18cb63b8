/* weaksam/accuracy.h - what quantization costs: calibration before it, comparison after it,
 * and traces. Every function is thread-safe, and uses the threads of its options inside. */
#ifndef WEAKSAM_ACCURACY_H
#define WEAKSAM_ACCURACY_H

#include "weaksam/base.h"
#include "weaksam/convert.h"
#include "weaksam/model.h"
#include "weaksam/picture.h"
#include "weaksam/segment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the f32 encoder of a checkpoint over pictures (paths of PNG or JPEG files) and measures
 * every channel behind its LayerNorms, for wsam_convert_options.calibration: smoothing then follows
 * the values that occur instead of a bound from the norms' weights. Of `convert` arch, image size
 * and heads are used; `options` tells threads and level; both may be NULL. A temporary f32 file is
 * written to TMPDIR and removed. The caller frees *calibration. */
WSAM_API wsam_status wsam_calibrate(const char *checkpoint, const wsam_convert_options *convert,
                                    const char *const *pictures, size_t n,
                                    const wsam_options *options, wsam_calibration **calibration,
                                    wsam_error *error);

/* Runs the encoder of an int8 weight file over pictures and measures the inputs of its int8
 * products, for wsam_onnx_options.ranges: one constant scale for each. The caller frees
 * *calibration. */
WSAM_API wsam_status wsam_calibrate_onnx(const char *model, const char *const *pictures, size_t n,
                                         const wsam_options *options,
                                         wsam_calibration **calibration, wsam_error *error);

/* How far one output of a graph is from its f32 original. */
typedef struct wsam_graph_error {
    char graph[64], output[32];
    double relative_l2; /* |x - x0| / |x0| */
    double largest;     /* max |x - x0| */
} wsam_graph_error;

/* Converts `checkpoint` to f32 (in a temporary file that is removed), runs both models on a picture
 * that the library draws, and compares: the encoder's output, and the decoder's on the original's
 * embedding for nine clicks; of a clue network logits, maps and cross attention. Writes up to `max`
 * rows to `errors`, their number to *n. WSAM_ERR_MISMATCH when the weight file was not made from
 * this checkpoint. */
WSAM_API wsam_status wsam_verify_against(const char *path, const char *checkpoint,
                                         const wsam_options *options, wsam_graph_error *errors,
                                         size_t max, size_t *n, wsam_error *error);

/* ---- operator by operator ---- */

/* One value of a graph, as a trace saw it. */
typedef struct wsam_trace_row {
    const char *name;   /* GRAPH/OPERATOR:KIND, .N behind it for the Nth more of that name */
    const char *step;   /* what computed it, with the operators before it that it was fused with */
    const char *kernel; /* which kernel */
    int rank;
    int64_t shape[WSAM_MAX_RANK];
    double lowest, highest; /* of the values; NaN when one is */
    int compared;           /* the reference has this value: */
    double relative_l2;     /* |x - x0| / |x0| */
    double largest;         /* max |x - x0|, at element `at` (row-major) */
    int64_t at;
    float got, want; /* x and x0 there */
} wsam_trace_row;

typedef struct wsam_trace_options {
    /* What values are compared with: NULL, nothing; "plain", the lowering without fusions; a level
     * (wsam_isa_name); else a .safetensors file with tensors under the rows' names. */
    const char *reference;
    const char *save;          /* NULL, or a .safetensors file that gets all values as f32 */
    const char *pattern;       /* NULL, or of the names to look at: * ? [] as in a shell */
    const wsam_prompt *prompt; /* of segmenters; NULL: a click in the middle of the picture */
} wsam_trace_options;

/* Called for every value in the order of execution; another result than 0 ends the calls. */
typedef int (*wsam_trace_fn)(void *user, const wsam_trace_row *row);

/* Runs a model once and tells of every value that its graphs keep on the way, in the order of
 * execution: a picture and one prompt through a segmenter; one view, not mirrored, at the default
 * size through a clue network, a backbone or a detector (of a head that runs several times, the
 * first). What depends on neither picture nor prompt is left out, and so is what a fused step never
 * stores. `options` as for wsam_model_open, without its memory limit; NULL: the defaults. `trace`
 * and `fn` may be NULL; fn is called from the calling thread when all runs are done, and its rows
 * are the library's until it returns. Values wait in a temporary file in TMPDIR, up to 1 GB for
 * SAM's ViT-B. WSAM_ERR_UNSUPPORTED for models of other roles, WSAM_ERR_ARGUMENT for a prompt that
 * the model does not take, WSAM_ERR_MISMATCH when a reference file has none of the values. */
WSAM_API wsam_status wsam_trace(const char *path, const wsam_options *options,
                                const wsam_picture *picture, const wsam_trace_options *trace,
                                wsam_trace_fn fn, void *user, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
