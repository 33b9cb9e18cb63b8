/* pipeline/review/answers.h - JSON in and out of a review. */
#ifndef WS_PIPELINE_REVIEW_ANSWERS_H
#define WS_PIPELINE_REVIEW_ANSWERS_H

#include "base/text.h"
#include "pipeline/review/encoder.h"
#include "pipeline/review/review_session.h"

/* {"title","classes","images":[[name,width,height,review,missing,audit,open,objects],...] in the
 * order to look, "prompts": whether a model answers, "seconds"} */
void ws_answers_list(const ws_review_session *s, int prompts, ws_text *t);
/* {"objects":[{"id","class","box","path","score","confidence","reviewed"}]} of the image at a place
 * of the order. */
wsam_status ws_answers_objects(const ws_review_session *s, size_t place, ws_text *t,
                               wsam_error *error);

/* Requests: POST /set, /image, /undo, /seconds, /prompt with a JSON object, which are done and
 * answered. WSAM_ERR_ARGUMENT for what makes no sense. */
wsam_status ws_answers_post(ws_review_session *s, ws_encoder *encoder, const char *what,
                            const char *body, size_t n, ws_text *t, wsam_error *error);

#endif
