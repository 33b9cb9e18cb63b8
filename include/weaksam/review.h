/* weaksam/review.h - a person looks through the labels of a run, in a browser.
 *
 * wsam_review_start serves a page on 127.0.0.1 on which a person accepts, rejects, corrects and adds
 * objects; with a model, a click or a box is answered with a mask. Every decision is appended to
 * OUT/review/journal.jsonl before it is acknowledged, and OUT/reviewed.json, which every later stage
 * keeps to (weaksam/stages.h, wsam_keep_truth), is written from it at the end and now and then.
 *
 * Threads: a server answers from a thread of its own. wsam_review_start and _stop of one server are
 * called by one thread; a run has one review at a time, also among processes. */
#ifndef WEAKSAM_REVIEW_H
#define WEAKSAM_REVIEW_H

#include "weaksam/base.h"
#include "weaksam/model.h"
#include "weaksam/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct wsam_review_options {
    const char *output;  /* the run's folder */
    const char *dataset; /* NULL: output/final.json, else output/masks.json */
    const char *folder;  /* the images */
    wsam_model *model;   /* a segmenter for clicks and boxes; NULL: boxes stay boxes */
    int port;            /* 0: any free one */
    int cached;          /* embeddings kept and made ahead: 8 */
    double audit;        /* share of images that come in random order and are marked: 0.4 */
    uint64_t seed;       /* of that order */
    wsam_picture_limits limits;
    /* Called with the address to open: at the start, and after each use of one, as an address is
     * good for one browser. From a thread of the server. */
    void (*address)(void *user, const char *url);
    void *user;
    double minutes; /* list as many images as take so long, at the pace so far; 0: all */
    /* Called with a line about what was found and is no failure; NULL: nobody wants to know. */
    void (*remark)(void *user, const char *text);
    uint64_t reserved[6]; /* zero */
} wsam_review_options;

/* Fills in the defaults. */
WSAM_API void wsam_review_options_default(wsam_review_options *options);

typedef struct wsam_review_server wsam_review_server;

/* What has been decided so far. */
typedef struct wsam_review_summary {
    size_t images, complete, partial;
    size_t accepted, drawn, rejected;
    double seconds; /* in which an image was in view and somebody did something */
} wsam_review_summary;

/* WSAM_ERR_IO while a review of the run in `output` is open in any process of this machine: what is
 * written to its decisions then would be lost. Thread-safe. */
WSAM_API wsam_status wsam_review_closed(const char *output, wsam_error *error);

/* The order in which a review shows images: output and dataset of the options, audit, seed and
 * minutes. Calls `fn` for each of them, which ends it with another value than 0; `audit` is 1 for
 * those of the random sample. Writes nothing. */
WSAM_API wsam_status wsam_review_order(const wsam_review_options *options,
                                       int (*fn)(void *user, const char *image, int audit),
                                       void *user, wsam_error *error);

/* Reads the data set, earlier decisions and what a stopped server left in the journal; then serves
 * until wsam_review_stop. The options are copied; model and strings must live as long. */
WSAM_API wsam_status wsam_review_start(const wsam_review_options *options,
                                       wsam_review_server **server, wsam_error *error);
/* Ends the server, writes reviewed.json and frees all, also on failure: what could not be written is
 * still in the journal, which the next review reads. `summary` may be NULL. */
WSAM_API wsam_status wsam_review_stop(wsam_review_server *server, wsam_review_summary *summary,
                                      wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
