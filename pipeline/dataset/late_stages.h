/* pipeline/dataset/late_stages.h - pseudo labels and masks of a picture whose scores are known. */
#ifndef WS_PIPELINE_DATASET_LATE_STAGES_H
#define WS_PIPELINE_DATASET_LATE_STAGES_H

#include "weaksam/dataset.h"

/* item->known is there. The picture is looked at where a box has no mask yet. */
wsam_status ws_late_stages(const wsam_stage_options *options, wsam_segmenter *segmenter,
                           const wsam_run_item *item, wsam_run_output *out, wsam_error *error);

#endif
