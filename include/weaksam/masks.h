/* weaksam/masks.h - binary masks: packed bits, run lengths, polygons, components, box NMS.
 *
 * Nothing here allocates. A function that produces a list of unknown length takes the caller's
 * buffer with its capacity and always reports the length needed; when the buffer is too small it
 * returns WSAM_ERR_LIMIT and the content is unspecified, so that a first call with capacity 0 gives
 * the size. All functions are thread-safe. Sizes: 1 <= height, width and height*width < 2^32.
 *
 * Packed bits ("bits"): pixel (x,y) of a mask of `width` columns is bit y%64 of word
 * bits[(y/64)*width + x]; bits below the last row are zero. A word is 64 rows of one column, which
 * makes column-major run lengths as cheap as row-wise production. */
#ifndef WEAKSAM_MASKS_H
#define WEAKSAM_MASKS_H

#include "weaksam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- packed bits ----------------------------------------------------------------------------- */

/* Words of a mask: ceil(height/64)*width. */
WSAM_API size_t wsam_bits_words(int height, int width);

/* Rows of bytes (0 or not 0), `stride` bytes apart, as bits. */
WSAM_API void wsam_bits_from_bytes(const uint8_t *bytes, size_t stride, int height, int width,
                                   uint64_t *bits);

/* Bits as rows of bytes, `stride` bytes apart, each 0 or `value`. */
WSAM_API void wsam_bits_to_bytes(const uint64_t *bits, int height, int width, uint8_t value,
                                 uint8_t *bytes, size_t stride);

/* ---- run lengths (COCO) ---------------------------------------------------------------------- */

/* Column-major (x outer, y inner) alternating run lengths, zeros first. `counts` is the caller's
 * buffer of `capacity` numbers, `n` of them in use (or needed, after WSAM_ERR_LIMIT). */
typedef struct wsam_rle {
    int height, width;
    size_t n, capacity;
    uint32_t *counts;
} wsam_rle;

/* Sizes in range and counts that sum to height*width. Functions below take valid runs only: check
 * what comes from outside (wsam_rle_from_string does). */
WSAM_API wsam_status wsam_rle_validate(const wsam_rle *rle, wsam_error *error);

/* The mask of bits [height][width], placed at (x,y) of an image of rle->height x rle->width. A box
 * saves time: inclusive x0,y0,x1,y1 in the mask's frame, with nothing set outside; or NULL. */
WSAM_API wsam_status wsam_rle_from_bits(const uint64_t *bits, int height, int width,
                                        const int32_t *box, int x, int y, wsam_rle *rle);

/* The whole image as bits; wsam_bits_words(height, width) words. */
WSAM_API void wsam_rle_to_bits(const wsam_rle *rle, uint64_t *bits);

/* Rows of bytes (0 or not 0), `stride` bytes apart; rle->height and rle->width give the size. */
WSAM_API wsam_status wsam_rle_encode(const uint8_t *bytes, size_t stride, wsam_rle *rle);

/* The mask as rows of bytes, `stride` bytes apart, each 0 or `value`. */
WSAM_API void wsam_rle_decode(const wsam_rle *rle, uint8_t value, uint8_t *bytes, size_t stride);

/* The compressed text of COCO files (pycocotools): writes at most `capacity` characters, no NUL,
 * and returns the number the text has. */
WSAM_API size_t wsam_rle_to_string(const wsam_rle *rle, char *text, size_t capacity);

/* Reads `length` characters of untrusted text; rle->height and rle->width give the size. Refuses
 * characters outside the alphabet, unfinished numbers, negative runs, and sums other than
 * height*width. */
WSAM_API wsam_status wsam_rle_from_string(const char *text, size_t length, wsam_rle *rle,
                                          wsam_error *error);

/* Pixels that are set. */
WSAM_API uint64_t wsam_rle_area(const wsam_rle *rle);

/* Tight inclusive box x0,y0,x1,y1; returns 0, and 0,0,-1,-1, when nothing is set. */
WSAM_API int wsam_rle_box(const wsam_rle *rle, int32_t box[4]);

/* |a and b| / |a or b|; crowd: / |a|, where b is the crowd. 0 when they do not meet; -1 when the
 * sizes differ although the boxes meet (as pycocotools). */
