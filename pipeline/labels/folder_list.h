/* pipeline/labels/folder_list.h - names in one folder. */
#ifndef WS_PIPELINE_LABELS_FOLDER_LIST_H
#define WS_PIPELINE_LABELS_FOLDER_LIST_H

#include "base/error.h"

typedef struct ws_folder_list {
    size_t n, capacity;
    char **names; /* in byte order */
} ws_folder_list;

/* Whether a name is wanted; *take begins as 0. */
typedef wsam_status (*ws_folder_filter)(const char *folder, const char *name, int *take,
                                        wsam_error *error);

wsam_status ws_folder_list_read(ws_folder_list *list, const char *folder, ws_folder_filter filter,
                                wsam_error *error);
void ws_folder_list_free(ws_folder_list *list);

/* FOLDER/NAME; free. NULL without memory. */
char *ws_folder_list_path(const char *folder, const char *name);
int ws_folder_list_has_ending(const char *name, const char *ending); /* letters of either case */

#endif
