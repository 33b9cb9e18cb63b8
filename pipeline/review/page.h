/* pipeline/review/page.h - the files of the page, which the build puts into the library. */
#ifndef WS_PIPELINE_REVIEW_PAGE_H
#define WS_PIPELINE_REVIEW_PAGE_H

#include "weaksam/picture.h"

typedef struct ws_page_file {
    const char *url, *type;
    const unsigned char *bytes;
    size_t n;
} ws_page_file;

/* The file that a URL means; NULL: none. */
const ws_page_file *ws_review_page_find(const char *url);

/* A picture as PNG in memory; free(*bytes). */
wsam_status ws_review_page_png(const wsam_picture *picture, char **bytes, size_t *n,
                               wsam_error *error);

#endif
