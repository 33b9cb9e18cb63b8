/* pipeline/exchange/pictures.h - the folder of images that an import is about. */
#ifndef WS_PIPELINE_EXCHANGE_PICTURES_H
#define WS_PIPELINE_EXCHANGE_PICTURES_H

#include "base/error.h"

typedef struct ws_picture_list ws_picture_list;

wsam_status ws_pictures_open(const char *folder, ws_picture_list **list, wsam_error *error);
void ws_pictures_close(ws_picture_list *list); /* NULL is allowed */
/* The file of the folder that a name in any file means (picture_names.h), which lives as long as
 * the list; NULL when there is none. *again: it was asked for before. */
wsam_status ws_pictures_take(ws_picture_list *list, const char *name, const char **file, int *again,
                             wsam_error *error);
/* Width and height as the image is shown. */
wsam_status ws_pictures_size(const ws_picture_list *list, const char *file, int *width, int *height,
                             wsam_error *error);

#endif
