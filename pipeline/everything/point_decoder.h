/* pipeline/everything/point_decoder.h - single-point prompts on a model: the usual source of
 * logits. */
#ifndef WS_PIPELINE_EVERYTHING_POINT_DECODER_H
#define WS_PIPELINE_EVERYTHING_POINT_DECODER_H

#include "pipeline/everything/everything.h"
#include "pipeline/segment/model_rules.h"
#include "weaksam/kernels.h"
#include "weaksam/picture.h"
#include "weaksam/segment.h"

enum { WS_ANSWERS = 3 }; /* masks 1 to 3 of the decoder: the multimask answer */

typedef struct ws_point_decoder {
    wsam_model *model;
    ws_rules rules;
    int points;         /* per prompt, padding included */
    int side;           /* of the logits */
    size_t most, group; /* prompts per call: asked for, and what fits */
    wsam_session *session;
    wsam_image *image;
    double scale[2]; /* pixels of the crop to pixels of the input square */
    float *coordinates;
    int32_t *labels;
    uint32_t *chosen; /* prompts that get masks after their scores are known */
} ws_point_decoder;

/* Opens a zeroed decoder, or one that was open for another `most`: for groups of at most so many
 * prompts, fewer where memory is short. After a failure it is as before it was opened. */
wsam_status ws_point_decoder_ready(ws_point_decoder *d, wsam_model *model, size_t most,
                                   wsam_error *error);
void ws_point_decoder_close(ws_point_decoder *d); /* of a zeroed one: nothing */

/* Binds the embedding of a crop, and says how its masks come from its logits. */
wsam_status ws_point_decoder_bind(ws_point_decoder *d, const wsam_embedding *embedding,
                                  wsam_mask_geometry *geometry, wsam_error *error);

/* ws_logits_source.decode */
wsam_status ws_point_decoder_run(ws_point_decoder *d, size_t n, const double *points, float min_iou,
                                 float *iou, float *logits, wsam_error *error);

#endif
