/* pipeline/labels/label_table.c - labels from tables (CSV): untrusted.
 *
 * Cells are separated by the separator that the first row has most of (comma, semicolon, tab), and
 * quoted as RFC 4180. What the columns are is read from the header, or from the cells:
 *
 *   one row per image      image,class[,class...], or several classes in a cell: a;b or a|b
 *   one row per class      image,class with images that come again; also rows of objects, where a
 *                          header names the column of the class among others
 *   one column per class   image,bolt,nut: the header's names, cells 0 or 1 (or -1, true, false) */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "pipeline/labels/labels.h"

enum { MAX_FIELD = 4095 };

typedef struct cell {
    size_t at; /* in the text of all cells */
    int quoted;
} cell;

typedef struct row {
    size_t first, n, line;
} row;

typedef struct table {
    ws_label_rows *out;
    wsam_error *error;
    char separator;
    ws_text text;
    cell *cells;
    size_t n_cells, cell_room;
    row *rows;
    size_t n, room;
    int header;
} table;

/* ---- cells ---- */

typedef struct scan {
    const char *at, *end;
    size_t line, n;
} scan;

static wsam_status bad(const table *t, size_t line, const char *what)
{
    return ws_fail(t->error, WSAM_ERR_FORMAT, "%s:%zu: %s", t->out->path, line, what);
}

static wsam_status put(table *t, scan *s, char byte)
{
    if (!byte)
        return bad(t, s->line, "a zero byte");
    if (s->n++ == MAX_FIELD)
        return bad(t, s->line, "a field of more than 4095 bytes");
    ws_text_put(&t->text, &byte, 1);
    return WSAM_OK;
}

static int ends_cell(const table *t, char c)
{
    return c == t->separator || c == '\n' || c == '\r';
}

static wsam_status quoted(table *t, scan *s)
{
    wsam_status status = WSAM_OK;
    for (s->at++; s->at < s->end && !status; s->at++) {
        if (*s->at == '"' && (s->at + 1 == s->end || s->at[1] != '"')) {
            s->at++;
            while (s->at < s->end && *s->at == ' ')
                s->at++;
            return s->at < s->end && !ends_cell(t, *s->at)
                       ? bad(t, s->line, "text behind a closing quote")
                       : WSAM_OK;
        }
        s->at += *s->at == '"';
        status = put(t, s, *s->at);
    }
    return status ? status : bad(t, s->line, "a quote that does not close");
}

static int is_blank(const table *t, char c)
{
    return c == ' ' || (c == '\t' && t->separator != '\t');
}

/* One cell without blanks around it. */
static wsam_status take_cell(table *t, scan *s)
{
    wsam_status status = WSAM_OK;
    cell c = {t->text.n, 0};
    s->n = 0;
    while (s->at < s->end && is_blank(t, *s->at))
        s->at++;
    if (s->at < s->end && *s->at == '"') {
        c.quoted = 1;
        status = quoted(t, s);
    } else {
        for (; s->at < s->end && !ends_cell(t, *s->at) && !status; s->at++)
            status = put(t, s, *s->at);
        while (t->text.n > c.at && is_blank(t, t->text.text[t->text.n - 1]))
            t->text.n--;
    }
    ws_text_put(&t->text, "", 1);
    cell *cells = ws_grow(t->cells, t->n_cells, &t->cell_room, sizeof *cells);
    if (!status && (!cells || t->text.failed))
        status = ws_no_memory(t->error, t->out->path);
    if (cells)
        t->cells = cells;
    if (!status)
        t->cells[t->n_cells++] = c;
    return status;
}

static const char *text_of(const table *t, size_t at_row, size_t column)
{
    const size_t at = t->rows[at_row].first + column;
    return column < t->rows[at_row].n ? t->text.text + t->cells[at].at : "";
}

