/* weaksam/everything.h - all masks of a picture: the automatic mask generator of segment-anything.
 *
 * A grid of single-point prompts, optionally again on crops of the picture; the answers are
 * filtered by predicted IoU, stability and crop edges, thinned by NMS, and optionally cleaned of
 * small regions.
 *
 * Threads: a wsam_everything belongs to one thread at a time and uses the model's thread count
 * inside; options and results may be read by any number of threads. Same file, picture and level:
 * the same bytes with any number of threads. */
#ifndef WEAKSAM_EVERYTHING_H
#define WEAKSAM_EVERYTHING_H

#include "weaksam/base.h"
#include "weaksam/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fill with wsam_everything_options_default, then change fields. Names, defaults and meaning are
 * those of segment-anything. */
typedef struct wsam_everything_options {
    int points_per_side;    /* 32; the grid is n x n */
    int points_per_batch;   /* 64; prompts per decoder call at most, without influence on results */
    double pred_iou_thresh; /* 0.88: keep predicted IoU > this; no filter when <= 0 */
    double stability_score_thresh;      /* 0.95: keep stability >= this; no filter when <= 0 */
    double stability_score_offset;      /* 1.0 */
    double box_nms_thresh;              /* 0.7, within one crop */
    int crop_n_layers;                  /* 0: the whole picture only; at most 4 */
    double crop_nms_thresh;             /* 0.7, across crops */
    double crop_overlap_ratio;          /* 512/1500 */
    int crop_n_points_downscale_factor; /* 1: layer i has int(n / factor^i) points per side */
    int64_t min_mask_region_area;       /* 0; above 0: fill smaller holes, remove smaller islands */
    /* Explicit grids instead of points_per_side: crop_n_layers + 1 lists of x,y in [0,1]. */
    const double *const *point_grids;
    const size_t *point_grid_sizes;
    /* Bytes for run lengths of masks that may still be suppressed (64 MiB). Beyond it they are
     * dropped, and computed again if they are needed after all. */
    uint64_t mask_memory;
    wsam_progress_fn progress; /* while encoding, between batches of prompts, masks, results */
    void *progress_user;
    /* 0. Otherwise every fourth point of every fourth row first, then only points that no mask of
     * these covers with a logit above confident_logit (8.5): TinySAM's hierarchical mode. Fewer
     * prompts and other results, masks inside of confident ones above all. Not with point_grids. */
    int hierarchical;
    double confident_logit;
    uint64_t reserved[6]; /* zero */
} wsam_everything_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_everything_options_default(wsam_everything_options *options);

/* One mask. Pointers are valid during the callback only. */
typedef struct wsam_everything_record {
    int height, width;    /* of the picture */
    const char *counts;   /* COCO's compressed run lengths, NUL-terminated (wsam_rle_from_string) */
    size_t counts_length; /* without the NUL */
    uint64_t area;        /* pixels */
    int32_t bbox[4]; /* x0, y0, x1-x0, y1-y0 of the inclusive corners: one short, as published */
    float predicted_iou, stability_score;
    double point[2];     /* the prompt, in pixels of the picture */
    int32_t crop_box[4]; /* x, y, width, height */
} wsam_everything_record;

/* Called from the calling thread for every mask in the order of the result; a return other than 0
 * ends the call with WSAM_ERR_CANCELLED. */
typedef int (*wsam_everything_fn)(void *user, const wsam_everything_record *record);

/* What happened: numbers of masks after each step, seconds, bytes. Of a call that fails it tells
 * how far that came; zeros where the options were refused. */
typedef struct wsam_everything_stats {
    uint64_t prompts, masks; /* decoded */
    uint64_t after_iou, after_stability, after_edges, after_nms, after_crops, kept;
    uint64_t recomputed; /* masks decoded twice for lack of memory */
    double load_s;       /* picture files (wsam_everything_many) */
    double preprocess_s, encode_s, decode_s, mask_s, nms_s, clean_s;
    uint64_t peak_bytes; /* of this call's own buffers; models and sessions not included */
} wsam_everything_stats;

/* Working memory for the masks of pictures, one after another; one thread at a time (it uses the
 * model's thread count inside). The model is closed last. */
typedef struct wsam_everything wsam_everything;

/* Opens the encoder and the decoder for single points. WSAM_ERR_MISMATCH or _UNSUPPORTED when the model
 * is no segmenter; WSAM_ERR_LIMIT beyond its memory limit. The caller frees *everything, before the
 * model. */
WSAM_API wsam_status wsam_everything_create(wsam_model *model, wsam_everything **everything,
                                            wsam_error *error);
WSAM_API void wsam_everything_free(wsam_everything *everything); /* NULL is allowed */

