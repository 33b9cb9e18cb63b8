/* pipeline/regions/judge.h - how well classes are told apart on pictures that were not learnt from.
 */
#ifndef WS_PIPELINE_REGIONS_JUDGE_H
#define WS_PIPELINE_REGIONS_JUDGE_H

#include "base/error.h"
#include "weaksam/regions.h"

/* Which pictures are held out together: part[i] is 0 .. parts-1, or -1 for those that stay in the
 * training. */
typedef struct ws_split {
    int parts, cross; /* cross: every picture is held out once */
    int8_t *part;
} ws_split;

/* 15 % of at least 140 pictures; of fewer five parts, or as many as the rarest class that has two
 * pictures has. Classes are spread evenly. */
wsam_status ws_split_create(const wsam_labels *labels, uint64_t seed, ws_split *split,
                            wsam_error *error);
void ws_split_free(ws_split *split);

/* Average precision of n scores with labels (0 or 1), ties by position; -1 without a positive or
 * without a negative. `order` holds n. */
double ws_judge_average_precision(size_t n, const double *scores, const uint8_t *labels,
                                  uint32_t *order);

/* How often a positive is above a negative, of all pairs of them; ties count half. -1 likewise. */
double ws_judge_roc_area(size_t n, const double *scores, const uint8_t *labels);

/* Mean AP over classes of probabilities [n][classes] of the pictures `judged`; -1: there is none.
 */
double ws_judge_mean_ap(const wsam_labels *labels, const uint32_t *judged, size_t n,
                        const double *probabilities);

/* The whole judgement, without sources and choices. */
wsam_status ws_judge(const wsam_labels *labels, const ws_split *split, const uint32_t *judged,
                     size_t n, const double *probabilities, uint64_t seed, wsam_judgement *out,
                     wsam_error *error);

/* What a person should know of every class. */
wsam_status ws_judgement_sentences(wsam_judgement *judgement, wsam_error *error);

#endif