static wsam_status take_row(table *t, scan *s)
{
    row *rows = ws_grow(t->rows, t->n, &t->room, sizeof *rows);
    wsam_status status = rows ? WSAM_OK : ws_no_memory(t->error, t->out->path);
    if (status)
        return status;
    t->rows = rows;
    row *r = &t->rows[t->n];
    *r = (row){.first = t->n_cells, .line = s->line};
    do {
        if (r->n++)
            s->at++;
        status = take_cell(t, s);
    } while (!status && s->at < s->end && *s->at == t->separator);
    while (s->at < s->end && *s->at == '\r')
        s->at++;
    if (!status && s->at < s->end && *s->at++ != '\n')
        return bad(t, s->line, "a row that does not end");
    if (status)
        return status;
    t->n++;
    if (*text_of(t, t->n - 1, 0))
        return WSAM_OK;
    for (size_t k = 1; k < r->n; k++)
        if (*text_of(t, t->n - 1, k))
            return bad(t, s->line, "a row without a picture");
    t->n--; /* blank */
    return WSAM_OK;
}

/* The one that the first row has most of. */
static char find_separator(const char *text, size_t size)
{
    static const char all[] = ",;\t";
    size_t count[3] = {0};
    int quote = 0, best = 0;
    for (size_t i = 0; i < size && (quote || text[i] != '\n'); i++) {
        quote ^= text[i] == '"';
        const char *found = !quote && text[i] ? strchr(all, text[i]) : NULL;
        if (found)
            count[found - all]++;
    }
    for (int i = 1; i < 3; i++)
        best = count[i] > count[best] ? i : best;
    return all[best];
}

/* ---- columns ---- */

static int is_one_of(const char *name, size_t n, const char *const *list)
{
    for (; *list; list++)
        if (strlen(*list) == n && strncasecmp(*list, name, n) == 0)
            return 1;
    return 0;
}

static int names_images(const char *name)
{
    static const char *const names[] = {
        "image",      "images",   "file",    "filename", "file_name", "path", "image_path",
        "image_name", "image_id", "imageid", "img",      "picture",   NULL};
    return is_one_of(name, strlen(name), names);
}

/* class, class_2, label3, ... */
static int names_classes(const char *name)
{
    static const char *const names[] = {"class",      "classes",    "label", "labels", "category",
                                        "categories", "class_name", "tag",   "tags",   NULL};
    size_t n = strlen(name);
    while (n && strchr("0123456789", name[n - 1]))
        n--;
    while (n && n < strlen(name) && strchr("_ -", name[n - 1]))
        n--;
    return is_one_of(name, n, names);
}

/* 1 and 0 of a cell that says whether; -1 for another text. An empty one says no. */
static int truth_of(const char *text)
{
    static const char *const yes[] = {"1", "1.0", "true", "yes", "x", NULL};
    static const char *const no[] = {"", "0", "0.0", "-1", "-1.0", "false", "no", NULL};
    return is_one_of(text, strlen(text), yes) ? 1 : is_one_of(text, strlen(text), no) ? 0 : -1;
}

/* Whether all cells behind the first column say yes or no; *some: at least one is not empty. */
static int all_truths(const table *t, int *some)
{
    *some = 0;
    for (size_t i = (size_t)t->header; i < t->n; i++)
        for (size_t k = 1; k < t->rows[i].n; k++) {
            if (truth_of(text_of(t, i, k)) < 0)
                return 0;
            *some |= *text_of(t, i, k) != 0;
        }
    return 1;
}

/* ---- rows ---- */

static wsam_status add(const table *t, size_t i, const char *name, size_t line)
{
    return ws_label_add(t->out, text_of(t, i, 0), name, line, t->error);
}

