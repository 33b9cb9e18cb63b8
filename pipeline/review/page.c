/* pipeline/review/page.c - see page.h. The arrays are made from pipeline/review/page/ by the build
 * (BUILD/pipeline/review/page/FILE.inc). */
#include "pipeline/review/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/picture/picture.h"

static const unsigned char html[] = {
#include "pipeline/review/page/review.html.inc"
};
static const unsigned char css[] = {
#include "pipeline/review/page/review.css.inc"
};
static const unsigned char js[] = {
#include "pipeline/review/page/review.js.inc"
};
static const unsigned char offline[] = {
#include "pipeline/review/page/report.js.inc"
};

static const ws_page_file files[] = {
    {"/", "text/html; charset=utf-8", html, sizeof html},
    {"/review.css", "text/css; charset=utf-8", css, sizeof css},
    {"/review.js", "text/javascript; charset=utf-8", js, sizeof js},
    {"/report.js", "text/javascript; charset=utf-8", offline, sizeof offline}, /* of reports */
};

const ws_page_file *ws_review_page_find(const char *url)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(url, files[i].url) == 0)
            return &files[i];
    return NULL;
}

wsam_status ws_review_page_png(const wsam_picture *picture, char **bytes, size_t *n,
                               wsam_error *error)
{
    FILE *f = open_memstream(bytes, n);
    if (!f)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a PNG");
    wsam_status status = ws_png_write(picture, f, error);
    if (fclose(f) != 0 && !status)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a PNG");
    if (status) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}
