/* pipeline/review/doubts.h - what a run knows about how much a look at an image would change. */
#ifndef WS_PIPELINE_REVIEW_DOUBTS_H
#define WS_PIPELINE_REVIEW_DOUBTS_H

#include "pipeline/review/review_session.h"

typedef struct ws_doubts {
    double *disagreement; /* [n_images]: objects that one scorer has and another has not */
    size_t n_values;      /* of a signature; 0: there are none */
    float *signatures;    /* [n_images][n_values] of length 1, or zeros: what an image looks like */
} ws_doubts;

/* From the files of a run: its pseudo labels, those of learning, and the feature cache, as far as
 * they are there. */
wsam_status ws_doubts_load(const ws_review_session *s, ws_doubts *doubts, wsam_error *error);
void ws_doubts_free(ws_doubts *doubts);
/* Whether two images show the same scene again. */
int ws_doubts_alike(const ws_doubts *doubts, size_t a, size_t b);

#endif
