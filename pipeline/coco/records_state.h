/* pipeline/coco/records_state.h - what the files of the record reader share. */
#ifndef WS_PIPELINE_COCO_RECORDS_STATE_H
#define WS_PIPELINE_COCO_RECORDS_STATE_H

#include "pipeline/coco/json_stream.h"
#include "pipeline/coco/records.h"

/* Where in the file the parser stands. */
typedef enum ws_place {
    AT_TOP,
    IN_OBJECT,   /* a top-level object */
    IN_SECTION,  /* a list of records */
    IN_RECORD,   /* an element of it */
    IN_NUMBERS,  /* its bbox or box */
    IN_MASK,     /* its segmentation: an object */
    IN_SIZE,     /* of the mask */
    IN_COUNTS,   /* of the mask, as a list */
    IN_POLYGONS, /* its segmentation: a list */
    IN_POLYGON
} ws_place;

enum { KEY_OTHER, KEY_SIZE, KEY_COUNTS };

/* The id of an image, a class or an annotation, and its place in the list. */
typedef struct ws_noted_id {
    int64_t id;
    size_t index;
} ws_noted_id;

struct ws_records {
    const ws_records_request *request;
    wsam_error *error;
    wsam_status status;
    ws_json_stream *parser;
    ws_place at;
    int skip, depth;     /* open brackets of something unread; all open brackets */
    int section;         /* under the last key of a top-level object; -1: none */
    int field;           /* under the last key of a record; -1: none */
    int mask_key;        /* under the last key of a segmentation */
    size_t n_box, index; /* numbers of the box; of the record in its section */
    unsigned sections;
    ws_record record, object; /* the current record; fields of the top-level object */
    uint64_t lines, bytes;    /* before the chunk */
    const char *chunk;
    int copying; /* the record's text: of this chunk from raw_from on */
    size_t raw_from;
    ws_noted_id *ids; /* of the list that is being read */
    size_t n_ids, id_capacity;
};

typedef enum ws_value_kind { A_NUMBER = 1, A_TEXT = 2, A_BOOL = 4 } ws_value_kind;

/* What a field takes: kinds 0 are lists and objects. */
typedef struct ws_field_rule {
    const char *name;
    unsigned kinds;
    const char *wants;
} ws_field_rule;

extern const ws_field_rule ws_field_rules[WS_FIELDS];
extern const char *const ws_section_names[WS_SECTIONS];
extern const yajl_callbacks ws_record_callbacks;

/* All return 0, which stops the parser. */
int ws_records_not_a(ws_records *r, const char *field, const char *wants);
int ws_records_wrong_field(ws_records *r);
int ws_records_no_memory(ws_records *r);

/* The text of the record up to `end` of the chunk; 0 when there is no memory. */
int ws_records_copy(ws_records *r, size_t end);

/* The whole number that was read: from its digits where a double has too few. 0 when it is none. */
int ws_records_whole_number(double value, const ws_text *digits, int64_t *out);

/* The current record's id, if it is an image, a class, or an annotation with one; 0 stops the parser. */
int ws_records_id_note(ws_records *r);
/* At the end of their list: 0 where two have the same. */
int ws_records_id_check(ws_records *r);

/* A value that is no list and no object. */
int ws_records_scalar(ws_records *r, ws_value_kind kind, const char *text, size_t n);

#endif
