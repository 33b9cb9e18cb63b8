/* pipeline/exchange/pickle_names.h - which images the entries of a pickle are about. */
#ifndef WS_PIPELINE_EXCHANGE_PICKLE_NAMES_H
#define WS_PIPELINE_EXCHANGE_PICKLE_NAMES_H

#include "pipeline/labels/picture_names.h"
#include "weaksam/exchange.h"

typedef struct ws_pickle_names {
    const char *path, *folder; /* of the list, of the images; NULL */
    ws_picture_names *list, *files;
    struct ws_pickle_id *ids; /* by id */
    size_t n_ids;
} ws_pickle_names;

/* An image that is meant. */
typedef struct ws_pickle_image {
    char *name;        /* free */
    int width, height; /* 0: not known */
} ws_pickle_image;

wsam_status ws_pickle_names_open(const wsam_pickle_options *options, ws_pickle_names *names,
                                 wsam_error *error);
void ws_pickle_names_close(ws_pickle_names *names);

/* The image at a place of a list of n; without names "0", "1", .... */
wsam_status ws_pickle_name_at(const ws_pickle_names *names, size_t at, size_t n,
                              ws_pickle_image *image, wsam_error *error);
/* The image of an id, a number or a name; without names the id itself. */
wsam_status ws_pickle_name_of(const ws_pickle_names *names, const char *id, ws_pickle_image *image,
                              wsam_error *error);

/* The number in a file name: all of its stem without underscores, or the digits at its end; 0 when
 * there is none. */
int ws_pickle_id_of(const char *name, int64_t *id);

#endif
