/* weaksam/weaksam.h - the whole public interface. */
#ifndef WEAKSAM_WEAKSAM_H
#define WEAKSAM_WEAKSAM_H

#include "weaksam/base.h"
#include "weaksam/clues.h"
#include "weaksam/convert.h"
#include "weaksam/dataset.h"
#include "weaksam/evaluate.h"
#include "weaksam/everything.h"
#include "weaksam/kernels.h"
#include "weaksam/masks.h"
#include "weaksam/model.h"
#include "weaksam/pipeline.h"
#include "weaksam/report.h"
#include "weaksam/stages.h"
#include "weaksam/train.h"

#endif
