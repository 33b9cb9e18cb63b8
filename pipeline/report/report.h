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
    const char *reviewed; /* "none", or what a person decided */
    char *counts;         /* compressed run lengths; NULL: a box alone */
    size_t counts_length;
} ws_shown;

typedef struct ws_listed {
    int64_t id;
    char *name;
    int width, height;
    size_t thumbnail; /* position on the page; SIZE_MAX: none */
    /* of images: */
    const char *review; /* "none", "partial", "complete" */
    size_t n, rank;     /* instances, and the first place among the suspects */
    double doubt;       /* of the most doubtful one; where a person decided about all: above all */
} ws_listed;

typedef struct ws_page {
    const wsam_report_options *options;
    wsam_error *error;
    ws_listed *images, *categories;
    size_t n_images, n_categories, n;
    ws_shown *shown; /* image by image */
    size_t *order;   /* [n_order]: images on the page, the most doubtful first */
    size_t n_order;
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

/* The review page (pipeline/review/page) as one file, in parts: up to the place of a judgement, on
 * to the data, and the rest. */
wsam_status ws_report_begin(FILE *f, const char *title, wsam_error *error);
wsam_status ws_report_data(FILE *f, wsam_error *error);
wsam_status ws_report_end(FILE *f, wsam_error *error);

#endif
