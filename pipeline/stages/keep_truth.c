/* pipeline/stages/keep_truth.c - what a person decided stands above what machines find. */
#include <stdlib.h>

#include "pipeline/coco/box_overlap.h"
#include "pipeline/stages/stages.h"

/* Two boxes of one class are the same object from 0.5 on, as evaluation counts them; of two classes
 * from 0.7 on. The share of a box that makes it a part of another is that of wsam_pgt. */
static const double same_class = 0.5, other_class = 0.7, like_rejected = 0.7, part = 0.85;

static int is_like_rejected(const wsam_instance *decided, const wsam_instance *a)
{
    const double both = ws_box_overlap(decided->bbox, a->bbox);
    const double all = decided->bbox[2] * decided->bbox[3] + a->bbox[2] * a->bbox[3] - both;
    return decided->class_index == a->class_index && both > 0 && both >= like_rejected * all;
}

static int is_again(const wsam_instance *decided, const wsam_instance *a)
{
    const double both = ws_box_overlap(decided->bbox, a->bbox), own = a->bbox[2] * a->bbox[3];
    const double all = decided->bbox[2] * decided->bbox[3] + own - both;
    if (!(both > 0))
        return 0;
    return decided->class_index == a->class_index ? both >= same_class * all || both >= part * own
                                                  : both >= other_class * all;
}

/* What is in a machine's way, counted; 0: nothing. */
static int is_decided(const wsam_instances *list, const wsam_instance *a, wsam_truth_counts *counts)
{
    for (size_t i = 0; i < list->n; i++) {
        const wsam_instance *d = &list->items[i];
        if (d->reviewed == WSAM_REVIEWED_REJECTED && is_like_rejected(d, a)) {
            counts->refused++;
            return 1;
        }
        if ((d->reviewed == WSAM_REVIEWED_ACCEPTED || d->reviewed == WSAM_REVIEWED_DRAWN) &&
            is_again(d, a)) {
            counts->again++;
            return 1;
        }
    }
    return 0;
}

static void count_decided(const wsam_instance *a, wsam_truth_counts *counts)
{
    counts->accepted += a->reviewed == WSAM_REVIEWED_ACCEPTED;
    counts->drawn += a->reviewed == WSAM_REVIEWED_DRAWN;
    counts->rejected += a->reviewed == WSAM_REVIEWED_REJECTED;
}

void wsam_keep_truth(wsam_instances *list, wsam_review_state review, wsam_truth_counts *counts)
{
    wsam_truth_counts own = {0};
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++) { /* marks first: the list shrinks while it is asked */
        wsam_instance *a = &list->items[i];
        count_decided(a, &own);
        if (a->reviewed)
            continue;
        if (review == WSAM_REVIEW_COMPLETE)
            own.complete++;
        else if (!is_decided(list, a, &own))
            continue;
        free(a->counts);
        a->counts = NULL;
        a->class_index = -1;
    }
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].reviewed || list->items[i].class_index >= 0) {
            own.machine += !list->items[i].reviewed;
            list->items[kept++] = list->items[i];
        }
    list->n = kept;
    if (!counts)
        return;
    counts->accepted += own.accepted;
    counts->drawn += own.drawn;
    counts->rejected += own.rejected;
    counts->machine += own.machine;
    counts->complete += own.complete;
    counts->refused += own.refused;
    counts->again += own.again;
}
