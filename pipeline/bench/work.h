/* pipeline/bench/work.h - multiply-adds of an encoder by the type they are computed in. */
#ifndef WS_PIPELINE_BENCH_WORK_H
#define WS_PIPELINE_BENCH_WORK_H

#include "kernels/peak.h"
#include "weaksam/model.h"

typedef struct ws_work {
    double macs[3]; /* by ws_peak_type */
} ws_work;

/* Of the graph `image_encoder`: linear layers, convolutions, attention without pad keys and
 * position terms. A weight's type says what multiplies; attention's `compute` does. */
wsam_status ws_encoder_work(const wsam_model *model, ws_work *work, wsam_error *error);

#endif
