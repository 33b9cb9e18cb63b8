/* pipeline/labels/labels.h - rows of labels as the readers collect them. */
#ifndef WS_PIPELINE_LABELS_LABELS_H
#define WS_PIPELINE_LABELS_LABELS_H

#include "base/error.h"
#include "base/text.h"

/* Rows at most: with their sort they take 24 bytes each, and the text of a table is at least two. */
#define WS_LABEL_ROWS 2500000

/* One picture has one class: the form into which every kind of file is brought. Names are places in
 * the text of all rows. */
typedef struct ws_label_row {
    uint32_t image,
        class_name; /* class_name WS_LABEL_NONE: the picture is named, without a class */
    uint32_t line;  /* of the file; pictures named twice have two */
} ws_label_row;

#define WS_LABEL_NONE UINT32_MAX

typedef struct ws_label_rows {
    const char *path; /* for messages */
    const char *kind; /* what the reader took the file for */
    int merge;        /* rows of one image belong together, wherever they stand */
    size_t n, capacity;
    ws_label_row *rows;
    ws_text text;
} ws_label_rows;

const char *ws_label_rows_image(const ws_label_rows *rows, size_t i);
/* NULL: none. */
const char *ws_label_rows_class(const ws_label_rows *rows, size_t i);

/* Copies a name: once for all rows that have it. */
wsam_status ws_label_rows_text(ws_label_rows *rows, const char *name, uint32_t *at,
                               wsam_error *error);
wsam_status ws_label_rows_put(ws_label_rows *rows, uint32_t image, uint32_t class_name, size_t line,
                              wsam_error *error);
/* Both: an image and a class that the row before has are not copied again. */
wsam_status ws_label_rows_add(ws_label_rows *rows, const char *image, const char *class_name,
                              size_t line, wsam_error *error);
/* By picture and line. */
void ws_label_rows_order(ws_label_rows *rows);
/* Sorted by picture; unless rows are merged, every picture from one row of the file alone. */
wsam_status ws_label_rows_sort(ws_label_rows *rows, wsam_error *error);
void ws_label_rows_free(ws_label_rows *rows);

wsam_status ws_labels_csv(ws_label_rows *rows, const char *text, size_t size, wsam_error *error);
wsam_status ws_labels_json(ws_label_rows *rows, const char *text, size_t size, wsam_error *error);
/* The image-level labels of a COCO data set: images without annotations show no class. */
wsam_status ws_labels_coco(ws_label_rows *rows, wsam_error *error);
/* A folder of VOC annotations, of a text file per image, or of a folder per class. */
wsam_status ws_labels_folder(ws_label_rows *rows, wsam_error *error);
/* The .cls and .txt members of a tar file, a class per line, as WebDataset has them. */
wsam_status ws_labels_archive(ws_label_rows *rows, wsam_error *error);
/* One VOC annotation: rows of picture `image`. `path` is for messages. */
wsam_status ws_labels_xml(ws_label_rows *rows, const char *text, size_t size, const char *path,
                          const char *image, size_t line, wsam_error *error);

#endif
