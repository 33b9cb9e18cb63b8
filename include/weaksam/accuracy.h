/* weaksam/accuracy.h - what quantization costs: calibration before it, comparison after it. */
#ifndef WEAKSAM_ACCURACY_H
#define WEAKSAM_ACCURACY_H

#include "weaksam/base.h"
#include "weaksam/convert.h"
#include "weaksam/model.h"

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

#ifdef __cplusplus
}
#endif
#endif
