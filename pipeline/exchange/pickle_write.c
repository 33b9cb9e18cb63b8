/* pipeline/exchange/pickle_write.c - JSON lines of proposals and labels as a pickle of protocol 3, which
 * every Python 3 and every numpy reads. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "base/outputs.h"
#include "pipeline/exchange/pickle_shared.h"
#include "pipeline/stages/lines.h"

enum { DEEPEST = 24 };

/* Places of the memo, which one list fills and all use. */
enum { MEMO_RECONSTRUCT, MEMO_NDARRAY, MEMO_DTYPE, MEMO_EMPTY };

typedef enum kind { NOTHING, PROPOSALS, ANNOTATIONS } kind;

/* Lists side by side, their items as opcodes. */
typedef struct writer {
    ws_line line;
    kind kind;
    wsam_pickle_form form;
    int other; /* not the usual form of the kind */
    ws_text items, scores, ids, labels;
    wsam_pickle_counts *counts;
} writer;

/* ---- opcodes ---- */

static void put_op(ws_text *t, const char *ops)
{
    ws_text_put(t, ops, strlen(ops));
}

static void put_u32(ws_text *t, size_t v)
{
    const unsigned char b[4] = {(unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16),
                                (unsigned char)(v >> 24)};
    ws_text_put(t, (const char *)b, 4);
}

static void put_string(ws_text *t, const char *text)
{
    ws_text_put(t, "X", 1);
    put_u32(t, strlen(text));
    put_op(t, text);
}

/* Of 4 bytes where that is enough, else of 8. */
static void put_int(ws_text *t, int64_t v)
{
    if (v >= INT32_MIN && v <= INT32_MAX) {
        ws_text_put(t, "J", 1);
        put_u32(t, (uint32_t)v);
        return;
    }
    ws_text_put(t, "\x8a\x08", 2);
    put_u32(t, (uint32_t)v);
    put_u32(t, (uint32_t)((uint64_t)v >> 32));
}

static void put_double(ws_text *t, double v)
{
    uint64_t bits;
    unsigned char b[9] = {'G'};
    memcpy(&bits, &v, sizeof bits);
    for (int i = 0; i < 8; i++)
        b[1 + i] = (unsigned char)(bits >> (56 - 8 * i));
    ws_text_put(t, (const char *)b, 9);
}

/* Globals and the type are made first, outside of what stays: each is popped again. */
static void put_memo(ws_text *t)
{
    put_op(t, "cnumpy.core.multiarray\n_reconstruct\nq");
    ws_text_put(t,
                "\0"
                "0",
                2);
    put_op(t, "cnumpy\nndarray\nq\1"
              "0");
    put_op(t, "cnumpy\ndtype\n");
    put_string(t, "f4");
    put_op(t, "\x89\x88\x87R(K\3");
    put_string(t, "<");
    put_op(t, "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff");
    ws_text_put(t,
                "K\0tbq\2"
                "0",
                7);
    put_op(t, "C\1bq\3"
              "0");
}

/* A float array [n][width], or [n] where width is 0. */
static void put_array(ws_text *t, const float *values, size_t n, size_t width)
{
    static const char make[] = "h\0h\1K\0\x85h\3\x87R(K\1";
    const size_t floats = width ? n * width : n;
    ws_text_put(t, make, sizeof make - 1);
    put_int(t, (int64_t)n);
    if (width)
        put_int(t, (int64_t)width);
    put_op(t, width ? "\x86h\2\x89"
                      "B"
                    : "\x85h\2\x89"
                      "B");
    put_u32(t, floats * sizeof *values);
    ws_text_put(t, (const char *)values,
                floats * sizeof *values); /* little-endian machines alone */
    put_op(t, "tb");
}

