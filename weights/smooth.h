/* weights/smooth.h - data-free smoothing of int8 inputs behind a LayerNorm. */
#ifndef WS_WEIGHTS_SMOOTH_H
#define WS_WEIGHTS_SMOOTH_H

#include "weights/builder.h"

/* Divides (norm tensors) or multiplies (the linear's columns) the values of a made tensor in place.
 */
wsam_status ws_smooth(ws_builder *b, const ws_recipe *recipe, const ws_tensor_def *tensor,
                      float *values, wsam_error *error);

#endif