static wsam_status one_column_per_class(table *t)
{
    wsam_status status = WSAM_OK;
    t->out->kind = "a table with one column per class";
    for (size_t i = 1; i < t->n && !status; i++) {
        int any = 0;
        for (size_t k = 1; k < t->rows[i].n && !status; k++) {
            if (truth_of(text_of(t, i, k)) <= 0)
                continue;
            if (!*text_of(t, 0, k))
                return bad(t, t->rows[i].line, "a 1 in a column without a name");
            status = add(t, i, text_of(t, 0, k), t->rows[i].line);
            any = 1;
        }
        if (!any && !status)
            status = add(t, i, NULL, t->rows[i].line);
    }
    return status;
}

/* The classes of one cell. */
static wsam_status split_cell(table *t, size_t i, size_t k, size_t line, size_t *n)
{
    const cell *c = &t->cells[t->rows[i].first + k];
    char name[MAX_FIELD + 1];
    wsam_status status = WSAM_OK;
    for (const char *at = text_of(t, i, k); *at && !status;) {
        size_t size = c->quoted ? strlen(at) : strcspn(at, ";|");
        const char *next = at + size + (at[size] != 0);
        while (size && *at == ' ') {
            at++;
            size--;
        }
        while (size && at[size - 1] == ' ')
            size--;
        memcpy(name, at, size);
        name[size] = 0;
        at = next;
        if (!size)
            continue;
        status = add(t, i, name, line);
        ++*n;
    }
    return status;
}

static int has_class_column(const table *t)
{
    for (size_t k = 1; t->header && k < t->rows[0].n; k++)
        if (names_classes(text_of(t, 0, k)))
            return 1;
    return 0;
}

/* Whether some image has several rows; then each of them has one class at most. */
static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static wsam_status images_again(const table *t, int *again)
{
    const size_t n = t->n - (size_t)t->header;
    const char **names = malloc((n + 1) * sizeof *names);
    *again = 0;
    if (!names)
        return ws_no_memory(t->error, t->out->path);
    for (size_t i = 0; i < n; i++)
        names[i] = text_of(t, i + (size_t)t->header, 0);
    if (n)
        qsort(names, n, sizeof *names, by_name);
    for (size_t i = 1; i < n; i++)
        *again |= strcmp(names[i - 1], names[i]) == 0;
    free(names);
    return WSAM_OK;
}

static wsam_status rows_of_names(table *t)
{
    const int columns = has_class_column(t);
    int again;
    size_t most = 0;
    wsam_status status = images_again(t, &again);
    for (size_t i = (size_t)t->header; i < t->n && !status; i++) {
        size_t n = 0;
        for (size_t k = 1; k < t->rows[i].n && !status; k++)
            if (!columns || k >= t->rows[0].n || names_classes(text_of(t, 0, k)))
                status = split_cell(t, i, k, t->rows[i].line, &n);
        if (!n && !status)
            status = add(t, i, NULL, t->rows[i].line);
        most = n > most ? n : most;
    }
    t->out->merge = again && most < 2;
    t->out->kind =
        t->out->merge ? "a table with one row per class" : "a table with one row per image";
    return status;
}

static wsam_status interpret(table *t)
{
    int some;
    t->header = t->n && names_images(text_of(t, 0, 0));
    const int truths = t->n > (size_t)t->header && !has_class_column(t) && all_truths(t, &some);
    if (truths && some && t->header)
        return one_column_per_class(t);
    if (truths && some)
        return ws_fail(t->error, WSAM_ERR_FORMAT,
                       "%s: cells are 0 and 1, and no header (image,CLASS,...) says of which class",
                       t->out->path);
    return rows_of_names(t);
}

wsam_status ws_labels_csv(ws_label_rows *rows, const char *text, size_t size, wsam_error *error)
{
    table t = {.out = rows, .error = error};
    wsam_status status = WSAM_OK;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    scan s = {.at = text, .end = text + size, .line = 1};
    t.separator = find_separator(text, size);
    for (; s.at < s.end && !status; s.line++)
        status = take_row(&t, &s);
    if (!status)
        status = interpret(&t);
    free(t.text.text);
    free(t.cells);
    free(t.rows);
    return status;
}
