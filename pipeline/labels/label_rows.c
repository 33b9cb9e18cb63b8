/* pipeline/labels/label_rows.c - rows of labels, as the readers of every kind of file add them. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pipeline/labels/labels.h"

wsam_status ws_label_add(ws_label_rows *r, const char *image, const char *class_name, size_t line,
                         wsam_error *error)
{
    ws_label_row *rows = ws_grow(r->rows, r->n, &r->capacity, sizeof *rows);
    if (!rows)
        return ws_no_memory(error, r->path);
    r->rows = rows;
    ws_label_row *row = &r->rows[r->n++];
    *row = (ws_label_row){strdup(image), class_name ? strdup(class_name) : NULL, line};
    return row->image && (!class_name || row->class_name) ? WSAM_OK : ws_no_memory(error, r->path);
}

void ws_label_rows_free(ws_label_rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->rows[i].image);
        free(r->rows[i].class_name);
    }
    free(r->rows);
}

static int by_image(const void *a, const void *b)
{
    const ws_label_row *p = a, *q = b;
    const int order = strcmp(p->image, q->image);
    return order ? order : (p->line > q->line) - (p->line < q->line);
}

wsam_status ws_label_rows_sort(ws_label_rows *r, wsam_error *error)
{
    if (!r->n)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: no labels", r->path);
    qsort(r->rows, r->n, sizeof *r->rows, by_image);
    for (size_t i = 0; i < r->n; i++) {
        const ws_label_row *row = &r->rows[i], *before = i ? row - 1 : NULL;
        if (!r->merge && before && before->line != row->line &&
            strcmp(before->image, row->image) == 0)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%.300s' is named twice (rows %zu and %zu)",
                           r->path, row->image, before->line, row->line);
    }
    return WSAM_OK;
}
