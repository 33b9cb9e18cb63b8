/* pipeline/coco/records.h - COCO files and proposal lines as a stream of records.
 *
 * A file is a list of results, or objects with the sections below (one data set, or JSON lines).
 * Only the fields named here are looked at; everything else is skipped unread. */
#ifndef WS_PIPELINE_COCO_RECORDS_H
#define WS_PIPELINE_COCO_RECORDS_H

#include "base/error.h"
#include "base/json_writer.h"
#include "pipeline/coco/id_texts.h"

typedef enum ws_section {
    WS_RESULTS,     /* elements of a top-level list */
    WS_IMAGES,      /* elements of `images` of a top-level object, and so on */
    WS_ANNOTATIONS, /* `annotations` */
    WS_CATEGORIES,  /* `categories` */
    WS_PROPOSALS,   /* `proposals` */
    WS_OBJECT,      /* a top-level object itself, after all that is in it */
    WS_SECTIONS
} ws_section;

typedef enum ws_field {
    WS_ID,
    WS_IMAGE_ID,
    WS_CATEGORY_ID,
    WS_AREA,
    WS_SCORE,
    WS_ISCROWD,
    WS_IGNORE,
    WS_DIFFICULT,
    WS_HEIGHT,
    WS_WIDTH,
    WS_FILE_NAME,
    WS_NAME,
    WS_IMAGE,
    WS_BBOX,
    WS_BOX,
    WS_SEGMENTATION,
    WS_PREDICTED_IOU, /* this and what follows: where the request asks for qualities */
    WS_STABILITY,
    WS_CONFIDENCE,
    WS_RAW_SCORE,
    WS_SOURCE,
    WS_REVIEWED,
    WS_REVIEW,
    WS_AUDIT,
    WS_CROP_MASK, /* read as a segmentation is, where there is none */
    WS_FIELDS
} ws_field;

/* A segmentation as it stands: polygons, numbers or text of run lengths. */
typedef enum ws_segmentation_kind {
    WS_SEG_NONE,
    WS_SEG_POLYGONS,
    WS_SEG_COUNTS,
    WS_SEG_TEXT
} ws_segmentation_kind;

typedef struct ws_segmentation {
    ws_segmentation_kind kind;
    double size[2]; /* rows, columns; 0 when not said */
    size_t n_size;
    double *numbers; /* of all polygons, or the run lengths */
    size_t n, capacity;
    size_t *ends; /* of each polygon in numbers */
    size_t n_ends, end_capacity;
    ws_text text;
} ws_segmentation;

typedef struct ws_record {
    ws_section section;
    size_t index;         /* in its section */
    unsigned seen, texts; /* bits 1 << ws_field: present; given as a string */
    double number[WS_FIELDS];
    ws_text text[WS_FIELDS];
    double box[4]; /* bbox or box */
    ws_segmentation segmentation;
    ws_text raw; /* the record as it stands in the file, where the request asks for it */
} ws_record;

typedef struct ws_records ws_records;

/* Called for every record of a wanted section. Errors are reported with ws_records_fail. */
typedef wsam_status (*ws_record_fn)(void *user, ws_records *records, const ws_record *record);

typedef struct ws_records_request {
    const char *path;
    unsigned wanted;   /* bits 1 << ws_section */
    int segmentations; /* read them; else they are skipped */
    int raw;           /* keep the text of records */
    int qualities;     /* likewise; another kind of value under such a name is another program's and
                          is skipped */
    ws_record_fn fn;
    void *user;
} ws_records_request;

/* *sections receives the sections that the file has (may be NULL). */
wsam_status ws_records_read(const ws_records_request *request, unsigned *sections,
                            wsam_error *error);

/* "FILE: annotations[3]: ..." or, in lines, "FILE:3: proposals[3]: ...". */
wsam_status ws_records_fail(ws_records *r, wsam_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The first character that is no space; 0 when there is none. */
wsam_status ws_records_peek(const char *path, int *first, wsam_error *error);

static inline int ws_has(const ws_record *r, ws_field f)
{
    return r->seen >> f & 1;
}

/* Whether a person rejected the annotation: it is no object. */
int ws_records_is_rejected(const ws_record *r);

/* A field that has to be there as a whole number, or as text (see id_texts.h); an error that names
 * it otherwise. */
wsam_status ws_records_id(ws_records *r, const ws_record *record, ws_field f, int64_t *id);
/* Refuses a box that is none: not finite, beyond 10^6 pixels, or of a negative width or height. */
wsam_status ws_records_check_box(ws_records *r, const ws_record *record);
/* What a person said of an image (WS_REVIEW: 1 partial, 2 complete) or of an object (WS_REVIEWED: 1
 * accepted, 2 drawn, 3 rejected); 0 where there is nothing. Other words are refused. */
wsam_status ws_records_word(ws_records *r, const ws_record *record, ws_field f, int *out);
/* Whether that number stands for a text. */
int ws_records_id_is_text(const ws_record *record, ws_field f);
/* Keeps the text that `id` stands for, where it does. */
wsam_status ws_records_id_keep(ws_records *r, const ws_record *record, ws_field f, int64_t id,
                               wsam_id_texts **texts);

#endif
