/* pipeline/exchange/pickle_read.c - pickles of proposals and labels as JSON lines.
 *
 *   list of arrays [n][4]                      proposals (WeakSAM), images in the order of a list
 *   {boxes: list, scores: list, indexes: list} proposals (wetectron)
 *   {id: array [n][4], ...}                    proposals
 *   {id: list, ..., multi_label: {id: list}}   pseudo labels (SoS-WSOD), or any list per image
 *   list of {image_id, ...}                    a COCO results list; neighbours of an image are one line
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "pipeline/exchange/pickle_shared.h"
#include "weaksam/lines.h"
#include "weights/import/pickle.h"

/* A memo can hold a list in itself, or one array a million times. */
enum { DEEPEST = 24, MOST_VALUES = 1 << 27, LONGEST_LINE = 48 << 20 };

typedef struct reader {
    const ws_pickle *p;
    const ws_pickle_names *names;
    wsam_lines *out;
    wsam_pickle_counts *counts;
    size_t values; /* that may still be written */
    wsam_error *error;
} reader;

static wsam_status bad(const reader *r, const char *what)
{
    return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: %s", r->p->path, what);
}

static const ws_node *node_of(const reader *r, uint32_t node)
{
    return &r->p->nodes[node];
}

static int is_array(const reader *r, uint32_t node)
{
    return node_of(r, node)->kind == WS_NODE_ARRAY;
}

static size_t length_of(const reader *r, uint32_t list)
{
    size_t n = 0;
    for (uint32_t c = node_of(r, list)->first; c; c = r->p->cells[c].next)
        n++;
    return n;
}

/* ---- values ---- */

static wsam_status spend(reader *r, size_t n)
{
    if (n > r->values)
        return ws_fail(r->error, WSAM_ERR_LIMIT, "%s: the pickle unfolds into too many values",
                       r->p->path);
    r->values -= n;
    return WSAM_OK;
}

static wsam_status put_number(const reader *r, ws_text *t, double v, int digits)
{
    if (!isfinite(v))
        return bad(r, "it holds a number that is not finite");
    ws_text_printf(t, "%.*g", digits, v);
    return WSAM_OK;
}

static wsam_status put_array(reader *r, uint32_t node, ws_text *t)
{
    ws_pickle_numbers a;
    uint64_t row[WS_SOURCE_RANK], each = 1;
    wsam_status status = ws_pickle_numbers_read(r->p, node, &a, r->error);
    if (!status)
        status = spend(r, a.n + 1);
    for (int d = a.rank - 1; d >= 0; d--)
        row[d] = each *= a.dims[d];
    if (!status && !a.n && a.rank)
        ws_text_put(t, "[]", 2);
    for (size_t i = 0; i < a.n && !status; i++) {
        if (i)
            ws_text_put(t, ",", 1);
        for (int d = 0; d < a.rank; d++)
            if (i % row[d] == 0)
                ws_text_put(t, "[", 1);
        status = put_number(r, t, a.values[i], a.digits);
        for (int d = 0; d < a.rank; d++)
            if ((i + 1) % row[d] == 0)
                ws_text_put(t, "]", 1);
    }
    free(a.values);
    return status;
}

static wsam_status put_value(reader *r, uint32_t node, int depth, ws_text *t);

/* A text or a whole number as the key of an object. */
static wsam_status put_key(const reader *r, uint32_t node, ws_text *t)
{
    const ws_node *k = node_of(r, node);
    if (k->kind == WS_NODE_STRING)
        ws_json_bytes(t, k->text, k->length);
    else if (k->kind == WS_NODE_INT)
        ws_text_printf(t, "\"%" PRId64 "\"", k->number);
    else
        return bad(r, "a dictionary has a key that is neither a text nor a whole number");
    return WSAM_OK;
}

static wsam_status put_items(reader *r, uint32_t node, int depth, ws_text *t)
{
    const int dict = node_of(r, node)->kind == WS_NODE_DICT;
    wsam_status status = depth < DEEPEST ? WSAM_OK : bad(r, "its lists are too deep in each other");
    size_t i = 0;
    ws_text_put(t, dict ? "{" : "[", 1);
    for (uint32_t c = node_of(r, node)->first; c && !status; c = r->p->cells[c].next, i++) {
        const int key = dict && i % 2 == 0;
        if (i)
            ws_text_put(t, dict && !key ? ":" : ",", 1);
        status = key ? put_key(r, r->p->cells[c].node, t)
                     : put_value(r, r->p->cells[c].node, depth + 1, t);
    }
    if (!status && dict && i % 2)
        status = bad(r, "a dictionary has a key without a value");
    ws_text_put(t, dict ? "}" : "]", 1);
    return status;
}

