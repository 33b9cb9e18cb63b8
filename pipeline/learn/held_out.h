/* pipeline/learn/held_out.h - heads judged on images that people reviewed and they did not see. */
#ifndef WS_PIPELINE_LEARN_HELD_OUT_H
#define WS_PIPELINE_LEARN_HELD_OUT_H

#include "pipeline/learn/self_train.h"

/* AP at IoU 0.5 of pseudo labels on complete images; negative: not measured. */
typedef struct ws_judged {
    size_t complete;           /* images */
    double seconds;            /* of review */
    double first, mil, learnt; /* of the stages, of the first head, of the second */
} ws_judged;

/* With fewer complete images nothing is measured: an AP of a few objects says nothing. */
enum { WS_HELD_OUT_LEAST = 10 };

/* Two second heads, each trained without what people decided about half of the complete images,
 * and with it of the others; what each says of the half that it did not see goes to
 * held_out.json. Writes the figures to `output`, and a line of them to OUTPUT/review/curve.jsonl. */
wsam_status ws_held_out_make(const ws_learning *l, const char *output, wsam_error *error);
/* What the file says; no image at all where it is not there or says nothing. */
wsam_status ws_held_out_read(const char *path, ws_judged *judged, wsam_error *error);
/* Removes what is left of heads whose images were not all judged. */
wsam_status ws_held_out_drop(const ws_learning *l, wsam_error *error);

#endif
