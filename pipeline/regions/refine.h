/* pipeline/regions/refine.h - targets for single regions, from what the learner itself thinks. */
#ifndef WS_PIPELINE_REGIONS_REFINE_H
#define WS_PIPELINE_REGIONS_REFINE_H

#include "pipeline/regions/mil_loss.h"

/* Doubles of working memory beside two tables [n][classes]. */
size_t ws_region_refine_room(size_t n);

/* In every class that the picture shows, its best region is an instance, and so are those at least
 * half as probable that lie apart from better ones; regions that overlap an instance are of the
 * class, others are not, except that weaker ones stay undecided. Regions of classes that it does
 * not show are of none. Adds to the gradient, returns the loss. `work`: 2 n classes doubles and the
 * room above. */
double ws_region_refine(const ws_region_loss *l, float (*boxes)[4], const double *values,
                        double *gradient, double *work);

#endif
