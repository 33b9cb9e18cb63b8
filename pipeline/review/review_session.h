/* pipeline/review/review_session.h - the state of a review: images, objects, decisions.
 *
 * Not thread-safe: the server calls it from one thread. */
#ifndef WS_PIPELINE_REVIEW_REVIEW_SESSION_H
#define WS_PIPELINE_REVIEW_REVIEW_SESSION_H

#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "pipeline/coco/renamed.h"
#include "weaksam/review.h"
#include "weaksam/stages.h"

typedef struct ws_review_object {
    wsam_instance a; /* owns its texts; class_index: in the session */
    int gone;        /* removed by a person who had drawn it, or undone */
} ws_review_object;

typedef struct ws_review_image {
    char *name;
    int width, height;
    size_t n, capacity;
    ws_review_object *objects;
    wsam_review_state review;
    int missing;    /* a person says that objects are missing */
    int audit;      /* of the random sample */
    double seconds; /* looked at */
    char *machine;  /* JSON: what the machine had found before anybody decided; NULL: not known */
    char *more;     /* members of the image in earlier files that nothing here reads */
} ws_review_image;

/* An object or an image as it was before a decision. */
typedef struct ws_review_step {
    size_t image;
    int64_t object; /* 0: the image's state */
    ws_review_object before;
    int existed;
    wsam_review_state review;
    int missing;
} ws_review_step;

typedef struct ws_review_session {
    const wsam_review_options *options;
    size_t n_images, n_classes, class_capacity;
    ws_review_image *images;
    char **classes;     /* as they are shown */
    ws_renamed renamed; /* from the names of the labels, which reviewed.json has */
    size_t *order;      /* [n_images]: which image comes when */
    size_t n_listed;    /* of it, within the time that there is */
    int64_t next_id;
    wsam_id_texts *id_texts; /* of the objects */
    ws_text damaged;         /* lines of the journal that cannot be read */
    size_t n_damaged, first_damaged;
    ws_review_step *steps; /* for undo */
    size_t n_steps, step_capacity;
    FILE *journal;
    size_t unsaved;
} ws_review_session;

wsam_status ws_review_session_open(ws_review_session *s, const wsam_review_options *options,
                                   wsam_error *error);
/* Frees; reviewed.json is written by ws_review_session_save. */
void ws_review_session_close(ws_review_session *s);
/* reviewed.json, and the journal begins anew. */
wsam_status ws_review_session_save(ws_review_session *s, wsam_error *error);

/* What a request asks for. Fields that are not given keep their value; `id` 0 is a new object. */
typedef struct ws_review_change {
    size_t image;
    int64_t id;
    const char *class_name; /* NULL: as it is */
    const char *reviewed;   /* "accepted", "drawn", "rejected", "none"; NULL: as it is */
    const double *box;      /* NULL: as it is */
    const char *counts;     /* a mask with the box; "" for none; NULL: as it is */
    int remove;             /* a drawn object goes */
} ws_review_change;

/* Journaled before it returns; *id is the object's. */
wsam_status ws_review_session_change(ws_review_session *s, const ws_review_change *change,
                                     int64_t *id, wsam_error *error);
/* `review` "none", "partial", "complete" or NULL; `missing` -1: as it is. */
wsam_status ws_review_session_image(ws_review_session *s, size_t image, const char *review,
                                    int missing, wsam_error *error);
wsam_status ws_review_session_seconds(ws_review_session *s, size_t image, double seconds,
                                      wsam_error *error);
/* Takes the last decision of this session back; *image is where it was, or SIZE_MAX. */
wsam_status ws_review_session_undo(ws_review_session *s, size_t *image, wsam_error *error);

void ws_review_session_summary(const ws_review_session *s, wsam_review_summary *summary);

/* ---- review_session_load.c and review_session_object.c ---- */

wsam_status ws_review_session_load(ws_review_session *s, wsam_error *error);
wsam_status ws_review_session_class(ws_review_session *s, const char *name, int32_t *index,
                                    wsam_error *error);
/* Room for one more object of an image; NULL without memory. */
ws_review_object *ws_review_session_add(ws_review_image *image);
ws_review_object *ws_review_session_find(ws_review_image *image, int64_t id);
void ws_review_session_object_clear(ws_review_object *o);

/* ---- session_machine.c ---- */

/* What the machine found, of images that nobody has decided about: `machine`. Error rates are counted by it,
 * as boxes and classes change under a person's hand. */
wsam_status ws_review_session_machine_keep(ws_review_session *s, wsam_error *error);
/* Members of an image in reviewed.json: what this module wrote comes out again, others go to `more`. */
wsam_status ws_review_session_machine_members(ws_review_image *image, const char *members,
                                              const char *file, wsam_error *error);

/* ---- claim.c ---- */

/* Locks the journal; 0: another review has it. */
int ws_review_claim(int journal);
/* The error of that. */
wsam_status ws_review_claim_held(const char *output, wsam_error *error);

/* ---- session_journal.c ---- */

/* Opens the journal and replays what is in it; s->unsaved counts that. */
wsam_status ws_review_session_journal_open(ws_review_session *s, wsam_error *error);
/* One line each, on the disk when it returns. */
wsam_status ws_review_session_journal_object(ws_review_session *s, size_t image,
                                             const ws_review_object *o, wsam_error *error);
wsam_status ws_review_session_journal_image(ws_review_session *s, size_t image, wsam_error *error);
/* An empty journal, after its decisions are in reviewed.json. */
wsam_status ws_review_session_journal_restart(ws_review_session *s, wsam_error *error);

/* ---- session_order.c ---- */

/* Images in which looking pays first, and between them the random sample for error rates. */
wsam_status ws_review_session_order(ws_review_session *s, wsam_error *error);

#endif
