/* pipeline/labels/labels_text.c - labels from CSV and JSON: untrusted. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/labels/labels.h"
#include "pipeline/stages/lines.h"

enum { MAX_FIELD = 4095 };

/* ---- CSV ---- */

typedef struct csv {
    ws_label_rows *rows;
    const char *at, *end;
    size_t line;
    wsam_error *error;
    char field[MAX_FIELD + 1];
    size_t n;
} csv;

static wsam_status bad(const csv *c, const char *what)
{
    return ws_fail(c->error, WSAM_ERR_FORMAT, "%s:%zu: %s", c->rows->path, c->line, what);
}

static wsam_status put(csv *c, char byte)
{
    if (!byte)
        return bad(c, "a zero byte");
    if (c->n == MAX_FIELD)
        return bad(c, "a field of more than 4095 bytes");
    c->field[c->n++] = byte;
    return WSAM_OK;
}

static wsam_status quoted(csv *c)
{
    wsam_status status = WSAM_OK;
    for (c->at++; c->at < c->end && !status; c->at++) {
        if (*c->at == '"' && (c->at + 1 == c->end || c->at[1] != '"')) {
            c->at++;
            if (c->at < c->end && !strchr(",\r\n", *c->at))
                return bad(c, "text behind a closing quote");
            return WSAM_OK;
        }
        c->at += *c->at == '"';
        status = put(c, *c->at);
    }
    return status ? status : bad(c, "a quote that does not close");
}

/* One field without blanks around it; `at` stands behind it. */
static wsam_status field(csv *c)
{
    wsam_status status = WSAM_OK;
    c->n = 0;
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
    if (c->at < c->end && *c->at == '"') {
        status = quoted(c);
    } else {
        for (; c->at < c->end && *c->at != ',' && *c->at != '\n' && !status; c->at++)
            status = put(c, *c->at);
        while (c->n && strchr(" \t\r", c->field[c->n - 1]))
            c->n--;
    }
    c->field[c->n] = 0;
    return status;
}

static int is_header(const char *name)
{
    static const char *const names[] = {"image", "file", "filename", "file_name"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(name, names[i]) == 0)
            return 1;
    return 0;
}

/* Fields behind the first; empty ones (trailing commas) are skipped. */
static wsam_status classes(csv *c, const char *image, int header)
{
    wsam_status status = WSAM_OK;
    int any = 0;
    while (!status && c->at < c->end && *c->at == ',') {
        c->at++;
        status = field(c);
        if (!status && c->n && !header) {
            status = ws_label_add(c->rows, image, c->field, c->line, c->error);
            any = 1;
        }
    }
    if (!status && !any && !header)
        status = ws_label_add(c->rows, image, NULL, c->line, c->error);
    return status;
}

wsam_status ws_labels_csv(ws_label_rows *rows, const char *text, size_t size, wsam_error *error)
{
    csv c = {.rows = rows, .at = text, .end = text + size, .line = 1, .error = error};
    wsam_status status = WSAM_OK;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        c.at += 3;
    for (int first = 1; c.at < c.end && !status; c.line++) {
        char image[MAX_FIELD + 1];
        status = field(&c);
        if (status)
            break;
        memcpy(image, c.field, c.n + 1);
        const int blank = !c.n && (c.at == c.end || strchr("\r\n", *c.at));
        if (!blank && !c.n)
            return bad(&c, "a row without a picture");
        if (!blank)
            status = classes(&c, image, first && is_header(image));
        first = first && blank;
        while (c.at < c.end && *c.at == '\r')
            c.at++;
        if (!status && c.at < c.end && *c.at++ != '\n')
            return bad(&c, "a row that does not end");
    }
    return status;
}

/* ---- JSON ---- */

static wsam_status json_picture(ws_label_rows *rows, const ws_line *l, const cJSON *item,
                                size_t position)
{
    const cJSON *name;
    if (!cJSON_IsArray(item))
        return ws_fail(l->error, WSAM_ERR_FORMAT, "%s: '%.300s' is not a list of classes", l->name,
                       item->string);
    if (!cJSON_GetArraySize(item))
        return ws_label_add(rows, item->string, NULL, position, l->error);
    cJSON_ArrayForEach(name, item)
    {
        if (!cJSON_IsString(name) || !*name->valuestring)
            return ws_fail(l->error, WSAM_ERR_FORMAT, "%s: a class of '%.300s' is not a name",
                           l->name, item->string);
        const wsam_status status =
            ws_label_add(rows, item->string, name->valuestring, position, l->error);
        if (status)
            return status;
    }
    return WSAM_OK;
}

wsam_status ws_labels_json(ws_label_rows *rows, const char *text, size_t size, wsam_error *error)
{
    const ws_line l = {rows->path, 1, error};
    cJSON *root = NULL;
    const cJSON *item;
    size_t position = 0;
    wsam_status status = WSAM_OK;
    while (size && strchr(" \t\r\n", text[size - 1]))
        size--;
    status = ws_line_parse(&l, text, size, &root);
    cJSON_ArrayForEach(item, root)
    {
        if (!status)
            status = json_picture(rows, &l, item, ++position);
    }
    cJSON_Delete(root);
    return status;
}