static void put_json(ws_text *t, const cJSON *v)
{
    const cJSON *item;
    if (cJSON_IsString(v))
        put_string(t, v->valuestring);
    else if (cJSON_IsBool(v))
        put_op(t, cJSON_IsTrue(v) ? "\x88" : "\x89");
    else if (cJSON_IsNumber(v) && !(v->valuedouble > floor(v->valuedouble)) &&
             fabs(v->valuedouble) < 0x1p53)
        put_int(t, (int64_t)v->valuedouble);
    else if (cJSON_IsNumber(v))
        put_double(t, v->valuedouble);
    else if (cJSON_IsArray(v) || cJSON_IsObject(v)) {
        put_op(t, cJSON_IsArray(v) ? "](" : "}(");
        cJSON_ArrayForEach(item, v)
        {
            if (cJSON_IsObject(v))
                put_string(t, item->string);
            put_json(t, item);
        }
        put_op(t, cJSON_IsArray(v) ? "e" : "u");
    } else
        put_op(t, "N");
}

/* ---- lines ---- */

/* The id of a line; without one, the number in the image's name. */
static wsam_status line_id(const writer *w, const cJSON *root, const char *image, int64_t *id)
{
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(root, "id");
    if (ws_pickle_id_of(cJSON_IsString(given) ? given->valuestring : image, id))
        return WSAM_OK;
    return ws_line_fields_bad(&w->line, cJSON_IsString(given) ? "id" : "image",
                              "a name with a number in it");
}

static int read_box(const cJSON *proposal, float box[4])
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(proposal, "box"), *v;
    int n = 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != 4)
        return 0;
    cJSON_ArrayForEach(v, list)
    {
        if (!cJSON_IsNumber(v) || !(fabs(v->valuedouble) <= 1e6))
            return 0;
        box[n++] = (float)v->valuedouble;
    }
    return 1;
}

static wsam_status add_proposals(writer *w, const cJSON *root, const char *image, const cJSON *list)
{
    const size_t n = (size_t)cJSON_GetArraySize(list);
    float(*boxes)[4] = malloc((n + 1) * sizeof *boxes), *scores = malloc((n + 1) * sizeof *scores);
    const cJSON *item;
    size_t i = 0;
    int64_t id = 0;
    wsam_status status = boxes && scores ? WSAM_OK : ws_line_fields_no_memory(&w->line);
    cJSON_ArrayForEach(item, list)
    {
        double score = 1.0;
        if (!status && !read_box(item, boxes[i]))
            status = ws_line_fields_bad(&w->line, "proposals.box", "[x0,y0,x1,y1]");
        if (status)
            break;
        ws_line_fields_number(item, "predicted_iou", &score);
        scores[i++] = (float)score;
    }
    if (!status && w->other)
        status = line_id(w, root, image, &id);
    if (!status) {
        put_array(&w->items, boxes[0], n, 4);
        if (w->other) {
            put_array(&w->scores, scores, n, 0);
            put_int(&w->ids, id);
        }
    }
    w->counts->boxes += n;
    free(boxes);
    free(scores);
    return status;
}

static void add_annotations(writer *w, const cJSON *root, const char *image, const cJSON *list)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(root, "id"), *item;
    const cJSON *labels = cJSON_GetObjectItemCaseSensitive(root, "multi_label");
    const char *key = cJSON_IsString(id) ? id->valuestring : image;
    if (w->other && cJSON_IsArray(list)) {
        cJSON_ArrayForEach(item, list) put_json(&w->items, item);
    } else {
        put_string(&w->items, key);
        put_json(&w->items, list);
        if (labels) {
            put_string(&w->labels, key);
            put_json(&w->labels, labels);
        }
    }
    w->counts->boxes += cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
}

static wsam_status add_line(writer *w, const cJSON *root)
{
    const cJSON *image = cJSON_GetObjectItemCaseSensitive(root, "image");
    const cJSON *proposals = cJSON_GetObjectItemCaseSensitive(root, "proposals");
    const cJSON *annotations = cJSON_GetObjectItemCaseSensitive(root, "annotations");
    const kind found = cJSON_IsArray(proposals) ? PROPOSALS : annotations ? ANNOTATIONS : NOTHING;
    wsam_status status = WSAM_OK;
    if (!cJSON_IsString(image) || !*image->valuestring)
        return ws_line_fields_bad(&w->line, "image", "a file name");
    if (!found || (w->kind && w->kind != found))
        return ws_fail(w->line.error, WSAM_ERR_FORMAT,
                       "%s:%llu: expected 'proposals' in all lines, or 'annotations' in all",
                       w->line.name, (unsigned long long)w->line.number);
    w->kind = found;
    w->other = w->form == (found == PROPOSALS ? WSAM_PICKLE_DICT : WSAM_PICKLE_LIST);
    if (found == PROPOSALS)
        status = add_proposals(w, root, image->valuestring, proposals);
    else
        add_annotations(w, root, image->valuestring, annotations);
    w->counts->images++;
    if (!status && (w->items.failed || w->scores.failed || w->ids.failed || w->labels.failed))
        status = ws_line_fields_no_memory(&w->line);
    return status;
}

