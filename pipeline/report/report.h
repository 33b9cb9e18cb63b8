/* pipeline/report/report.h - the parts of a page. */
#ifndef WS_PIPELINE_REPORT_REPORT_H
#define WS_PIPELINE_REPORT_REPORT_H

#include <stdio.h>

#include "base/json_writer.h"
#include "weaksam/report.h"

/* ---- report_read.c ---- */

typedef struct ws_shown {
    int64_t id;
    size_t image, category; /* positions in the lists below */
    size_t rank;            /* among the suspects; SIZE_MAX: none */
    double bbox[4], score, confidence, doubt;
    char *counts; /* compressed run lengths; NULL: a box alone */
    size_t counts_length;
} ws_shown;

typedef struct ws_listed {
    int64_t id;
    char *name;
    int width, height;
    size_t thumbnail; /* position on the page; SIZE_MAX: none yet */
} ws_listed;

typedef struct ws_page {
    const wsam_report_options *options;
    wsam_error *error;
    ws_listed *images, *categories;
    size_t n_images, n_categories, n;
    ws_shown *shown; /* most doubtful first */
    wsam_report_summary summary;
} ws_page;

wsam_status ws_report_read(ws_page *page);
void ws_report_free(ws_page *page);

/* ---- report_picture.c ---- */

/* A data URI of the picture as a JPEG of at most `side` pixels, its size in *width and *height. */
wsam_status ws_report_thumbnail(const wsam_picture *picture, int side, ws_text *out, int *width,
                                int *height, wsam_error *error);
/* An SVG path of a mask in thumbnail pixels. */
wsam_status ws_report_outline(const ws_shown *s, const ws_listed *image, int width, int height,
                              ws_text *out, wsam_error *error);

/* ---- report.c, report_judgement.c ---- */

/* Text with what HTML means something by escaped. */
void ws_report_html(FILE *f, const char *text);
/* The section of a judgement file. */
wsam_status ws_report_judgement(const char *path, FILE *f, wsam_error *error);

/* ---- report_page.c ---- */

extern const char ws_report_style[], ws_report_body[];
/* In parts: a compiler need not take longer literals. NULL at the end. */
extern const char *const ws_report_script[];
/* What the content security policy names: base64 of SHA-256 of style and script as written. */
extern const char ws_report_style_hash[], ws_report_script_hash[];

#endif
