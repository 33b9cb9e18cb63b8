/* pipeline/learn/boxes.c - proposals as boxes; names of images as paths. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/learn/learn.h"

wsam_status ws_boxes_about(const char *path, wsam_error *error)
{
    if (!error)
        return WSAM_OK;
    const wsam_error copy = *error;
    return ws_fail(error, copy.status, "%.300s: %.700s", path, copy.message);
}

static wsam_status add_boxes(ws_box_list *list, const wsam_proposals *p, wsam_error *error)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 64;
        void *grown = realloc(list->items, capacity * sizeof *list->items);
        if (!grown)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the proposals");
        list->items = grown;
        list->capacity = capacity;
    }
    ws_boxes *to = &list->items[list->n];
    *to = (ws_boxes){.image = strdup(p->image), .width = p->width, .height = p->height};
    to->boxes = malloc((p->n + 1) * sizeof *to->boxes);
    if (!to->image || !to->boxes) {
        free(to->image);
        free(to->boxes);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the proposals");
    }
    list->n++;
    for (size_t i = 0; i < p->n; i++) {
        const float *b = p->items[i].box;
        const float box[4] = {b[0], b[1], b[2] + 1.0f, b[3] + 1.0f};
        if (box[2] - box[0] >= 2.0f && box[3] - box[1] >= 2.0f)
            memcpy(to->boxes[to->n++], box, sizeof box);
    }
    return WSAM_OK;
}

wsam_status ws_boxes_read(const char *path, ws_box_list *list, wsam_error *error)
{
    wsam_line_reader *reader;
    wsam_proposals *p = NULL;
    *list = (ws_box_list){0};
    wsam_status status = wsam_line_reader_open(path, &reader, error);
    if (status)
        return status;
    do {
        status = wsam_proposals_next(reader, &p, error);
        if (!p)
            break;
        status = add_boxes(list, p, error);
        wsam_proposals_free(p);
    } while (!status);
    wsam_line_reader_close(reader);
    return status;
}

void ws_boxes_free(ws_box_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].image);
        free(list->items[i].boxes);
    }
    free(list->items);
    *list = (ws_box_list){0};
}