static wsam_status read_lines(writer *w, wsam_error *error)
{
    ws_text_lines *lines;
    char *text;
    size_t n;
    wsam_status status = ws_input_lines_open(w->line.name, WS_LINE_MAX, &lines, error);
    if (status)
        return status;
    while (!(status = ws_input_lines_next(lines, &text, &n, error)) && text) {
        cJSON *root;
        w->line.number = ws_input_lines_number(lines);
        status = ws_line_fields_parse(&w->line, text, n, &root);
        if (!status)
            status = add_line(w, root);
        cJSON_Delete(root);
        if (status)
            break;
    }
    ws_input_lines_close(lines);
    return status;
}

/* ---- the pickle ---- */

static int put_list(FILE *f, const char *key, const ws_text *items)
{
    ws_text head = {0};
    if (key)
        put_string(&head, key);
    put_op(&head, "](");
    const int good = !head.failed && fwrite(head.text, 1, head.n, f) == head.n &&
                     fwrite(items->n ? items->text : "", 1, items->n, f) == items->n &&
                     fputc('e', f) != EOF;
    free(head.text);
    return good;
}

/* {key: list, ..., multi_label: {key: list}} */
static int put_dictionary(FILE *f, const writer *w)
{
    ws_text end = {0};
    if (w->labels.n) {
        put_string(&end, "multi_label");
        put_op(&end, "}(");
        ws_text_put(&end, w->labels.text, w->labels.n);
        put_op(&end, "u");
    }
    put_op(&end, "u");
    const int good = !end.failed && fputs("}(", f) >= 0 &&
                     fwrite(w->items.text, 1, w->items.n, f) == w->items.n &&
                     fwrite(end.text, 1, end.n, f) == end.n;
    free(end.text);
    return good;
}

static int put_pickle(FILE *f, const writer *w)
{
    ws_text head = {0};
    put_op(&head, "\x80\3");
    if (w->kind == PROPOSALS)
        put_memo(&head);
    int good = !head.failed && fwrite(head.text, 1, head.n, f) == head.n;
    free(head.text);
    if (good && w->kind == ANNOTATIONS && !w->other)
        good = put_dictionary(f, w);
    else if (good && w->kind == PROPOSALS && w->other)
        good = fputs("}(", f) >= 0 && put_list(f, "boxes", &w->items) &&
               put_list(f, "scores", &w->scores) && put_list(f, "indexes", &w->ids) &&
               fputc('u', f) != EOF;
    else if (good)
        good = put_list(f, NULL, &w->items);
    return good && fputc('.', f) != EOF;
}

wsam_status ws_lines_to_pickle(const char *path, wsam_pickle_form form, const char *output,
                               wsam_pickle_counts *counts, wsam_error *error)
{
    writer w = {.line = {path, 0, error}, .form = form, .counts = counts};
    ws_outputs out = {0};
    wsam_status status = read_lines(&w, error);
    FILE *f = status ? NULL : ws_outputs_open(&out, output, error);
    if (!status && !f)
        status = WSAM_ERR_IO;
    if (f && !put_pickle(f, &w))
        status = ws_fail(error, WSAM_ERR_IO, "%s: it could not be written", output);
    if (!status)
        status = ws_outputs_close(&out, error);
    counts->written = 1;
    free(w.items.text);
    free(w.scores.text);
    free(w.ids.text);
    free(w.labels.text);
    return ws_outputs_finish(&out, status, error);
}
