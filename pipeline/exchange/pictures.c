/* pipeline/exchange/pictures.c - see pictures.h. */
#include "pipeline/exchange/pictures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/labels/picture_names.h"
#include "weaksam/picture.h"

struct ws_picture_list {
    const char *folder;
    ws_picture_names *names;
    unsigned char *taken; /* [count] */
};

wsam_status ws_pictures_open(const char *folder, ws_picture_list **out, wsam_error *error)
{
    ws_picture_list *list = calloc(1, sizeof *list);
    *out = NULL;
    if (!list)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", folder);
    list->folder = folder;
    wsam_status status = ws_picture_names_open(folder, &list->names, error);
    if (!status) {
        list->taken = calloc(ws_picture_names_count(list->names) + 1, 1);
        if (!list->taken)
            status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", folder);
    }
    if (status)
        ws_pictures_close(list);
    else
        *out = list;
    return status;
}

void ws_pictures_close(ws_picture_list *list)
{
    if (!list)
        return;
    ws_picture_names_free(list->names);
    free(list->taken);
    free(list);
}

wsam_status ws_pictures_take(ws_picture_list *list, const char *name, const char **file, int *again,
                             wsam_error *error)
{
    size_t index = 0;
    ws_name_verdict verdict;
    *file = NULL;
    *again = 0;
    const wsam_status status = ws_picture_names_find(list->names, name, &index, &verdict, error);
    if (status || verdict == WS_NAME_UNKNOWN)
        return status;
    if (verdict == WS_NAME_AMBIGUOUS)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "'%s' could mean several images of %s, '%s' for one", name, list->folder,
                       ws_picture_names_at(list->names, index));
    *file = ws_picture_names_at(list->names, index);
    *again = list->taken[index];
    list->taken[index] = 1;
    return WSAM_OK;
}

wsam_status ws_pictures_size(const ws_picture_list *list, const char *file, int *width, int *height,
                             wsam_error *error)
{
    const size_t size = strlen(list->folder) + strlen(file) + 2;
    char *path = malloc(size);
    wsam_picture picture = {0};
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", file);
    snprintf(path, size, "%s/%s", list->folder, file);
    const wsam_status status = wsam_picture_load(path, NULL, &picture, error);
    *width = picture.width;
    *height = picture.height;
    wsam_picture_free(&picture);
    free(path);
    return status;
}
