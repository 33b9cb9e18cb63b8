/* pipeline/coco/records_events.c - brackets and keys: where in the file the parser stands. */
#include <string.h>

#include "pipeline/coco/dataset.h"
#include "pipeline/coco/records_state.h"

/* A record needs five levels; what is skipped may have more. */
enum { MAX_DEPTH = 64 };

static int deeper(ws_records *r)
{
    if (++r->depth <= MAX_DEPTH)
        return 1;
    ws_records_fail(r, WSAM_ERR_LIMIT, "lists and objects nested more than %d deep", MAX_DEPTH);
    return 0;
}

static int wanted(const ws_records *r, ws_section section)
{
    return (int)(r->request->wanted >> section & 1);
}

static void clear_segmentation(ws_segmentation *s)
{
    s->kind = WS_SEG_NONE;
    s->size[0] = s->size[1] = 0;
    s->n_size = s->n = s->n_ends = 0;
    s->text.n = 0;
}

static void clear_record(ws_record *record)
{
    record->seen = record->texts = 0;
    clear_segmentation(&record->segmentation);
}

/* ---- keys ---- */

static int key_is(const char *name, const unsigned char *key, size_t n)
{
    return strlen(name) == n && memcmp(name, key, n) == 0;
}

static int find_field(const ws_records *r, const unsigned char *key, size_t n)
{
    const int fields = r->request->qualities ? WS_FIELDS : WS_PREDICTED_IOU;
    for (int f = 0; f < fields; f++)
        if (key_is(ws_field_rules[f].name, key, n))
            return f;
    return -1;
}

static int find_section(const ws_records *r, const unsigned char *key, size_t n)
{
    for (int s = WS_IMAGES; s < WS_OBJECT; s++)
        if (wanted(r, (ws_section)s) && key_is(ws_section_names[s], key, n))
            return s;
    return -1;
}

static int on_key(void *user, const unsigned char *key, size_t n)
{
    ws_records *r = user;
    if (r->skip)
        return 1;
    if (r->at == IN_OBJECT) {
        r->section = find_section(r, key, n);
        r->field = find_field(r, key, n) == WS_IMAGE ? WS_IMAGE : -1;
    } else if (r->at == IN_RECORD) {
        r->field = find_field(r, key, n);
    } else if (r->at == IN_MASK) {
        r->mask_key = key_is("size", key, n)     ? KEY_SIZE
                      : key_is("counts", key, n) ? KEY_COUNTS
                                                 : KEY_OTHER;
    }
    return 1;
}

/* ---- opening brackets ---- */

static int begin_section(ws_records *r, ws_section section)
{
    const unsigned bit = 1u << section;
    if (section != WS_PROPOSALS && r->sections & bit) {
        ws_records_fail(r, WSAM_ERR_FORMAT, "'%s' is there twice", ws_section_names[section]);
        return 0;
    }
    r->sections |= bit;
    r->section = (int)section;
    r->index = 0;
    r->at = IN_SECTION;
    return 1;
}

static void begin_record(ws_records *r)
{
    clear_record(&r->record);
    r->record.section = (ws_section)r->section;
    r->record.index = r->index;
    r->record.raw.n = 0;
    r->copying = r->request->raw;
    r->raw_from = ws_json_stream_consumed(r->parser) - 1; /* the bracket */
    r->at = IN_RECORD;
}

/* Whether a list or an object under the current key is passed over. A segmentation goes before the mask of a
 * crop. */
static int passes_over(const ws_records *r, int is_list)
{
    if (r->field == WS_SEGMENTATION)
        return !r->request->segmentations;
    if (r->field == WS_CROP_MASK)
        return is_list || ws_has(&r->record, WS_SEGMENTATION);
    return r->field < 0 || r->field >= WS_PREDICTED_IOU;
}

/* A list or an object where a record's field is. */
static int begin_field(ws_records *r, int is_list)
{
    const unsigned bit = r->field < 0 ? 0 : 1u << r->field;
    const int mask = r->field == WS_SEGMENTATION || r->field == WS_CROP_MASK;
    if (passes_over(r, is_list)) {
        r->skip = 1;
        return 1;
    }
    if (r->record.seen & bit) {
        ws_records_fail(r, WSAM_ERR_FORMAT, "'%s' is there twice", ws_field_rules[r->field].name);
        return 0;
    }
    if (ws_field_rules[r->field].kinds || (!is_list && !mask))
        return ws_records_wrong_field(r);
    r->record.seen |= bit;
    if (mask) {
        r->record.seen &= ~(1u << WS_CROP_MASK) | bit;
        clear_segmentation(&r->record.segmentation);
        r->at = is_list ? IN_POLYGONS : IN_MASK;
        r->record.segmentation.kind = is_list ? WS_SEG_POLYGONS : WS_SEG_NONE;
    } else {
        r->at = IN_NUMBERS;
        r->n_box = 0;
    }
    return 1;
}

static int on_start_map(void *user)
{
    ws_records *r = user;
    if (!deeper(r))
        return 0;
    if (r->skip) {
        r->skip++;
        return 1;
    }
    switch (r->at) {
    case AT_TOP:
        r->at = IN_OBJECT;
        r->section = r->field = -1;
        clear_record(&r->object);
        r->sections |= 1u << WS_OBJECT;
        return 1;
    case IN_OBJECT:
        if (r->section >= 0)
            return ws_records_not_a(r, ws_section_names[r->section], "a list");
        r->skip = 1;
        return 1;
    case IN_SECTION:
        begin_record(r);
        return 1;
    case IN_RECORD:
        return begin_field(r, 0);
    case IN_MASK:
        if (r->mask_key != KEY_OTHER)
            return ws_records_wrong_field(r);
        r->skip = 1;
        return 1;
    case IN_NUMBERS:
    case IN_SIZE:
    case IN_COUNTS:
    case IN_POLYGONS:
    case IN_POLYGON:
    default:
        return ws_records_wrong_field(r);
    }
}

