/* pipeline/coco/dataset.h - ground truth and results in memory: compact arrays, texts in blocks. */
#ifndef WS_PIPELINE_COCO_DATASET_H
#define WS_PIPELINE_COCO_DATASET_H

#include "base/error.h"
#include "base/text.h"
#include "weaksam/evaluate.h"
#include "weaksam/masks.h"

/* ---- text_arena.c: texts that live as long as their set ---- */

typedef struct ws_store {
    struct ws_store_block *blocks;
} ws_store;

/* A copy with a NUL behind it; NULL when there is no memory. */
char *ws_text_arena_put(ws_store *store, const char *bytes, size_t n);
void ws_text_arena_free(ws_store *store);

/* ---- sets ---- */

/* A mask as COCO's compressed text, checked when it was read. */
typedef struct ws_mask {
    const char *text;
    uint32_t length;
    int32_t height, width;
} ws_mask;

typedef struct ws_image {
    int64_t id;
    const char *name;      /* file name, or NULL */
    int32_t height, width; /* 0: not said */
    int listed;
} ws_image;

typedef struct ws_category {
    int64_t id;
    const char *name;
} ws_category;

enum { WS_OBJECT_CROWD = 1, WS_OBJECT_DIFFICULT = 2 };

typedef struct ws_object {
    int64_t id;
    int32_t image, category; /* indices */
    unsigned flags;
    double area; /* < 0: not said */
    double box[4];
} ws_object;

/* A picture by the stem of its name: what is left without folder and ending. */
typedef struct ws_stem {
    const char *name, *text; /* text: within name */
    size_t length;
    int32_t image;
} ws_stem;

struct wsam_eval_truth {
    char *path; /* for messages */
    int voc;
    ws_image *images; /* by ascending id */
    ws_category *categories;
    ws_object *objects; /* in the order of the file */
    ws_mask *masks;     /* one per object, or NULL */
    size_t n_images, n_categories, n_objects, n_listed;
    size_t image_capacity, category_capacity, object_capacity, mask_capacity;
    ws_stem *stems; /* of the pictures that have names, sorted */
    size_t n_stems;
    int32_t *by_name; /* categories, sorted */
    ws_store store;
};

typedef struct ws_result {
    int32_t image, category; /* indices; proposals have category 0 */
    double score;
    double box[4];
} ws_result;

struct wsam_eval_results {
    const wsam_eval_truth *truth;
    ws_result *results; /* in the order of the file */
    ws_mask *masks;     /* one per result, or NULL */
    double *mask_areas; /* what decides between small and large masks; NULL without masks */
    int boxless;        /* the first result has no box: areas of masks are those of boxes too */
    size_t n, capacity, mask_capacity, area_capacity, dropped;
    int proposals; /* without classes and scores */
    ws_store store;
};

/* ---- index.c ---- */

/* Sorts pictures and classes by id, refuses classes of one name, prepares the lookups. Objects follow. */
wsam_status ws_truth_index(wsam_eval_truth *t, wsam_error *error);
/* Keeps the pictures that a text file names. */
wsam_status ws_truth_list(wsam_eval_truth *t, const char *path, wsam_error *error);
/* Indices, or -1. */
int32_t ws_truth_index_image(const wsam_eval_truth *t, int64_t id);
int32_t ws_truth_index_category(const wsam_eval_truth *t, int64_t id);
int32_t ws_truth_index_category_name(const wsam_eval_truth *t, const char *name);
/* The picture with this file name, else the one with its stem; -2 when there are several. */
int32_t ws_truth_index_name(const wsam_eval_truth *t, const char *name);

/* ---- image_names.c: images by their names ---- */

typedef struct ws_name_index {
    struct ws_name_entry *entries;
    size_t n;
} ws_name_index;

/* The names must live as long. */
wsam_status ws_image_names_make(ws_name_index *index, char *const *names, size_t n,
                                wsam_error *error);
void ws_image_names_free(ws_name_index *index);
/* By the whole file name, or by its stem where no other image has the same; SIZE_MAX: none. */
size_t ws_image_names_find(const ws_name_index *index, const char *name);
/* A name that two images have, or NULL. */
const char *ws_image_names_twice(const ws_name_index *index);

/* ---- truth_coco.c, truth_voc.c ---- */

wsam_status ws_truth_coco(wsam_eval_truth *t, const wsam_eval_read_options *options,
                          wsam_error *error);
wsam_status ws_truth_voc(wsam_eval_truth *t, const wsam_eval_read_options *options,
                         wsam_error *error);

#endif
