/* pipeline/bench/decoder.h - the mask decoder alone: single clicks to logits. */
#ifndef WS_PIPELINE_BENCH_DECODER_H
#define WS_PIPELINE_BENCH_DECODER_H

#include "weaksam/model.h"

typedef struct ws_bench_decoder ws_bench_decoder;

/* Clicks of a fixed pattern, three masks each, on an embedding that stays valid until the decoder is
 * closed. The caller frees *decoder, also after a failure. */
wsam_status ws_bench_decoder_open(wsam_model *model, const wsam_tensor *embedding, int prompts,
                                  ws_bench_decoder **decoder, wsam_error *error);
/* All clicks in one call, behind what the decoder makes of the embedding once: peers do that in theirs. */
wsam_status ws_bench_decoder_run(ws_bench_decoder *decoder, wsam_error *error);
void ws_bench_decoder_close(ws_bench_decoder *decoder); /* NULL is allowed */

#endif