static int begin_mask_list(ws_records *r)
{
    if (r->mask_key == KEY_OTHER) {
        r->skip = 1;
    } else if (r->mask_key == KEY_SIZE) {
        r->at = IN_SIZE;
    } else {
        r->at = IN_COUNTS;
        r->record.segmentation.kind = WS_SEG_COUNTS;
    }
    return 1;
}

static int on_start_array(void *user)
{
    ws_records *r = user;
    if (!deeper(r))
        return 0;
    if (r->skip) {
        r->skip++;
        return 1;
    }
    switch (r->at) {
    case AT_TOP:
        if (wanted(r, WS_RESULTS))
            return begin_section(r, WS_RESULTS);
        ws_records_fail(r, WSAM_ERR_FORMAT, "a list where a data set (an object) is wanted");
        return 0;
    case IN_OBJECT:
        if (r->section >= 0)
            return begin_section(r, (ws_section)r->section);
        r->skip = 1;
        return 1;
    case IN_RECORD:
        return begin_field(r, 1);
    case IN_MASK:
        return begin_mask_list(r);
    case IN_POLYGONS:
        r->at = IN_POLYGON;
        return 1;
    case IN_SECTION:
        return ws_records_scalar(r, A_BOOL, "f", 1); /* the same message */
    case IN_NUMBERS:
    case IN_SIZE:
    case IN_COUNTS:
    case IN_POLYGON:
    default:
        return ws_records_wrong_field(r);
    }
}

/* ---- closing brackets ---- */

static int deliver(ws_records *r, const ws_record *record)
{
    if (!r->status && wanted(r, record->section))
        r->status = r->request->fn(r->request->user, r, record);
    return r->status == WSAM_OK;
}

static int on_end_map(void *user)
{
    ws_records *r = user;
    r->depth--;
    if (r->skip) {
        r->skip--;
        return 1;
    }
    if (r->at == IN_MASK) {
        r->at = IN_RECORD;
        return 1;
    }
    if (r->at == IN_RECORD) {
        if (!ws_records_copy(r, ws_json_stream_consumed(r->parser)))
            return 0;
        r->copying = 0;
        r->index++;
        r->at = IN_SECTION;
        return (!wanted(r, r->record.section) || ws_records_id_note(r)) && deliver(r, &r->record);
    }
    r->at = AT_TOP;
    r->record.section = WS_OBJECT;
    return deliver(r, &r->object);
}

static int end_polygon(ws_records *r)
{
    ws_segmentation *s = &r->record.segmentation;
    size_t *ends = ws_grow(s->ends, s->n_ends, &s->end_capacity, sizeof *ends);
    if (!ends)
        return ws_records_no_memory(r);
    s->ends = ends;
    s->ends[s->n_ends++] = s->n;
    r->at = IN_POLYGONS;
    return 1;
}

static int on_end_array(void *user)
{
    ws_records *r = user;
    r->depth--;
    if (r->skip) {
        r->skip--;
        return 1;
    }
    switch (r->at) {
    case IN_SECTION:
        if (!ws_records_id_check(r))
            return 0;
        r->at = r->section == WS_RESULTS ? AT_TOP : IN_OBJECT;
        r->record.section = WS_OBJECT;
        return 1;
    case IN_NUMBERS:
        r->at = IN_RECORD;
        if (!r->n_box) /* an empty list stands for none */
            r->record.seen &= ~(1u << r->field);
        return r->n_box == 4 || !r->n_box ? 1 : ws_records_wrong_field(r);
    case IN_SIZE:
        r->at = IN_MASK;
        return r->record.segmentation.n_size == 2 ? 1 : ws_records_wrong_field(r);
    case IN_COUNTS:
        r->at = IN_MASK;
        return 1;
    case IN_POLYGON:
        return end_polygon(r);
    case IN_POLYGONS:
    case AT_TOP:
    case IN_OBJECT:
    case IN_RECORD:
    case IN_MASK:
    default:
        r->at = IN_RECORD;
        return 1;
    }
}

/* ---- values ---- */

static int on_null(void *user)
{
    ws_records *r = user;
    /* A field that is null is a field that is not there. */
    return r->skip || r->at == IN_RECORD || r->at == IN_OBJECT
               ? 1
               : ws_records_scalar(r, A_BOOL, "f", 1);
}

static int on_boolean(void *user, int value)
{
    return ws_records_scalar(user, A_BOOL, value ? "t" : "f", 1);
}

static int on_number(void *user, const char *text, size_t n)
{
    return ws_records_scalar(user, A_NUMBER, text, n);
}

static int on_string(void *user, const unsigned char *text, size_t n)
{
    return ws_records_scalar(user, A_TEXT, (const char *)text, n);
}

const yajl_callbacks ws_record_callbacks = {.yajl_null = on_null,
                                            .yajl_boolean = on_boolean,
                                            .yajl_number = on_number,
                                            .yajl_string = on_string,
                                            .yajl_start_map = on_start_map,
                                            .yajl_map_key = on_key,
                                            .yajl_end_map = on_end_map,
                                            .yajl_start_array = on_start_array,
                                            .yajl_end_array = on_end_array};
