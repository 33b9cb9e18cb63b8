/* weaksam/pilot.h - is it good enough? Error rates, costs and what to do next, from reviewed images.
 *
 * A person has looked through some images of a run (weaksam/review.h). Two of five of those are a random
 * sample (`audit`); the ones of them that are complete say how often the machine is wrong on all images.
 * From what a false detection, a miss and a look cost follow a threshold for each class and three bands: take
 * unseen, look, drop. Formulas and their tests on 5 000 images with truth: docs/pilot.md.
 * Every function is thread-safe; they only read the folder of the run. */
#ifndef WEAKSAM_PILOT_H
#define WEAKSAM_PILOT_H

#include "weaksam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In any unit; only their ratios choose thresholds. */
typedef struct wsam_pilot_costs {
    double false_detection; /* a wrong object in the result */
    double miss;            /* an object that the result lacks */
    double look;            /* a person looks at one detection; 0: nobody looks */
} wsam_pilot_costs;

enum { WSAM_PILOT_MAX_COSTS = 8 };

/* Fill with wsam_pilot_options_default, then change fields. */
typedef struct wsam_pilot_options {
    const char *output; /* the run's folder, with reviewed.json */
    const char
        *detections;  /* NULL: what the machine had found on each image when it was reviewed. Else a
                               COCO file of what a machine finds on them that was not trained on them
                               (out-of-fold scores) */
    const char *page; /* an HTML file; NULL: none */
    const char *json; /* all figures as JSON; NULL: none */
    const char *rules; /* a rules file with the thresholds chosen for the first costs; NULL: none */
    size_t n_costs;    /* 3 */
    wsam_pilot_costs costs[WSAM_PILOT_MAX_COSTS]; /* 20:1, 1:1, 1:5 */
    double iou; /* a detection is right from this IoU with an object of its class on: 0.5 */
    double
        seconds_per_mask; /* to draw one by hand: 79, the 22 hours per 1 000 of COCO (Lin et al. 2014) */
    uint64_t images;      /* how many images there will be, for hours: 10000 */
    uint64_t reserved[8]; /* zero */
} wsam_pilot_options;

/* Fills in the defaults named above. */
WSAM_API void wsam_pilot_options_default(wsam_pilot_options *options);

/* A figure with its 95 % interval; `few`: fewer than ten detections or objects, low and high say nothing. */
typedef struct wsam_pilot_figure {
    double value, low, high;
    int few;
} wsam_pilot_figure;

typedef struct wsam_pilot_summary {
    size_t images;     /* complete ones of the random sample: all rates are theirs */
    size_t unfinished; /* begun ones of the sample, left out */
    size_t ranked; /* complete ones outside of the sample: they calibrate, and count in no figure */
    size_t unknown; /* complete ones of the sample without the machine's findings, left out */
    size_t detections, objects;
    wsam_pilot_figure precision, recall, false_per_image,
        missed_per_image;                                    /* everything is taken */
    double brier_before, brier_after, ece_before, ece_after; /* of confidence as a probability */
} wsam_pilot_summary;

/* Reads what was reviewed, writes the page and the files. `summary` may be NULL. WSAM_ERR_MISMATCH: no complete
 * image of the sample. Not for two threads on the same output files. */
WSAM_API wsam_status wsam_pilot(const wsam_pilot_options *options, wsam_pilot_summary *summary,
                                wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
