/* pipeline/pilot/pilot_read.h - the audit images of OUT/reviewed.json as a sample. */
#ifndef WS_PIPELINE_PILOT_PILOT_READ_H
#define WS_PIPELINE_PILOT_PILOT_READ_H

#include "pipeline/pilot/match.h"
#include "pipeline/pilot/sample.h"
#include "weaksam/pilot.h"

/* Of one class. */
typedef struct ws_pilot_class {
    char *name;
    double cause[WS_PILOT_CAUSES]; /* detections */
    size_t confused_with;          /* the class that most of the confused ones are of */
    double confused_most;
    double objects, unfound,
        small_unfound; /* no detection hits them; those below 1/200 of the image */
} ws_pilot_class;

typedef struct ws_pilot_data {
    ws_pilot_sample reviewed; /* complete images */
    ws_pilot_sample sample;   /* ws_sample_audit of them */
    ws_pilot_class *classes;  /* [sample.n_classes] */
    double *seconds;          /* [n_pictures]: looked at; 0: not measured */
    size_t unfinished, ranked, unknown, without_record;
    int open_journal; /* decisions that reviewed.json does not have yet */
    int held_out;     /* a head has learnt since, and OUT/learn/held_out.json judges it */
} ws_pilot_data;

wsam_status ws_pilot_read(const wsam_pilot_options *options, ws_pilot_data *d, wsam_error *error);
void ws_pilot_read_free(ws_pilot_data *d);

#endif