WSAM_API double wsam_rle_iou(const wsam_rle *a, const wsam_rle *b, int crowd);

/* Pixels in both; the sizes must be equal. */
WSAM_API uint64_t wsam_rle_intersection(const wsam_rle *a, const wsam_rle *b);

typedef enum wsam_merge { WSAM_MERGE_UNION = 0, WSAM_MERGE_INTERSECTION = 1 } wsam_merge;

/* Union or intersection; sizes must be equal (WSAM_ERR_MISMATCH). `out` has its own buffer. */
WSAM_API wsam_status wsam_rle_merge(const wsam_rle *a, const wsam_rle *b, wsam_merge kind,
                                    wsam_rle *out);

/* ---- polygons -------------------------------------------------------------------------------- */

/* The mask of one closed polygon of `points` vertices x,y in pixels, by the rules of pycocotools
 * (so that areas agree with COCO files); several polygons are merged by union. `scratch` holds
 * scratch_capacity numbers; *scratch_needed tells how many it takes (also after WSAM_ERR_LIMIT).
 * The work grows with the length of the outline. Coordinates beyond +-131072 are refused. */
WSAM_API wsam_status wsam_rle_from_polygon(const double *xy, size_t points, uint64_t *scratch,
                                           size_t scratch_capacity, size_t *scratch_needed,
                                           wsam_rle *rle, wsam_error *error);

/* One closed outline along pixel edges: vertices [first, first + points) of the list, every one a
 * corner. Outer outlines have positive area in a frame with y down (clockwise on the screen), holes
 * negative. Set pixels that touch by a corner belong together (8-connected). */
typedef struct wsam_contour {
    size_t first, points;
    int hole;
} wsam_contour;

/* All outlines of a mask: filling them by the even-odd rule gives the mask back exactly. `work`
 * holds wsam_bits_words words. vertices: x,y pairs. *n_contours and *n_vertices receive the numbers
 * needed. */
WSAM_API wsam_status wsam_contours(const uint64_t *bits, int height, int width, uint64_t *work,
                                   wsam_contour *contours, size_t contour_capacity,
                                   size_t *n_contours, int32_t *vertices, size_t vertex_capacity,
                                   size_t *n_vertices);

/* ---- components and small regions ------------------------------------------------------------ */

typedef struct wsam_component {
    uint64_t area;
    int32_t x0, y0, x1, y1; /* inclusive */
} wsam_component;

typedef enum wsam_region {
    WSAM_REGION_ISLANDS = 0, /* components of the mask */
    WSAM_REGION_HOLES = 1    /* components of what is not set, the background included */
} wsam_region;

/* Bytes of scratch (8-byte aligned) for the two functions below. */
WSAM_API size_t wsam_components_scratch(const wsam_rle *rle);

/* The 8-connected components, in the row-major order of their first pixels. Returns their number;
 * at most `capacity` are written. */
WSAM_API size_t wsam_components(const wsam_rle *rle, wsam_region kind, void *scratch,
                                wsam_component *out, size_t capacity);

/* Holes smaller than min_area are filled, or islands smaller than min_area removed; when all
 * islands are small the largest stays (the first of equals). *changed tells whether a small one was
 * found. */
WSAM_API wsam_status wsam_remove_small_regions(const wsam_rle *rle, wsam_region kind,
                                               uint64_t min_area, void *scratch, wsam_rle *out,
                                               int *changed);

/* ---- boxes ----------------------------------------------------------------------------------- */

/* IoU of two boxes x0,y0,x1,y1 in f32 with areas (x1-x0)(y1-y0); NaN for two empty ones. */
WSAM_API float wsam_box_iou(const float *a, const float *b);

/* Greedy non-maximum suppression (torchvision): by score, highest first, ties in index order; a box
 * is dropped when its IoU with a kept one is above the threshold. boxes: n times x0,y0,x1,y1, area
 * (x1-x0)(y1-y0); the ratio is f32, the comparison f64; degenerate boxes are never dropped. `keep`
 * holds n numbers and receives the kept indices in score order; `scratch` holds n numbers. Returns
 * how many. */
WSAM_API size_t wsam_box_nms(const float *boxes, const float *scores, size_t n, double threshold,
                             uint64_t *scratch, uint32_t *keep);

#ifdef __cplusplus
}
#endif
#endif
