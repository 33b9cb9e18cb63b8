/* pipeline/learn/verdict.h - whether labels that were learnt are better than those they began with. */
#ifndef WS_PIPELINE_LEARN_VERDICT_H
#define WS_PIPELINE_LEARN_VERDICT_H

#include "weaksam/train.h"

/* Labels of one file beside those of another, by images and classes. */
typedef struct ws_label_stats {
    size_t pairs, boxes; /* of image and class that have a label; labels */
} ws_label_stats;

typedef struct ws_verdict {
    ws_label_stats first, learnt;
    size_t met;         /* pairs whose labels meet with IoU 0.5 */
    wsam_train_fit fit; /* label_ap negative: nothing was measured */
    int better;         /* 1: the learnt ones are taken */
    char why[240];      /* a sentence for people */
} ws_verdict;

/* No truth is known, so it takes several signs together: heads on half of the images tell the
 * classes of the other half better than a guess; they agree on boxes; there are about as many labels
 * as before. An underfitted head gives a flood of them (277 became 793, mask AP50 44.9 became 22.6).
 * `fit`: fit.json of the training, or a name that is not there. */
wsam_status ws_verdict_make(const char *first, const char *learnt, const char *fit,
                            ws_verdict *verdict, wsam_error *error);

#endif
