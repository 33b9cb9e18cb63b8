/* pipeline/bench/region.h - one session of a measurement and what it does once per image. */
#ifndef WS_PIPELINE_BENCH_REGION_H
#define WS_PIPELINE_BENCH_REGION_H

#include "weaksam/bench.h"

typedef struct ws_region_work ws_region_work;

/* Everything that is not timed: images are read, memory is reserved. The caller frees *work before
 * the model, also after a failure. */
wsam_status ws_region_open(wsam_model *model, const wsam_bench_options *options,
                           ws_region_work **work, wsam_error *error);
void ws_region_close(ws_region_work *work); /* NULL is allowed */

/* The timed region, for image `turn` modulo their number: its seconds. */
wsam_status ws_region_once(ws_region_work *work, size_t turn, double *seconds, wsam_error *error);

#endif
