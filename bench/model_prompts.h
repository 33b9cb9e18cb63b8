/* bench/model_prompts.h - the mask decoder's time per prompt. */
#ifndef WS_BENCH_MODEL_PROMPTS_H
#define WS_BENCH_MODEL_PROMPTS_H

#include "weaksam/model.h"

/* Decodes `n` single clicks in one call, three masks each, to low-resolution logits: seconds per
 * click, the median of three runs. `encoded` is a bound image of the encoder. */
wsam_status model_time_prompts(wsam_model *model, const wsam_image *encoded, int n, double *seconds,
                               wsam_error *error);

#endif
