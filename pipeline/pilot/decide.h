/* pipeline/pilot/decide.h - what costs least: which detections are taken unseen, looked at, or dropped. */
#ifndef WS_PIPELINE_PILOT_DECIDE_H
#define WS_PIPELINE_PILOT_DECIDE_H

#include "pipeline/pilot/calibrate.h"
#include "pipeline/pilot/interval.h"
#include "pipeline/pilot/sample.h"
#include "weaksam/pilot.h"

/* Bands of the probability that a detection is right: taken from `accept` on, dropped below `drop`, looked
 * at between. */
typedef struct ws_bands {
    double accept, drop;
} ws_bands;

/* Expected costs of a detection that is right with probability p: taken (1 - p) F, dropped p M, looked at L.
 * The least of the three for every p. Looking is left out where it never pays (L at least FM / (F + M)) and
 * where its cost is not given (0). */
ws_bands ws_decide_bands(const wsam_pilot_costs *costs);

/* What follows per image. */
typedef struct ws_outcome {
    size_t n;         /* images */
    double *accepted; /* detections taken unseen */
    double *hits;     /* right ones among them */
    double *wrong;    /* false ones among them */
    double *looked;   /* detections that somebody looks at: those right are kept, others dropped */
    double *found;    /* right ones, taken or looked at */
    double *objects;
    double *missed; /* objects that are not found */
    double *viewed; /* 1: somebody looks at something of this image */
} ws_outcome;

/* `probability` of each detection; class_index SIZE_MAX: all classes. */
wsam_status ws_decide_make(const ws_pilot_sample *s, const double *probability,
                           const ws_bands *bands, size_t class_index, ws_outcome *o,
                           wsam_error *error);
void ws_decide_free(ws_outcome *o);

/* Figures of an outcome: shares with the design effect of all detections, see interval.h. */
typedef struct ws_outcome_figures {
    ws_figure precision; /* of what is taken unseen */
    ws_figure recall;    /* of all objects */
    ws_figure wrong;     /* false detections per image */
    ws_figure missed;    /* per image */
    ws_figure cost;      /* per image, looking included */
    ws_figure viewed;    /* share of images that somebody sees */
    ws_figure looked;    /* detections looked at per image */
    double n_accepted, n_objects;
} ws_outcome_figures;

/* How much the figures move when the choice is made without a tenth of the images: variances (the delete-a-group
 * jackknife). Zeros where nothing is chosen. */
typedef struct ws_choice {
    double precision, recall, wrong, missed, looked;
} ws_choice;

wsam_status ws_decide_choice(const ws_pilot_sample *s, const ws_cross *cross, const ws_bands *bands,
                             size_t class_index, ws_choice *choice, wsam_error *error);

/* `all` is the outcome when everything is taken: what is alike within images is seen best there. */
wsam_status ws_decide_judge(const ws_outcome *o, const ws_outcome *all, const ws_choice *choice,
                            const wsam_pilot_costs *costs, ws_outcome_figures *f,
                            wsam_error *error);

#endif