static wsam_status put_value(reader *r, uint32_t node, int depth, ws_text *t)
{
    const ws_node *n = node_of(r, node);
    const wsam_status status = spend(r, 1);
    if (status)
        return status;
    if (t->n > LONGEST_LINE)
        return ws_fail(r->error, WSAM_ERR_LIMIT, "%s: an image has more than %d MiB", r->p->path,
                       LONGEST_LINE >> 20);
    switch (n->kind) {
    case WS_NODE_NONE:
        ws_text_put(t, "null", 4);
        return WSAM_OK;
    case WS_NODE_INT:
        ws_text_printf(t, "%" PRId64, n->number);
        return WSAM_OK;
    case WS_NODE_FLOAT:
        return put_number(r, t, n->real, 17);
    case WS_NODE_STRING:
        ws_json_bytes(t, n->text, n->length);
        return WSAM_OK;
    case WS_NODE_TUPLE:
    case WS_NODE_DICT:
        return put_items(r, node, depth, t);
    case WS_NODE_ARRAY:
    case WS_NODE_SCALAR:
        return put_array(r, node, t);
    case WS_NODE_GLOBAL:
    case WS_NODE_STORAGE:
    case WS_NODE_TENSOR:
    case WS_NODE_BYTES:
    case WS_NODE_LATIN:
    case WS_NODE_DTYPE:
    case WS_NODE_BUFFER:
    case WS_NODE_OPAQUE:
    case WS_NODE_MARK:
        break;
    }
    return bad(r, "it holds something that is no number, text, list, dictionary or numpy array");
}

/* ---- lines ---- */

/* {"image":NAME[,"id":ID][,"width":W,"height":H] */
static void begin_line(ws_text *t, const ws_pickle_image *image, const char *id)
{
    ws_text_put(t, "{\"image\":", 9);
    ws_json_string(t, image->name);
    if (id && strcmp(id, image->name) != 0) {
        ws_text_put(t, ",\"id\":", 6);
        ws_json_string(t, id);
    }
    if (image->width)
        ws_text_printf(t, ",\"width\":%d,\"height\":%d", image->width, image->height);
}

static wsam_status end_line(reader *r, ws_text *t)
{
    char *line;
    ws_text_put(t, "}\n", 2);
    wsam_status status = ws_text_take(t, &line);
    if (status)
        return ws_no_memory(r->error, r->p->path);
    status = wsam_lines_put(r->out, line, r->error);
    free(line);
    r->counts->images++;
    return status;
}

static wsam_status finish_line(reader *r, ws_text *t, wsam_status status)
{
    if (!status)
        return end_line(r, t);
    free(t->text);
    return status;
}

/* Scores of a list's boxes: [n] or [n][1]; none: NULL. */
static wsam_status read_scores(const reader *r, uint32_t node, size_t n, ws_pickle_numbers *out)
{
    *out = (ws_pickle_numbers){0};
    if (!node)
        return WSAM_OK;
    if (!is_array(r, node))
        return bad(r, "the scores of an image are no array");
    const wsam_status status = ws_pickle_numbers_read(r->p, node, out, r->error);
    if (status || out->n == n)
        return status;
    return bad(r, "an image has not as many scores as boxes");
}

static wsam_status put_boxes(reader *r, const ws_pickle_numbers *boxes,
                             const ws_pickle_numbers *scores, ws_text *t)
{
    const size_t n = boxes->n / 4;
    wsam_status status = spend(r, boxes->n);
    ws_text_put(t, ",\"proposals\":[", 14);
    for (size_t i = 0; i < n && !status; i++) {
        const double *b = boxes->values + 4 * i;
        for (int k = 0; k < 4 && !status; k++)
            if (!(fabs(b[k]) <= 1e6))
                status = bad(r, "a box has a corner that is not between -1e6 and 1e6");
        if (!status && !(b[0] <= b[2] && b[1] <= b[3]))
            status = bad(r, "a box ends before it begins; expected x0, y0, x1, y1");
        const int d = boxes->digits;
        ws_text_printf(t, "%s{\"box\":[%.*g,%.*g,%.*g,%.*g],\"source\":\"grid\"", i ? "," : "", d,
                       b[0], d, b[1], d, b[2], d, b[3]);
        if (!status && scores->values) {
            ws_text_put(t, ",\"predicted_iou\":", 17);
            status = put_number(r, t, scores->values[i], 9);
        }
        ws_text_put(t, "}", 1);
    }
    ws_text_put(t, "]", 1);
    r->counts->boxes += n;
    return status;
}

