/* pipeline/stages/roi_drop.c - RoIs whose loss says that their pseudo label is wrong. */
#include "pipeline/stages/stages.h"

void wsam_roi_drop_options_default(wsam_roi_drop_options *o)
{
    *o = (wsam_roi_drop_options){
        .rule = WSAM_ROI_DROP_JOINT, .cls = 4.0, .reg = 4.0, .warmup = 2000};
}

size_t wsam_roi_drop(const float *cls_loss, const float *reg_loss, const uint8_t *foreground,
                     size_t n, int64_t iteration, const wsam_roi_drop_options *options,
                     uint8_t *keep_cls, uint8_t *keep_reg)
{
    wsam_roi_drop_options defaults;
    wsam_roi_drop_options_default(&defaults);
    const wsam_roi_drop_options *o = options ? options : &defaults;
    const int active = o->rule != WSAM_ROI_DROP_OFF && iteration >= o->warmup;
    size_t dropped = 0;
    for (size_t i = 0; i < n; i++) {
        keep_cls[i] = 1;
        keep_reg[i] = foreground[i] != 0;
        if (!active || !foreground[i])
            continue;
        const int high_cls = !((double)cls_loss[i] <= o->cls);
        const int high_reg = !((double)reg_loss[i] <= o->reg);
        const int joint = o->rule == WSAM_ROI_DROP_JOINT;
        const int both = joint ? high_cls && high_reg : high_reg;
        keep_cls[i] = !(both || (!joint && high_cls));
        keep_reg[i] = !both;
        dropped += !keep_cls[i];
    }
    return dropped;
}
