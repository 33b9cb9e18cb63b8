/* pipeline/labels/labels_csv.c - labels from tables (CSV): untrusted.
 *
 * Cells are separated by the separator that the first row has most of (comma, semicolon, tab), and
 * quoted as RFC 4180. What the columns are is read from the header, or from the cells:
 *
 *   one row per image      image,class[,class...], or several classes in a cell: a;b or a|b
 *   one row per class      image,class with images that come again; also rows of objects, where a
 *                          header names the column of the class among others
 *   one column per class   image,bolt,nut: the header's names, cells 0 or 1 (or -1, true, false)
 *
 * A column of numbers has names of classes only where the header says so: without, it is as likely a size, a score or
 * another program's count.
 *
 * The text is gone through twice, a row at a time: what the columns are, and then the rows. So the
 * memory is that of the names, whatever the cells are. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/locale.h"
#include "base/text.h"
#include "pipeline/labels/labels.h"

enum { MAX_FIELD = 4095, MAX_COLUMNS = 65536 };

typedef struct cell {
    size_t at; /* in the row's text */
    int quoted;
} cell;

typedef struct row {
    ws_text text;
    cell *cells;
    size_t n, room, line;
} row;

typedef struct scan {
    const char *at, *end;
    size_t line, n;
} scan;

typedef struct table {
    ws_label_rows *out;
    wsam_error *error;
    char separator;
    row first, row; /* the first one stays: it may be the header */
    scan start;     /* of the second row */
    size_t n;       /* rows */
    int header;     /* the first row is one */
    int classes;    /* it names columns of classes */
    int truths,
        some; /* all cells behind the first column say yes or no; one of them is not empty */
    unsigned char *kinds; /* NUMBERS and TEXTS of each column, in the rows behind the first one */
    size_t n_kinds, kinds_room;
} table;

enum { NUMBERS = 1, TEXTS = 2 };

/* ---- cells ---- */

static wsam_status bad(const table *t, size_t line, const char *what)
{
    return ws_fail(t->error, WSAM_ERR_FORMAT, "%s:%zu: %s", t->out->path, line, what);
}

static wsam_status put(const table *t, scan *s, row *r, char byte)
{
    if (!byte)
        return bad(t, s->line, "a zero byte");
    if (s->n++ == MAX_FIELD)
        return bad(t, s->line, "a field of more than 4095 bytes");
    ws_text_put(&r->text, &byte, 1);
    return WSAM_OK;
}

static int ends_cell(const table *t, char c)
{
    return c == t->separator || c == '\n' || c == '\r';
}

static wsam_status quoted(const table *t, scan *s, row *r)
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
        status = put(t, s, r, *s->at);
    }
    return status ? status : bad(t, s->line, "a quote that does not close");
}

static int is_blank(const table *t, char c)
{
    return c == ' ' || (c == '\t' && t->separator != '\t');
}

/* One cell without blanks around it. */
static wsam_status take_cell(const table *t, scan *s, row *r)
{
    wsam_status status = WSAM_OK;
    cell c = {r->text.n, 0};
    s->n = 0;
    while (s->at < s->end && is_blank(t, *s->at))
        s->at++;
    if (s->at < s->end && *s->at == '"') {
        c.quoted = 1;
        status = quoted(t, s, r);
    } else {
        for (; s->at < s->end && !ends_cell(t, *s->at) && !status; s->at++)
            status = put(t, s, r, *s->at);
        while (r->text.n > c.at && is_blank(t, r->text.text[r->text.n - 1]))
            r->text.n--;
    }
    ws_text_put(&r->text, "", 1);
    if (!status && r->n == MAX_COLUMNS)
        return ws_fail(t->error, WSAM_ERR_LIMIT, "%s:%zu: more than %d cells in a row",
                       t->out->path, s->line, MAX_COLUMNS);
    cell *cells = ws_grow(r->cells, r->n, &r->room, sizeof *cells);
    if (cells)
        r->cells = cells;
    if (!status && (!cells || r->text.failed))
        status = ws_no_memory(t->error, t->out->path);
    if (!status)
        r->cells[r->n++] = c;
    return status;
}