static wsam_status put_proposals(reader *r, const ws_pickle_image *image, const char *id,
                                 uint32_t boxes, uint32_t scores)
{
    ws_pickle_numbers b = {0}, s = {0};
    ws_text t = {0};
    wsam_status status = is_array(r, boxes) ? ws_pickle_numbers_read(r->p, boxes, &b, r->error)
                                            : bad(r, "the boxes of an image are no array");
    if (!status && b.n && (b.rank != 2 || b.dims[1] != 4))
        status = bad(r, "the boxes of an image are no array [n][4]");
    if (!status)
        status = read_scores(r, scores, b.n / 4, &s);
    begin_line(&t, image, id);
    if (!status)
        status = put_boxes(r, &b, &s, &t);
    free(b.values);
    free(s.values);
    return finish_line(r, &t, status);
}

/* ---- forms ---- */

static wsam_status read_list(reader *r, uint32_t top)
{
    const size_t n = length_of(r, top);
    size_t i = 0;
    wsam_status status = WSAM_OK;
    for (uint32_t c = node_of(r, top)->first; c && !status; c = r->p->cells[c].next) {
        ws_pickle_image image;
        status = ws_pickle_name_at(r->names, i++, n, &image, r->error);
        if (!status)
            status = put_proposals(r, &image, NULL, r->p->cells[c].node, 0);
        free(image.name);
    }
    return status;
}

/* A whole number or a text as an id; 0 when it is neither. */
static int id_of(const reader *r, uint32_t node, char id[256])
{
    const ws_node *n = node_of(r, node);
    ws_pickle_numbers a = {0};
    int good = 0;
    if (n->kind == WS_NODE_STRING && n->length && n->length < 256 &&
        !memchr(n->text, 0, n->length)) {
        memcpy(id, n->text, n->length);
        id[n->length] = 0;
        return 1;
    }
    if (n->kind == WS_NODE_INT) {
        snprintf(id, 256, "%" PRId64, n->number);
        return 1;
    }
    if (n->kind == WS_NODE_SCALAR && !ws_pickle_numbers_read(r->p, node, &a, NULL)) {
        good = a.n == 1 && a.whole;
        if (good)
            snprintf(id, 256, "%.0f", a.values[0]);
        free(a.values);
    }
    return good;
}

/* Three lists side by side. */
static wsam_status read_mist(reader *r, uint32_t boxes, uint32_t scores, uint32_t indexes)
{
    const ws_node *lists[3] = {node_of(r, boxes), node_of(r, scores), node_of(r, indexes)};
    wsam_status status = WSAM_OK;
    for (int k = 0; k < 3; k++)
        if (lists[k]->kind != WS_NODE_TUPLE && (k != 1 || scores))
            return bad(r, "boxes, scores and indexes are not all lists");
    uint32_t b = lists[0]->first, s = lists[1]->first, x = lists[2]->first;
    for (; b && x && !status; b = r->p->cells[b].next, x = r->p->cells[x].next) {
        ws_pickle_image image = {0};
        char id[256];
        if (scores && !s)
            break;
        status = id_of(r, r->p->cells[x].node, id) ? WSAM_OK
                                                   : bad(r, "an index is no number and no text");
        if (!status)
            status = ws_pickle_name_of(r->names, id, &image, r->error);
        if (!status)
            status = put_proposals(r, &image, id, r->p->cells[b].node, s ? r->p->cells[s].node : 0);
        free(image.name);
        s = s ? r->p->cells[s].next : 0;
    }
    if (!status && (b || x || s))
        status = bad(r, "boxes, scores and indexes are not equally long");
    return status;
}

static wsam_status begin_annotations(reader *r, const char *id, ws_text *t)
{
    ws_pickle_image image;
    const wsam_status status = ws_pickle_name_of(r->names, id, &image, r->error);
    if (!status)
        begin_line(t, &image, id);
    free(image.name);
    ws_text_put(t, ",\"annotations\":", 15);
    return status;
}

