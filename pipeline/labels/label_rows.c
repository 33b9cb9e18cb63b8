/* pipeline/labels/label_rows.c - rows of labels, as the readers of every kind of file add them. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/labels/labels.h"

const char *ws_label_rows_image(const ws_label_rows *r, size_t i)
{
    return r->text.text + r->rows[i].image;
}

const char *ws_label_rows_class(const ws_label_rows *r, size_t i)
{
    const uint32_t at = r->rows[i].class_name;
    return at == WS_LABEL_NONE ? NULL : r->text.text + at;
}

wsam_status ws_label_rows_text(ws_label_rows *r, const char *name, uint32_t *at, wsam_error *error)
{
    const size_t size = strlen(name) + 1;
    *at = 0;
    if (size > WS_LABEL_NONE - r->text.n)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s: more than 4 GB of names", r->path);
    *at = (uint32_t)r->text.n;
    ws_text_put(&r->text, name, size);
    return r->text.failed ? ws_no_memory(error, r->path) : WSAM_OK;
}

wsam_status ws_label_rows_put(ws_label_rows *r, uint32_t image, uint32_t class_name, size_t line,
                              wsam_error *error)
{
    if (r->n == WS_LABEL_ROWS)
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "%s: more than %d labels; give the data set in several parts", r->path,
                       WS_LABEL_ROWS);
    ws_label_row *rows = ws_grow(r->rows, r->n, &r->capacity, sizeof *rows);
    if (!rows)
        return ws_no_memory(error, r->path);
    r->rows = rows;
    r->rows[r->n++] =
        (ws_label_row){image, class_name, line < UINT32_MAX ? (uint32_t)line : UINT32_MAX};
    return WSAM_OK;
}

wsam_status ws_label_rows_add(ws_label_rows *r, const char *image, const char *class_name,
                              size_t line, wsam_error *error)
{
    const ws_label_row *before = r->n ? &r->rows[r->n - 1] : NULL;
    uint32_t at = 0, class_at = WS_LABEL_NONE;
    wsam_status status = WSAM_OK;
    if (before && strcmp(ws_label_rows_image(r, r->n - 1), image) == 0)
        at = before->image;
    else
        status = ws_label_rows_text(r, image, &at, error);
    const char *same = before ? ws_label_rows_class(r, r->n - 1) : NULL;
    if (class_name && same && strcmp(same, class_name) == 0)
        class_at = before->class_name;
    else if (class_name && !status)
        status = ws_label_rows_text(r, class_name, &class_at, error);
    return status ? status : ws_label_rows_put(r, at, class_at, line, error);
}

void ws_label_rows_free(ws_label_rows *r)
{
    free(r->rows);
    free(r->text.text);
}

/* ---- in order ---- */

static int compare(const char *text, const ws_label_row *p, const ws_label_row *q)
{
    const int order = p->image == q->image ? 0 : strcmp(text + p->image, text + q->image);
    return order ? order : (p->line > q->line) - (p->line < q->line);
}

static int by_image(const void *a, const void *b, void *text)
{
    return compare(text, a, b);
}

/* Most tables are in order already. */
void ws_label_rows_order(ws_label_rows *r)
{
    size_t i = 1;
    while (i < r->n && compare(r->text.text, &r->rows[i - 1], &r->rows[i]) <= 0)
        i++;
    if (i < r->n)
        qsort_r(r->rows, r->n, sizeof *r->rows, by_image, r->text.text);
}

wsam_status ws_label_rows_sort(ws_label_rows *r, wsam_error *error)
{
    if (!r->n)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: no labels", r->path);
    ws_label_rows_order(r);
    for (size_t i = 1; i < r->n && !r->merge; i++) {
        const ws_label_row *row = &r->rows[i], *before = row - 1;
        if (before->line != row->line &&
            strcmp(ws_label_rows_image(r, i - 1), ws_label_rows_image(r, i)) == 0)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%.300s' is named twice (rows %u and %u)",
                           r->path, ws_label_rows_image(r, i), before->line, row->line);
    }
    return WSAM_OK;
}
