/* pipeline/coco/image_notes.h - what a review writes about an image in reviewed.json, beside `review`: how long it was looked
 * at, whether it is of the random sample, and what the machine had found. */
#ifndef WS_PIPELINE_COCO_IMAGE_NOTES_H
#define WS_PIPELINE_COCO_IMAGE_NOTES_H

#include <cjson/cJSON.h>

#include "base/error.h"

typedef struct ws_image_notes {
    double seconds; /* 0: not measured */
    int audit, missing;
    cJSON *machine; /* a list of ws_image_notes_found, or NULL */
} ws_image_notes;

/* `members`: `"key":value` of the image, as wsam_coco_document's `more` has them (may be NULL). Values that a
 * review does not write are refused, by the names of `file` and `image`. Call ws_image_notes_free in any case. */
wsam_status ws_image_notes_read(ws_image_notes *notes, const char *members, const char *file,
                                const char *image, wsam_error *error);
void ws_image_notes_free(ws_image_notes *notes);

/* One object that the machine had found. */
typedef struct ws_found {
    const char *class_name; /* lives as long as the list */
    double box[4], score, confidence;
    int has_confidence;
} ws_found;

/* 0: it is none. */
int ws_image_notes_found(const cJSON *item, ws_found *found);

/* Seconds that a person can have looked at an image. */
int ws_image_notes_is_seconds(const cJSON *value);
/* True, false, 0 or 1. */
int ws_image_notes_is_flag(const cJSON *value);
/* Four numbers within 10^6 pixels, width and height not negative. */
int ws_image_notes_is_box(const cJSON *value);

#endif
