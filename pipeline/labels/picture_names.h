/* pipeline/labels/picture_names.h - which image of a folder a name in any file means.
 *
 * Labels come from other machines and tools: `images/a.jpg`, `images\a.jpg`, `C:\data\a.jpg`,
 * `/data/upload/3/1a2b3c4d-a.jpg`, `A.JPG`, `a` (an annotation's stem), `a.txt`. One rule for all
 * readers. Backslashes are slashes. Of the images whose name without folder and ending is that of the
 * given name (letters of either case), those count that agree best:
 *
 *   1. the whole path
 *   2. one path ends with the other: leading folders are extra, or missing; the longer end wins
 *   3. the name without folders
 *   4. to 6. the same in either case
 *   7. the name without folders and ending, where the given ending is another one
 *
 * A given name whose ending is no image's is compared without endings throughout. Where nothing is
 * found, the prefix that Label Studio puts before names it was given (eight hexadecimal digits and a
 * minus) is dropped. Several that agree equally well are an ambiguity, which is never guessed. */
#ifndef WS_PIPELINE_LABELS_PICTURE_NAMES_H
#define WS_PIPELINE_LABELS_PICTURE_NAMES_H

#include "base/error.h"

typedef struct ws_picture_names ws_picture_names;

typedef enum ws_name_verdict { WS_NAME_FOUND, WS_NAME_UNKNOWN, WS_NAME_AMBIGUOUS } ws_name_verdict;

/* The images below a folder, in byte order of their paths: PNG, JPEG, WebP and TIFF by their endings,
 * without those of hidden folders and files (`._a.jpg`). */
wsam_status ws_picture_names_open(const char *folder, ws_picture_names **names, wsam_error *error);
/* A list of somebody else's, such as the images of a COCO document, in its order; the texts are
 * copied. */
wsam_status ws_picture_names_of(const char *const *list, size_t n, ws_picture_names **names,
                                wsam_error *error);
void ws_picture_names_free(ws_picture_names *names); /* NULL is allowed */

size_t ws_picture_names_count(const ws_picture_names *names);
const char *ws_picture_names_at(const ws_picture_names *names, size_t index);

/* *index: the image that is meant; of an ambiguity, the first of them. */
wsam_status ws_picture_names_find(const ws_picture_names *names, const char *name, size_t *index,
                                  ws_name_verdict *verdict, wsam_error *error);

/* Whether a file is an image by its ending. */
int ws_picture_names_is_one(const char *name);

#endif
