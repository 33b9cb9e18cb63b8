/* pipeline/regions/wholes.h - whole objects over their parts.
 *
 * What tells one class from the others may be a mark on an object: the learner then finds the mark,
 * and its box is not the object's. A class whose best regions mostly lie within other regions is
 * taken for such a class, and there a region hands its probability on to what surrounds it. */
#ifndef WS_PIPELINE_REGIONS_WHOLES_H
#define WS_PIPELINE_REGIONS_WHOLES_H

#include "pipeline/regions/learner.h"

/* parts [classes + 1], a text: '1' for classes that show by their parts, else '0'. They do where, in
 * more than half of the pictures of the class, the region that a learner thinks best lies within
 * another one. No class does where a tenth of the pictures show none, or one that is never seen
 * beside another ("OK" or "NG"): learnt against pictures of good parts, a mark is what is meant. */
wsam_status ws_wholes_find_classes(const ws_learner *learners, size_t n_learners,
                                   const ws_region_set *set, const wsam_labels *labels,
                                   const uint32_t *use, size_t n, int threads,
                                   const wsam_kernels *kernels, char *parts, wsam_error *error);

/* In classes that show by their parts (`parts` NULL: none), a region's whole is the smallest region
 * around it that is one object: of a predicted IoU of at least 0.5, on at most a third of the
 * picture. A whole has the probability that it or a part of it is of the class; a region that has a
 * whole keeps half of its own. scores [proposals->n][n_classes]. */
wsam_status ws_wholes_take_over(const char *parts, const wsam_proposals *proposals, float *scores,
                                size_t n_classes, wsam_error *error);

#endif
