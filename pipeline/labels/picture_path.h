/* pipeline/labels/picture_path.h - the file that a name in labels, proposals or a data set means. */
#ifndef WS_PIPELINE_LABELS_PICTURE_PATH_H
#define WS_PIPELINE_LABELS_PICTURE_PATH_H

#include "base/error.h"

/* The file of that name below the folder, else the image that is meant (picture_names.h); free
 * *path. WSAM_ERR_IO when there is none, WSAM_ERR_FORMAT when there may be several, with their name
 * in the message. May be called by several threads. */
wsam_status ws_picture_path(const char *folder, const char *name, char **path, wsam_error *error);

/* Whether a name cannot be one below a folder: empty, absolute, or with a part "..". */
int ws_picture_path_leads_out(const char *name);

#endif
