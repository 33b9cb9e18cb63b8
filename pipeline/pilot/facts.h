/* pipeline/pilot/facts.h - everything that the page and the JSON say, worked out once. */
#ifndef WS_PIPELINE_PILOT_FACTS_H
#define WS_PIPELINE_PILOT_FACTS_H

#include "pipeline/pilot/decide.h"
#include "pipeline/pilot/pilot_read.h"

/* A rule: the bands that cost least under some costs. */
typedef struct ws_pilot_rule {
    wsam_pilot_costs costs;
    ws_bands bands;
    double *accept, *drop;       /* [n_classes]: confidence from which on; above 1: never */
    ws_outcome_figures figures;  /* the choice repeated without each image */
    ws_outcome_figures *classes; /* [n_classes] */
    ws_figure hours_of_looking;  /* of options->images: the images that somebody sees */
} ws_pilot_rule;

/* A group of the chart of calibration: detections of neighbouring confidence. */
typedef struct ws_pilot_group {
    double said, held, right; /* means: confidence, probability without its image, hits */
    double n;
} ws_pilot_group;

enum { WS_PILOT_GROUPS = 8 };

typedef struct ws_pilot_facts {
    const wsam_pilot_options *o;
    ws_pilot_data data;
    ws_calibration calibration;
    ws_cross cross;
    ws_outcome_figures everything; /* all detections are taken */
    ws_outcome_figures *classes;   /* the same, [n_classes] */
    ws_pilot_rule rules[WSAM_PILOT_MAX_COSTS];
    ws_pilot_group groups[WS_PILOT_GROUPS];
    double brier_before, brier_after, ece_before, ece_after;
    ws_figure seconds;                                     /* of looking at an image */
    size_t timed;                                          /* images with seconds */
    ws_figure hours_of_review, hours_by_hand, hours_saved; /* of options->images */
} ws_pilot_facts;

wsam_status ws_pilot_facts_make(const wsam_pilot_options *o, ws_pilot_facts *f, wsam_error *error);
void ws_pilot_facts_free(ws_pilot_facts *f);

#endif
