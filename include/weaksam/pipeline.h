/* weaksam/pipeline.h - the old name of picture.h, segment.h and accuracy.h; removed in 0.3. */
#ifndef WEAKSAM_PIPELINE_H
#define WEAKSAM_PIPELINE_H

#include "weaksam/accuracy.h"
#include "weaksam/kernels.h"
#include "weaksam/picture.h"
#include "weaksam/segment.h"

#endif