/* All masks of a picture, in the published order: each is given to `fn` from the calling thread, and
 * what it points to is valid during the call. `options` may be NULL; `stats` too.
 * WSAM_ERR_ARGUMENT: an option out of range. WSAM_ERR_CANCELLED: `fn` or the progress function ended
 * it. */
WSAM_API wsam_status wsam_everything_run(wsam_everything *everything, const wsam_picture *picture,
                                         const wsam_everything_options *options,
                                         wsam_everything_fn fn, void *user,
                                         wsam_everything_stats *stats, wsam_error *error);

/* ---- results as files ------------------------------------------------------------------------ */

/* All records of one picture, kept; free with wsam_everything_result_free (NULL is allowed). */
typedef struct wsam_everything_result {
    int height, width;
    size_t n;
    wsam_everything_record *records;
} wsam_everything_result;

/* wsam_everything_run, with the records kept, masks as run lengths. The caller frees *result with
 * wsam_everything_result_free. */
WSAM_API wsam_status wsam_everything_collect(wsam_everything *everything,
                                             const wsam_picture *picture,
                                             const wsam_everything_options *options,
                                             wsam_everything_result **result,
                                             wsam_everything_stats *stats, wsam_error *error);

/* Frees what wsam_everything_collect made; NULL is allowed. */
WSAM_API void wsam_everything_result_free(wsam_everything_result *result);

/* {"image": name, "width": W, "height": H, "masks": [records]} in one line with a newline; free
 * *json with wsam_free. WSAM_ERR_MEMORY is the only failure. */
WSAM_API wsam_status wsam_everything_json(const wsam_everything_result *result, const char *image,
                                          char **json);

/* The picture with all masks laid over it, large ones first. The caller frees *out. */
WSAM_API wsam_status wsam_everything_overlay(const wsam_everything_result *result,
                                             const wsam_picture *picture, wsam_picture *out,
                                             wsam_error *error);

enum {
    WSAM_EVERYTHING_JSON = 1,   /* FOLDER/STEM.json */
    WSAM_EVERYTHING_PNG = 2,    /* FOLDER/STEM/0.png, 1.png, ... (0 and 255) and metadata.csv */
    WSAM_EVERYTHING_OVERLAY = 4 /* FOLDER/STEM_overlay.png */
};

/* Files of one picture, all or none; the folder is made where there is none. `image` is the name in
 * the JSON, `stem` a plain name without '/'. Masks that an earlier call left beside its
 * metadata.csv are replaced or removed. */
WSAM_API wsam_status wsam_everything_save(const wsam_everything_result *result,
                                          const wsam_picture *picture, const char *image,
                                          const char *folder, const char *stem, unsigned what,
                                          wsam_error *error);

/* ---- many pictures --------------------------------------------------------------------------- */

/* One picture that is done; all of it is valid during `make` only. */
typedef struct wsam_everything_item {
    size_t index;
    const char *path;
    const wsam_picture *picture;
    const wsam_everything_result *result;
} wsam_everything_item;

/* Picture files, and what is done with their masks. */
typedef struct wsam_everything_batch {
    const char *const *paths;
    size_t n;
    int workers; /* pictures at once; each takes the memory of a wsam_everything */
    const wsam_picture_limits *limits;      /* or NULL */
    const wsam_everything_options *options; /* or NULL; progress is of all pictures together */
    /* On a worker's thread, pictures in any order: files, or a text for `put` (*text stays NULL, or
     * comes from malloc or this library; it is freed after `put`). */
    wsam_status (*make)(void *user, const wsam_everything_item *item, char **text,
                        wsam_error *error);
    /* On the calling thread, in the order of the pictures. `failure` is NULL, or what went wrong
     * with this one, which does not stop the others. Another return than 0 does. */
    int (*put)(void *user, size_t index, const char *text, const wsam_error *failure);
    void *user;
} wsam_everything_batch;

/* All masks of many pictures, one picture per worker; the results are those of one picture alone.
 * A worker uses the model's thread count: open the model with what the process may use divided by
 * the workers. Pictures that are done wait for their turn, four per worker at most. In `stats` (may
 * be NULL) numbers and seconds of all pictures add up, and the peaks of the workers. */
WSAM_API wsam_status wsam_everything_many(wsam_model *model, const wsam_everything_batch *batch,
                                          wsam_everything_stats *stats, wsam_error *error);

/* One record as JSON (an object of formats for COCO results): writes at most `capacity` characters,
 * no NUL, returns the number the text has. */
WSAM_API size_t wsam_everything_record_json(const wsam_everything_record *record, char *text,
                                            size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
