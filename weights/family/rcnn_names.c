/* weights/family/rcnn_names.c - how torchvision, detectron2 and mmdetection call the tensors of an
 * R-CNN. */
#include "weights/family/rcnn.h"

#include <stdio.h>
#include <string.h>

/* @ is the stage or level from 0, + from 1, ^ from 2; # the block; $ the convolution of a block from
 * 1; % that of the mask head from 0, * from 1. */
static const char *const names[][WS_RCNN_PARTS] = {
    [WS_RCNN_TORCHVISION] = {[WS_RCNN_STEM] = "backbone.body.conv1",
                             [WS_RCNN_STEM_NORM] = "backbone.body.bn1",
                             [WS_RCNN_CONV] = "backbone.body.layer+.#.conv$",
                             [WS_RCNN_CONV_NORM] = "backbone.body.layer+.#.bn$",
                             [WS_RCNN_SHORTCUT] = "backbone.body.layer+.#.downsample.0",
                             [WS_RCNN_SHORTCUT_NORM] = "backbone.body.layer+.#.downsample.1",
                             [WS_RCNN_LATERAL] = "backbone.fpn.inner_blocks.@.0",
                             [WS_RCNN_PYRAMID] = "backbone.fpn.layer_blocks.@.0",
                             [WS_RCNN_RPN] = "rpn.head.conv.0.0",
                             [WS_RCNN_OBJECTNESS] = "rpn.head.cls_logits",
                             [WS_RCNN_ANCHOR_DELTAS] = "rpn.head.bbox_pred",
                             [WS_RCNN_FC1] = "roi_heads.box_head.fc6",
                             [WS_RCNN_FC2] = "roi_heads.box_head.fc7",
                             [WS_RCNN_LOGITS] = "roi_heads.box_predictor.cls_score",
                             [WS_RCNN_BOX_DELTAS] = "roi_heads.box_predictor.bbox_pred",
                             [WS_RCNN_MASK_CONV] = "roi_heads.mask_head.%.0",
                             [WS_RCNN_MASK_UPSAMPLE] = "roi_heads.mask_predictor.conv5_mask",
                             [WS_RCNN_MASK_LOGITS] = "roi_heads.mask_predictor.mask_fcn_logits"},
    /* only what differs from the new names */
    [WS_RCNN_TORCHVISION_OLD] = {[WS_RCNN_LATERAL] = "backbone.fpn.inner_blocks.@",
                                 [WS_RCNN_PYRAMID] = "backbone.fpn.layer_blocks.@",
                                 [WS_RCNN_RPN] = "rpn.head.conv",
                                 [WS_RCNN_MASK_CONV] = "roi_heads.mask_head.mask_fcn*"},
    [WS_RCNN_DETECTRON2] = {[WS_RCNN_STEM] = "backbone.bottom_up.stem.conv1",
                            [WS_RCNN_STEM_NORM] = "backbone.bottom_up.stem.conv1.norm",
                            [WS_RCNN_CONV] = "backbone.bottom_up.res^.#.conv$",
                            [WS_RCNN_CONV_NORM] = "backbone.bottom_up.res^.#.conv$.norm",
                            [WS_RCNN_SHORTCUT] = "backbone.bottom_up.res^.#.shortcut",
                            [WS_RCNN_SHORTCUT_NORM] = "backbone.bottom_up.res^.#.shortcut.norm",
                            [WS_RCNN_LATERAL] = "backbone.fpn_lateral^",
                            [WS_RCNN_PYRAMID] = "backbone.fpn_output^",
                            [WS_RCNN_RPN] = "proposal_generator.rpn_head.conv",
                            [WS_RCNN_OBJECTNESS] = "proposal_generator.rpn_head.objectness_logits",
                            [WS_RCNN_ANCHOR_DELTAS] = "proposal_generator.rpn_head.anchor_deltas",
                            [WS_RCNN_FC1] = "roi_heads.box_head.fc1",
                            [WS_RCNN_FC2] = "roi_heads.box_head.fc2",
                            [WS_RCNN_LOGITS] = "roi_heads.box_predictor.cls_score",
                            [WS_RCNN_BOX_DELTAS] = "roi_heads.box_predictor.bbox_pred",
                            [WS_RCNN_MASK_CONV] = "roi_heads.mask_head.mask_fcn*",
                            [WS_RCNN_MASK_UPSAMPLE] = "roi_heads.mask_head.deconv",
                            [WS_RCNN_MASK_LOGITS] = "roi_heads.mask_head.predictor"},
    [WS_RCNN_MMDETECTION] = {[WS_RCNN_STEM] = "backbone.conv1",
                             [WS_RCNN_STEM_NORM] = "backbone.bn1",
                             [WS_RCNN_CONV] = "backbone.layer+.#.conv$",
                             [WS_RCNN_CONV_NORM] = "backbone.layer+.#.bn$",
                             [WS_RCNN_SHORTCUT] = "backbone.layer+.#.downsample.0",
                             [WS_RCNN_SHORTCUT_NORM] = "backbone.layer+.#.downsample.1",
                             [WS_RCNN_LATERAL] = "neck.lateral_convs.@.conv",
                             [WS_RCNN_PYRAMID] = "neck.fpn_convs.@.conv",
                             [WS_RCNN_RPN] = "rpn_head.rpn_conv",
                             [WS_RCNN_OBJECTNESS] = "rpn_head.rpn_cls",
                             [WS_RCNN_ANCHOR_DELTAS] = "rpn_head.rpn_reg",
                             [WS_RCNN_FC1] = "roi_head.bbox_head.shared_fcs.0",
                             [WS_RCNN_FC2] = "roi_head.bbox_head.shared_fcs.1",
                             [WS_RCNN_LOGITS] = "roi_head.bbox_head.fc_cls",
                             [WS_RCNN_BOX_DELTAS] = "roi_head.bbox_head.fc_reg",
                             [WS_RCNN_MASK_CONV] = "roi_head.mask_head.convs.%.conv",
                             [WS_RCNN_MASK_UPSAMPLE] = "roi_head.mask_head.upsample",
                             [WS_RCNN_MASK_LOGITS] = "roi_head.mask_head.conv_logits"},
};

void ws_rcnn_name(ws_rcnn_library library, ws_rcnn_part part, uint32_t stage, uint32_t block,
                  uint32_t conv, char name[WS_SOURCE_NAME + 1])
{
    static const char letters[] = "@+^#$%*";
    const uint32_t numbers[] = {stage, stage + 1, stage + 2, block, conv, conv, conv + 1};
    const char *from = names[library][part];
    size_t n = 0;
    if (!from)
        from = names[WS_RCNN_TORCHVISION][part];
    for (; *from && n + 12 < WS_SOURCE_NAME; from++) {
        const char *at = strchr(letters, *from);
        if (at)
            n += (size_t)snprintf(name + n, 12, "%u", numbers[at - letters]);
        else
            name[n++] = *from;
    }
    name[n] = 0;
}
