/* pipeline/segment/segmenter.h - working memory for one model, and its parts. */
#ifndef WS_PIPELINE_SEGMENT_SEGMENTER_H
#define WS_PIPELINE_SEGMENT_SEGMENTER_H

#include "pipeline/segment/embedding.h"
#include "pipeline/segment/model_rules.h"

enum { WS_GROUP_PROMPTS = 8 }; /* at most in one run of a decoder */

/* One decoder graph: its session, what is reserved, and the embedding that is bound. */
typedef struct ws_decoder {
    const char *graph;
    wsam_session *session;
    wsam_image *image;
    int64_t points, prompts; /* reserved */
    unsigned bound;          /* serial of the embedding; 0: none */
} ws_decoder;

struct wsam_segmenter {
    wsam_model *model;
    const wsam_kernels *kernels;
    int threads;
    ws_rules rules;
    wsam_session *encoder;
    wsam_image *encoded;
    ws_decoder decoders[2]; /* without and with a mask prompt */
    wsam_progress_fn progress;
    void *progress_user;
    wsam_timing timing;
};

/* The encoder's session and image state, where they are not there yet. */
wsam_status ws_segmenter_encoder_ready(wsam_segmenter *s, wsam_error *error);

/* Prompts of one shape, and where their answers go. */
typedef struct ws_group {
    int with_mask;
    int64_t tokens, prompts;
    int64_t first_mask, masks; /* per prompt */
    float *points;             /* [prompts][tokens][2] */
    int32_t *labels;           /* [prompts][tokens] */
    float *mask;               /* [prompts][side][side], when with_mask */
    float *iou;                /* [prompts][masks] */
    float *low_res;            /* [prompts][masks][low][low] */
    int low;
} ws_group;

/* Most prompts of this shape that fit one run: a bound on memory that results do not depend on. */
int64_t ws_segmenter_group_limit(int64_t tokens);
/* Binds the embedding where it is not bound yet, and reserves. *prompts may come back smaller when
 * the model's memory limit asks for it. */
wsam_status ws_segmenter_decoder_ready(wsam_segmenter *s, const wsam_embedding *e, int with_mask,
                                       int64_t tokens, int64_t *prompts, wsam_error *error);
wsam_status ws_segmenter_decoder_run(wsam_segmenter *s, const ws_group *g, wsam_error *error);

/* Full-size masks of n logit maps into masks[i]: area, box, stability, run lengths. */
wsam_status ws_segment_masks_finish(const wsam_segmenter *s, const wsam_transform *t, int low,
                                    size_t n, const float *const *logits, wsam_mask *const *masks,
                                    wsam_error *error);

#endif
