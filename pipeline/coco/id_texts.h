/* pipeline/coco/id_texts.h - ids that are text, or have more digits than 63 bits: a number stands
 * for each in memory, and files get them back as they came. */
#ifndef WS_PIPELINE_COCO_ID_TEXTS_H
#define WS_PIPELINE_COCO_ID_TEXTS_H

#include "base/error.h"
#include "base/text.h"
#include "weaksam/stages.h"

/* From 2^52 to 2^53, the same in every file. Two ids that should meet there are told as one id that
 * is there twice. */
int64_t ws_id_texts_id(const char *text, size_t n);

/* What `id` stands for, `json` as it is written: "a1" with its quotes, or digits. *texts begins as
 * NULL. */
wsam_status ws_id_texts_add(wsam_id_texts **texts, int64_t id, const char *json, size_t n,
                            wsam_error *error);
/* Adds what `more` (may be NULL) has. */
wsam_status ws_id_texts_merge(wsam_id_texts **texts, const wsam_id_texts *more, wsam_error *error);
void ws_id_texts_free(wsam_id_texts *texts); /* NULL is allowed */

/* The JSON text of an id, or NULL where it is the number that it says. `texts` may be NULL. */
const char *ws_id_texts_get(const wsam_id_texts *texts, int64_t id);
/* The id as files have it. */
void ws_id_texts_put(ws_text *to, const wsam_id_texts *texts, int64_t id);

#endif
