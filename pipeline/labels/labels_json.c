/* pipeline/labels/labels_json.c - labels from JSON, {"image": ["class", ...]}: untrusted. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/labels/labels.h"
#include "pipeline/stages/lines.h"

static wsam_status json_picture(ws_label_rows *rows, const ws_line *l, const cJSON *item,
                                size_t position)
{
    const cJSON *name;
    if (!cJSON_IsArray(item))
        return ws_fail(l->error, WSAM_ERR_FORMAT, "%s: '%.300s' is not a list of classes", l->name,
                       item->string);
    if (!cJSON_GetArraySize(item))
        return ws_label_rows_add(rows, item->string, NULL, position, l->error);
    cJSON_ArrayForEach(name, item)
    {
        if (!cJSON_IsString(name) || !*name->valuestring)
            return ws_fail(l->error, WSAM_ERR_FORMAT, "%s: a class of '%.300s' is not a name",
                           l->name, item->string);
        const wsam_status status =
            ws_label_rows_add(rows, item->string, name->valuestring, position, l->error);
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
    rows->kind = "a JSON object of images and their classes";
    while (size && strchr(" \t\r\n", text[size - 1]))
        size--;
    status = ws_line_fields_parse(&l, text, size, &root);
    cJSON_ArrayForEach(item, root)
    {
        if (!status)
            status = json_picture(rows, &l, item, ++position);
    }
    cJSON_Delete(root);
    return status;
}
