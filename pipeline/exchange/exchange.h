/* pipeline/exchange/exchange.h - what the writers and readers of the formats share. */
#ifndef WS_PIPELINE_EXCHANGE_EXCHANGE_H
#define WS_PIPELINE_EXCHANGE_EXCHANGE_H

#include <stdio.h>

#include "base/outputs.h"
#include "base/text.h"
#include "pipeline/exchange/document.h"
#include "weaksam/exchange.h"

/* ---- writing ---- */

typedef struct ws_export {
    const wsam_coco_document *d;
    wsam_export_options options;
    const char *folder;
    ws_outputs out;
    wsam_exchange_counts *counts;
    unsigned char *chosen; /* [n_images] */
    char *before;          /* files of an earlier export there, a line each; NULL: none */
    ws_text names;         /* files of this one, likewise */
} ws_export;

/* Objects of image i that are written: not rejected. */
int ws_export_wanted(const ws_export *e, const wsam_instance *a);
/* One file, `name` below the folder; subfolders are made. */
wsam_status ws_export_file(ws_export *e, const char *name, const ws_text *text, wsam_error *error);
/* The stream of such a file; ws_outputs_close completes it. NULL: see *error. */
FILE *ws_export_open(ws_export *e, const char *name, wsam_error *error);
/* "PREFIX/NAME without its ending.ENDING"; refuses names that lead out of the folder. */
wsam_status ws_export_name(const char *prefix, const char *image, const char *ending, char **name,
                           wsam_error *error);
/* Refuses two images that would share a file by ws_export_name. */
wsam_status ws_export_unique(const ws_export *e, const char *prefix, const char *ending,
                             wsam_error *error);
/* The whole document as a COCO data set with run lengths: annotations.json, weaksam.json. */
wsam_status ws_export_document(ws_export *e, const char *name, wsam_error *error);

/* ---- reading ---- */

typedef struct ws_import {
    const char *path;
    int is_folder; /* path */
    const char *images;
    struct ws_picture_list *pictures;
    ws_builder b;
    wsam_coco_document *side; /* weaksam.json beside it, or NULL */
    size_t side_image;        /* in it, of the image begun last; n_images: none */
    unsigned char *used;      /* [of side]: objects that came back */
    wsam_import_options options;
    wsam_exchange_counts *counts;
} ws_import;

/* Begins an image under the name that it has in the folder. *known is 0 when it is not there: what
 * follows about it has to be skipped. Sizes of 0 are taken from the picture, others compared. */
wsam_status ws_import_image(ws_import *in, const char *name, int *width, int *height, int *known,
                            wsam_error *error);
/* Ends the image begun last, if any: what weaksam.json has of it beyond the format comes back. */
wsam_status ws_import_end_image(ws_import *in, wsam_error *error);
/* An object of the image begun last; takes over a->counts. */
wsam_status ws_import_object(ws_import *in, const char *class_name, wsam_instance *a,
                             wsam_error *error);
/* The objects that weaksam.json has of the image begun last; 0 of them without such a file. */
size_t ws_import_side(const ws_import *in, const wsam_instance **objects);
/* A complete object of weaksam.json in place of what the format holds of it. */
wsam_status ws_import_restore(ws_import *in, const wsam_instance *from, wsam_error *error);
/* Whether an object of weaksam.json has come back. */
int ws_import_used(const ws_import *in, const wsam_instance *side);
/* Whether an object that was read is one of weaksam.json that has not come back yet: its class, and
 * its area to the pixel. */
int ws_import_same(const ws_import *in, const wsam_instance *side, const char *class_name,
                   const wsam_instance *a);
/* The first such object of weaksam.json; NULL: none. */
const wsam_instance *ws_import_find(const ws_import *in, const char *class_name,
                                    const wsam_instance *a);
/* Files below `folder` with an ending, sorted; free each and the list. */
wsam_status ws_import_list(const char *folder, const char *ending, char ***names, size_t *n,
                           wsam_error *error);

/* ---- the formats ---- */

typedef struct ws_format {
    const char *name;
    wsam_status (*write)(ws_export *e, wsam_error *error);
    /* Does this look like it? What fails for want of memory or of an answer goes to `failure`: it says nothing about
     * the file. */
    int (*found)(const char *path, int is_folder, wsam_error *failure);
    wsam_status (*read)(ws_import *in, wsam_error *error);
} ws_format;

extern const ws_format ws_format_coco, ws_format_yolo, ws_format_voc, ws_format_labelme,
    ws_format_label_studio, ws_format_cvat;

#endif
