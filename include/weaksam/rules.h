/* weaksam/rules.h - what cannot be: rules of a firm that detections are held against.
 *
 * A rules file is JSON:
 *
 *   {"all":     {"min_area": 60, "max_aspect": 8, "region": [[0.1, 0], [0.9, 0], [0.9, 1], [0.1, 1]]},
 *    "classes": {"nut": {"min_confidence": 0.41, "max_per_image": 12}, "label": {"region": "belt.png"}},
 *    "exclude": [["OK", "NG"]]}
 *
 *   min_area, max_area        pixels: of the mask, where there is one, else of the box
 *   min_aspect, max_aspect    width over height of the box
 *   min_confidence            of annotations that have a mask and with it a confidence (`weaksam pilot --write-rules`
 *                             chooses it); boxes alone pass
 *   max_per_image             so many of a class in an image, the surest
 *   region                    where the middle of the box has to be: a polygon in shares of width and height, or
 *                             an image file, white where it may be, stretched over the image; its name is relative
 *                             to the rules file
 *   exclude                   of such classes only the one with the surest annotation stays in an image
 *
 * What a class says goes before what `all` says. Annotations that a person decided about are never touched.
 * Rules do not change once they are read, and may be used by any number of threads. */
#ifndef WEAKSAM_RULES_H
#define WEAKSAM_RULES_H

#include "weaksam/base.h"
#include "weaksam/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wsam_rules wsam_rules;

/* Reads a file; unknown members and values out of range are errors. Immutable afterwards: any number of threads
 * may use it. */
WSAM_API wsam_status wsam_rules_load(const char *path, wsam_rules **rules, wsam_error *error);
WSAM_API void wsam_rules_free(wsam_rules *rules); /* NULL is allowed */

/* Why annotations went; each is counted once, by the first rule that it breaks. */
typedef struct wsam_rules_counts {
    size_t area, aspect, confidence, region, number, excluded;
} wsam_rules_counts;

/* Drops annotations of one image that break a rule; `classes` are the names that class_index means. Without
 * width and height regions are not looked at. Adds to `counts` (may be NULL). */
WSAM_API wsam_status wsam_rules_apply(const wsam_rules *rules, const wsam_classes *classes,
                                      int width, int height, wsam_instances *instances,
                                      wsam_rules_counts *counts, wsam_error *error);

/* The same for all images of a document, which changes in place; counts add up over images. */
WSAM_API wsam_status wsam_rules_document(const wsam_rules *rules, wsam_coco_document *document,
                                         wsam_rules_counts *counts, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
