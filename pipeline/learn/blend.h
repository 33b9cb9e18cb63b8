/* pipeline/learn/blend.h - a head's scores and those of the stages before it, as one.
 *
 * Labels are chosen from the mean of both: a head that learnt from some dozen images is wrong elsewhere than clues
 * are. */
#ifndef WS_PIPELINE_LEARN_BLEND_H
#define WS_PIPELINE_LEARN_BLEND_H

#include "weaksam/stages.h"

/* Every score of a machine becomes the mean of itself and of what `scores`, a results list of the same images, says: the highest score of its class
 * there with an IoU of 0.5 or more, as a share of the highest of the class in the image (the stages' scores are small, and are compared within an
 * image alone); 0 where there is none. */
wsam_status ws_blend_scores(wsam_coco_document *d, const char *scores, wsam_error *error);

#endif
