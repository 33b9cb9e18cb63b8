/* weaksam/report.h - a page on which a person looks through the labels of a data set.
 *
 * One HTML file without outside resources: the page of weaksam/review.h without a server. Whole
 * images with all their masks, those of the least certain objects first and those without any
 * among them; marks, drawn boxes and missing objects, which are exported as a review and can be
 * loaded again (wsam_import_review, wsam_review_load).
 * Every function is thread-safe, as long as no two write the same page. */
#ifndef WEAKSAM_REPORT_H
#define WEAKSAM_REPORT_H

#include "weaksam/base.h"
#include "weaksam/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fill with wsam_report_options_default, then change fields. */
typedef struct wsam_report_options {
    const char *dataset; /* a COCO data set: masks.json, or boxes alone (pgt.json) */
    const char *folder;  /* its pictures */
    const char *output;  /* the page */
    const char *title;   /* NULL: the data set's file name */
    /* A JSON list of annotation ids, or of objects with "annotation_id" or "id"
     * (pgt_suspects.json): these come first, in its order. NULL: none. */
    const char *suspects;
    int thumbnail; /* long side in pixels: 640 */
    size_t most;   /* instances on the page: 2000; whole images, those of the least certain ones */
    wsam_picture_limits limits;
    wsam_progress_fn progress;
    void *progress_user;
    const char *judgement; /* a file of wsam_judgement_json: the first part of the page; or NULL */
    uint64_t reserved[7];  /* zero */
} wsam_report_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_report_options_default(wsam_report_options *options);

typedef struct wsam_report_summary {
    size_t instances, pictures; /* on the page */
    size_t left_out;            /* instances beyond `most` */
    size_t unreadable;          /* pictures that could not be read: shown without */
    uint64_t bytes;             /* of the page */
} wsam_report_summary;

/* Writes the page. Images are sorted by their least confident instance that nobody decided about
 * (where one has no confidence: by the raw score, else the score); one without instances counts as
 * 0.5, those that people decided about come last. Masks may be polygons or run lengths of either form; the data set is read
 * as a stream. `summary` may be NULL. */
WSAM_API wsam_status wsam_report(const wsam_report_options *options, wsam_report_summary *summary,
                                 wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