/* "" where there is no such cell. */
static const char *text_of(const row *r, size_t column)
{
    return column < r->n ? r->text.text + r->cells[column].at : "";
}

/* The next row that is not blank; r->n is 0 at the end of the text. */
static wsam_status take_row(const table *t, scan *s, row *r)
{
    wsam_status status = WSAM_OK;
    for (r->n = 0; s->at < s->end && !status; s->line++) {
        r->n = r->text.n = 0;
        r->line = s->line;
        do {
            if (r->n)
                s->at++;
            status = take_cell(t, s, r);
        } while (!status && s->at < s->end && *s->at == t->separator);
        while (s->at < s->end && *s->at == '\r')
            s->at++;
        if (!status && s->at < s->end && *s->at++ != '\n')
            status = bad(t, s->line, "a row that does not end");
        if (status)
            break;
        int some = *text_of(r, 0) != 0;
        for (size_t k = 1; k < r->n && !some; k++)
            if (*text_of(r, k))
                return bad(t, s->line, "a row without an image");
        if (some) {
            s->line++;
            return WSAM_OK;
        }
        r->n = 0;
    }
    return status;
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

/* ---- the first time: what the columns are ---- */

static void look_at_cells(table *t, const row *r)
{
    for (size_t k = 1; k < r->n && t->truths; k++) {
        t->truths = truth_of(text_of(r, k)) >= 0;
        t->some |= *text_of(r, k) != 0;
    }
}

/* One number, or several in a cell. */
static int is_numbers(const char *text)
{
    for (text += strspn(text, " ;|"); *text; text += strspn(text, " ;|")) {
        char *end;
        if (!strchr("+-.0123456789", *text))
            return 0;
        ws_locale_strtod(text, &end);
        if (end == text || !strchr(" ;|", *end))
            return 0;
        text = end;
    }
    return 1;
}

static wsam_status look_at_kinds(table *t, const row *r)
{
    while (t->n_kinds < r->n) {
        unsigned char *kinds = ws_grow(t->kinds, t->n_kinds, &t->kinds_room, 1);
        if (!kinds)
            return ws_no_memory(t->error, t->out->path);
        t->kinds = kinds;
        t->kinds[t->n_kinds++] = 0;
    }
    for (size_t k = 1; k < r->n; k++)
        if (*text_of(r, k))
            t->kinds[k] |= is_numbers(text_of(r, k)) ? NUMBERS : TEXTS;
    return WSAM_OK;
}

/* Of a table of which no header says where the classes are. */
static wsam_status refuse_numbers(const table *t)
{
    for (size_t k = 1; k < t->n_kinds; k++)
        if (t->kinds[k] == NUMBERS)
            return ws_fail(
                t->error, WSAM_ERR_FORMAT,
                "%s: column %zu%s%.100s%s has numbers: if they are names of classes, say so "
                "in the first row (image,class)",
                t->out->path, k + 1, t->header ? " ('" : "", t->header ? text_of(&t->first, k) : "",
                t->header ? "')" : "");
    return WSAM_OK;
}

static wsam_status look(table *t, scan s)
{
    wsam_status status = take_row(t, &s, &t->first);
    t->start = s;
    t->truths = 1;
    t->header = t->first.n && names_images(text_of(&t->first, 0));
    for (size_t k = 1; t->header && k < t->first.n; k++)
        t->classes |= names_classes(text_of(&t->first, k));
    t->n = t->first.n > 0;
    if (!t->header)
        look_at_cells(t, &t->first);
    while (!status && !(status = take_row(t, &s, &t->row)) && t->row.n) {
        look_at_cells(t, &t->row);
        status = look_at_kinds(t, &t->row);
        t->n++;
    }
    return status || t->n > 1 ? status : look_at_kinds(t, &t->first);
}

/* ---- the second time: rows ---- */

static wsam_status ones_of_row(const table *t, const uint32_t *classes, uint32_t image)
{
    const row *r = &t->row;
    wsam_status status = WSAM_OK;
    int any = 0;
    for (size_t k = 1; k < r->n && !status; k++) {
        if (truth_of(text_of(r, k)) <= 0)
            continue;
        if (!*text_of(&t->first, k))
            return bad(t, r->line, "a 1 in a column without a name");
        status = ws_label_rows_put(t->out, image, classes[k], r->line, t->error);
        any = 1;
    }
    if (!any && !status)
        status = ws_label_rows_put(t->out, image, WS_LABEL_NONE, r->line, t->error);
    return status;
}

static wsam_status one_column_per_class(table *t)
{
    wsam_status status = WSAM_OK;
    scan s = t->start;
    uint32_t image, *classes = calloc(t->first.n, sizeof *classes);
    t->out->kind = "a table with one column per class";
    if (!classes)
        return ws_no_memory(t->error, t->out->path);
    for (size_t k = 1; k < t->first.n && !status; k++)
        status = ws_label_rows_text(t->out, text_of(&t->first, k), &classes[k], t->error);
    while (!status && !(status = take_row(t, &s, &t->row)) && t->row.n) {
        status = ws_label_rows_text(t->out, text_of(&t->row, 0), &image, t->error);
        if (!status)
            status = ones_of_row(t, classes, image);
    }
    free(classes);
    return status;
}

/* The classes of one cell. */
static wsam_status split_cell(const table *t, const row *r, size_t k, size_t *n)
{
    char name[MAX_FIELD + 1];
    wsam_status status = WSAM_OK;
    for (const char *at = text_of(r, k); *at && !status;) {
        size_t size = r->cells[k].quoted ? strlen(at) : strcspn(at, ";|");
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
        status = ws_label_rows_add(t->out, text_of(r, 0), name, r->line, t->error);
        ++*n;
    }
    return status;
}

/* Adds what a row says; *most: the most classes of a row. */
static wsam_status names_of_row(const table *t, const row *r, size_t *most)
{
    wsam_status status = WSAM_OK;
    size_t n = 0;
    for (size_t k = 1; k < r->n && !status; k++)
        if (!t->classes || k >= t->first.n || names_classes(text_of(&t->first, k)))
            status = split_cell(t, r, k, &n);
    if (!n && !status)
        status = ws_label_rows_add(t->out, text_of(r, 0), NULL, r->line, t->error);
    *most = n > *most ? n : *most;
    return status;
}

/* Whether some image has several rows. */
static int images_again(ws_label_rows *r)
{
    ws_label_rows_order(r);
    for (size_t i = 1; i < r->n; i++)
        if (strcmp(ws_label_rows_image(r, i - 1), ws_label_rows_image(r, i)) == 0)
            return 1;
    return 0;
}

static wsam_status rows_of_names(table *t)
{
    scan s = t->start;
    size_t most = 0;
    wsam_status status = t->n && !t->header ? names_of_row(t, &t->first, &most) : WSAM_OK;
    while (!status && !(status = take_row(t, &s, &t->row)) && t->row.n)
        status = names_of_row(t, &t->row, &most);
    /* of a table with one class in a row each */
    t->out->merge = !status && most < 2 && images_again(t->out);
    t->out->kind =
        t->out->merge ? "a table with one row per class" : "a table with one row per image";
    return status;
}

static wsam_status interpret(table *t)
{
    const int truths = t->n > (size_t)t->header && !t->classes && t->truths && t->some;
    if (truths && t->header)
        return one_column_per_class(t);
    if (truths)
        return ws_fail(t->error, WSAM_ERR_FORMAT,
                       "%s: cells are 0 and 1, and no header (image,CLASS,...) says of which class",
                       t->out->path);
    const wsam_status status = t->classes ? WSAM_OK : refuse_numbers(t);
    return status ? status : rows_of_names(t);
}

static void free_row(row *r)
{
    free(r->text.text);
    free(r->cells);
}

wsam_status ws_labels_csv(ws_label_rows *rows, const char *text, size_t size, wsam_error *error)
{
    table t = {.out = rows, .error = error};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    t.separator = find_separator(text, size);
    wsam_status status = look(&t, (scan){.at = text, .end = text + size, .line = 1});
    if (!status)
        status = interpret(&t);
    free_row(&t.first);
    free_row(&t.row);
    free(t.kinds);
    return status;
}
