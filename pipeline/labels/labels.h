/* pipeline/labels/labels.h - rows of labels as the readers collect them. */
#ifndef WS_PIPELINE_LABELS_LABELS_H
#define WS_PIPELINE_LABELS_LABELS_H

#include "base/error.h"

/* One picture has one class: the form into which every kind of file is brought. */
typedef struct ws_label_row {
    char *image, *class_name; /* class_name NULL: the picture is named, without a class */
    size_t line;              /* of the file; pictures named twice have two */
} ws_label_row;

typedef struct ws_label_rows {
    const char *path; /* for messages */
    const char *kind; /* what the reader took the file for */
    int merge;        /* rows of one image belong together, wherever they stand */
    size_t n, capacity;
    ws_label_row *rows;
} ws_label_rows;

/* Copies both names. */
wsam_status ws_label_add(ws_label_rows *rows, const char *image, const char *class_name,
                         size_t line, wsam_error *error);
/* Sorted by picture; unless rows are merged, every picture from one row of the file alone. */
wsam_status ws_label_rows_sort(ws_label_rows *rows, wsam_error *error);
void ws_label_rows_free(ws_label_rows *rows);

wsam_status ws_labels_csv(ws_label_rows *rows, const char *text, size_t size, wsam_error *error);
wsam_status ws_labels_json(ws_label_rows *rows, const char *text, size_t size, wsam_error *error);
/* The image-level labels of a COCO data set: images without annotations show no class. */
wsam_status ws_labels_coco(ws_label_rows *rows, wsam_error *error);
/* A folder of VOC annotations, of a text file per image, or of a folder per class. */
wsam_status ws_labels_folder(ws_label_rows *rows, wsam_error *error);
/* One VOC annotation: rows of picture `image`. `path` is for messages. */
wsam_status ws_labels_xml(ws_label_rows *rows, const char *text, size_t size, const char *path,
                          const char *image, size_t line, wsam_error *error);

#endif
