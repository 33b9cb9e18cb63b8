/* weaksam/weaksam.h - the whole public interface.
 *
 * Chapters, in the order in which a newcomer needs them:
 *
 *   simple        base.h picture.h segment.h everything.h   an image and prompts in, masks out
 *                 convert.h                                 checkpoints to weight files
 *                 dataset.h                                 a folder of images and its labels
 *   advanced      model.h                                   graphs, sessions, tensors, plans
 *                 masks.h                                   run lengths, polygons, components, NMS
 *                 clues.h stages.h lines.h                  the stages of a run, one by one
 *                 backbone.h                                patch tokens of a frozen backbone
 *                 detector.h                                detectors that were trained elsewhere
 *                 train.h                                   features, training, detection
 *                 regions.h                                 clues learnt for any classes
 *                 review.h exchange.h                       people, and their other tools
 *                 rules.h pilot.h                           what cannot be; is it good enough
 *                 evaluate.h accuracy.h report.h            how good the results are
 *                 scale.h                                   a run on more machines, simulated
 *   experimental  kernels.h                                 the kernels themselves
 *
 * Structs of options have a function that fills in defaults and reserved fields to grow into: call
 * the function first, then change fields. The experimental chapter makes no promise: its structs
 * change with the kernels. pipeline.h is the old name of picture.h, segment.h and accuracy.h. */
#ifndef WEAKSAM_WEAKSAM_H
#define WEAKSAM_WEAKSAM_H

#include "weaksam/accuracy.h"
#include "weaksam/backbone.h"
#include "weaksam/base.h"
#include "weaksam/bench.h"
#include "weaksam/clues.h"
#include "weaksam/convert.h"
#include "weaksam/dataset.h"
#include "weaksam/detector.h"
#include "weaksam/evaluate.h"
#include "weaksam/everything.h"
#include "weaksam/exchange.h"
#include "weaksam/kernels.h"
#include "weaksam/learn.h"
#include "weaksam/lines.h"
#include "weaksam/masks.h"
#include "weaksam/model.h"
#include "weaksam/picture.h"
#include "weaksam/pilot.h"
#include "weaksam/regions.h"
#include "weaksam/report.h"
#include "weaksam/review.h"
#include "weaksam/rules.h"
#include "weaksam/scale.h"
#include "weaksam/segment.h"
#include "weaksam/stages.h"
#include "weaksam/train.h"

#endif
