/* pipeline/review/encoder.h - masks for clicks: embeddings in a bounded cache, made ahead. */
#ifndef WS_PIPELINE_REVIEW_ENCODER_H
#define WS_PIPELINE_REVIEW_ENCODER_H

#include "weaksam/review.h"
#include "weaksam/segment.h"

typedef struct ws_encoder ws_encoder;

/* Paths are those of images in the order in which they will be looked at. The strings belong to the
 * caller and live as long. */
wsam_status ws_review_encoder_open(const wsam_review_options *options, const char *const *paths,
                                   size_t n, ws_encoder **encoder, wsam_error *error);
void ws_review_encoder_close(ws_encoder *encoder); /* NULL is allowed */

/* Image `position` is being looked at: it and the next ones are encoded. Returns at once. */
void ws_review_encoder_look(ws_encoder *encoder, size_t position);
/* The answer to a prompt, waiting for the image's embedding. The caller frees *result. */
wsam_status ws_review_encoder_run(ws_encoder *encoder, size_t position, const wsam_prompt *prompt,
                                  wsam_result **result, wsam_error *error);

#endif