static wsam_status put_annotations(reader *r, const char *id, uint32_t value, uint32_t labels)
{
    ws_text t = {0};
    wsam_status status = begin_annotations(r, id, &t);
    if (!status)
        status = put_value(r, value, 0, &t);
    if (!status && node_of(r, value)->kind == WS_NODE_TUPLE)
        r->counts->boxes += length_of(r, value);
    if (!status && labels) {
        ws_text_put(&t, ",\"multi_label\":", 15);
        status = put_value(r, labels, 0, &t);
    }
    return finish_line(r, &t, status);
}

static wsam_status read_dictionary(reader *r, uint32_t top)
{
    static const char multi[] = "multi_label";
    const uint32_t all = ws_pickle_lookup(r->p, top, multi);
    wsam_status status = WSAM_OK;
    for (uint32_t c = node_of(r, top)->first; c && !status;) {
        const uint32_t v = r->p->cells[c].next, value = v ? r->p->cells[v].node : 0;
        char id[256];
        if (!v || !id_of(r, r->p->cells[c].node, id))
            return bad(r, "a dictionary whose keys are not the ids of images");
        if (value != all || strcmp(id, multi) != 0) {
            ws_pickle_image image = {0};
            if (is_array(r, value)) {
                status = ws_pickle_name_of(r->names, id, &image, r->error);
                if (!status)
                    status = put_proposals(r, &image, id, value, 0);
                free(image.name);
            } else {
                status = put_annotations(r, id, value,
                                         all && node_of(r, all)->kind == WS_NODE_DICT
                                             ? ws_pickle_lookup(r->p, all, id)
                                             : 0);
            }
        }
        c = r->p->cells[v].next;
    }
    return status;
}

/* The image_id of an annotation; 0 when it has none. */
static int image_id(const reader *r, uint32_t cell, char id[256])
{
    const uint32_t node = r->p->cells[cell].node;
    return node_of(r, node)->kind == WS_NODE_DICT &&
           id_of(r, ws_pickle_lookup(r->p, node, "image_id"), id);
}

/* A list of annotations becomes a line for each run of the same image_id. */
static wsam_status read_results(reader *r, uint32_t top)
{
    wsam_status status = WSAM_OK;
    for (uint32_t c = node_of(r, top)->first; c && !status;) {
        char id[256], other[256];
        ws_text t = {0};
        if (!image_id(r, c, id))
            return bad(r, "a list of neither arrays nor annotations with an image_id");
        status = begin_annotations(r, id, &t);
        ws_text_put(&t, "[", 1);
        for (int more = 0; c && !status; more = 1) {
            if (more)
                ws_text_put(&t, ",", 1);
            status = put_value(r, r->p->cells[c].node, 1, &t);
            r->counts->boxes++;
            c = r->p->cells[c].next;
            if (!c || !image_id(r, c, other) || strcmp(id, other) != 0)
                break;
        }
        ws_text_put(&t, "]", 1);
        status = finish_line(r, &t, status);
    }
    return status;
}

static wsam_status read_top(reader *r, uint32_t top)
{
    const ws_node *n = node_of(r, top);
    if (n->kind == WS_NODE_DICT && n->first) {
        const uint32_t boxes = ws_pickle_lookup(r->p, top, "boxes"),
                       indexes = ws_pickle_lookup(r->p, top, "indexes");
        if (boxes && indexes)
            return read_mist(r, boxes, ws_pickle_lookup(r->p, top, "scores"), indexes);
        return read_dictionary(r, top);
    }
    if (n->kind == WS_NODE_TUPLE && n->first)
        return is_array(r, r->p->cells[n->first].node) ? read_list(r, top) : read_results(r, top);
    return bad(r, "expected a list or a dictionary of images, with something in it");
}

wsam_status ws_pickle_to_lines(const char *path, const unsigned char *bytes, size_t n,
                               const ws_pickle_names *names, const char *output,
                               wsam_pickle_counts *counts, wsam_error *error)
{
    ws_pickle p;
    uint32_t top;
    size_t used;
    reader r = {&p, names, NULL, counts, MOST_VALUES, error};
    wsam_status status = ws_unpickle_up_to(WS_PICKLE_PARTS, &p, path, bytes, n, &top, &used, error);
    if (!status && used != n)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: there is something behind the pickle", path);
    if (!status)
        status = wsam_lines_open(output, &r.out, error);
    if (r.out)
        status = wsam_lines_finish(r.out, read_top(&r, top), error);
    ws_pickle_free(&p);
    return status;
}
