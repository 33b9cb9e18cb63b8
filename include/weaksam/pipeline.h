/* weaksam/pipeline.h - pictures in, prompts, masks out.
 *
 *   wsam_picture_load        a PNG or JPEG file as 8-bit RGB (or give your own pixels)
 *   wsam_segmenter_create    working memory for one model; one thread at a time
 *   wsam_segmenter_encode    the picture's embedding: once per picture, the expensive part
 *   wsam_segmenter_run       masks of any number of prompts on an embedding
 *   wsam_result_*            results as COCO JSON, PNG, overlay, tensors
 *
 * Picture rules (size, normalisation, padding) and prompt rules are metadata of the weight file.
 * All coordinates are pixels of the original picture, (0,0) its top left corner, x before y.
 *
 * Threads: models, pictures, embeddings, prompt lists and results do not change once made and may
 * be read by any number of threads; a segmenter belongs to one thread at a time (it uses the
 * model's thread count inside). Every function is otherwise thread-safe. */
#ifndef WEAKSAM_PIPELINE_H
#define WEAKSAM_PIPELINE_H

#include "weaksam/base.h"
#include "weaksam/convert.h"
#include "weaksam/kernels.h"
#include "weaksam/masks.h"
#include "weaksam/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pictures -------------------------------------------------------------------------------- */

/* 8-bit rows of interleaved channels. Fill it yourself for pixels that you hold (`memory` NULL,
 * they stay yours and must stay valid while the picture is used), or let the functions below do it.
 */
typedef struct wsam_picture {
    int height, width;
    int channels;          /* 3: R, G, B; 1: grey */
    size_t stride;         /* bytes from row to row, at least width * channels */
    const uint8_t *pixels; /* the top left pixel */
    void *memory;          /* what wsam_picture_free frees */
} wsam_picture;

/* What a file may claim before it is refused (WSAM_ERR_LIMIT). 0 takes the default. */
typedef struct wsam_picture_limits {
    uint64_t max_pixels;     /* per picture: 100 million */
    uint64_t max_file_bytes; /* 512 MiB */
    int max_jpeg_scans;      /* of a progressive JPEG: 100 */
    uint64_t reserved[5];    /* zero */
} wsam_picture_limits;

/* Decodes a PNG or JPEG (recognised by content) into RGB. 16-bit values keep their high byte, grey
 * and palettes become RGB, alpha is dropped without compositing (as Pillow's convert("RGB")), the
 * EXIF orientation is applied, colour profiles and gamma are not. Damaged and truncated files are
 * errors, so are CMYK and YCCK (WSAM_ERR_UNSUPPORTED). `limits` may be NULL. On success the caller
 * frees *picture with wsam_picture_free. */
WSAM_API wsam_status wsam_picture_decode(const void *bytes, size_t size,
                                         const wsam_picture_limits *limits, wsam_picture *picture,
                                         wsam_error *error);

/* The same from a file; messages begin with its path. */
WSAM_API wsam_status wsam_picture_load(const char *path, const wsam_picture_limits *limits,
                                       wsam_picture *picture, wsam_error *error);

/* Frees what the picture owns and clears it; NULL is allowed. */
WSAM_API void wsam_picture_free(wsam_picture *picture);

/* Writes a PNG, under a temporary name that is renamed at the end. */
WSAM_API wsam_status wsam_picture_save(const wsam_picture *picture, const char *path,
                                       wsam_error *error);

/* Pillow's antialiased resize on 8-bit values, byte for byte: two fixed-point passes, horizontal
 * first; an axis that keeps its size is not touched. `threads` as in wsam_options. The caller frees
 * *out. Sides: 1 to 65535. */
WSAM_API wsam_status wsam_picture_resize(const wsam_picture *picture, int height, int width,
                                         wsam_filter filter, int threads, wsam_picture *out,
                                         wsam_error *error);

/* A picture for tests and demonstrations, drawn by a formula: a landscape with a disk and a box.
 * The caller frees it. Sides: 16 to 16384. */
WSAM_API wsam_status wsam_picture_draw(int height, int width, wsam_picture *out, wsam_error *error);

/* ---- from the picture to the encoder --------------------------------------------------------- */

/* How a picture lies in the encoder's square input. */
typedef struct wsam_transform {
    int height, width;                 /* of the picture */
    int content_height, content_width; /* of the part of the square that shows it */
    int size;                          /* side of the square */
} wsam_transform;

/* The transform of a picture of this size. segment-anything's rule: the longest side becomes the
 * square's, the other int(side * scale + 0.5); a side that would become 0 is refused. */
WSAM_API wsam_status wsam_model_transform(const wsam_model *model, int height, int width,
                                          wsam_transform *transform, wsam_error *error);

/* The encoder's input, [size][size][3] floats, from a picture: resized, normalised, padded. */
WSAM_API wsam_status wsam_model_preprocess(const wsam_model *model, const wsam_picture *picture,
                                           float *input, wsam_error *error);

/* ---- embeddings ------------------------------------------------------------------------------ */

/* What the image encoder found, with the picture's transform and the model's id. */
typedef struct wsam_embedding wsam_embedding;

WSAM_API void wsam_embedding_free(wsam_embedding *embedding); /* NULL is allowed */

/* The values, [grid][grid][channels] (tokens in row-major order); they belong to the embedding. */
WSAM_API const float *wsam_embedding_data(const wsam_embedding *embedding, int *grid,
                                          int *channels);
WSAM_API const wsam_transform *wsam_embedding_transform(const wsam_embedding *embedding);
WSAM_API const char *wsam_embedding_model(const wsam_embedding *embedding); /* `model.id` */

/* safetensors: `embedding` [channels,grid,grid] f32; metadata `model_id`, `height`, `width`,
 * `content_height`, `content_width`, `size`. Written under a temporary name, then renamed. */
WSAM_API wsam_status wsam_embedding_save(const wsam_embedding *embedding, const char *path,
                                         wsam_error *error);
/* The caller frees *embedding. It is compared with the model when it is used. */
WSAM_API wsam_status wsam_embedding_load(const char *path, wsam_embedding **embedding,
                                         wsam_error *error);

/* ---- prompts --------------------------------------------------------------------------------- */

typedef struct wsam_point {
    double x, y;
    int label; /* 1 foreground, 0 background */
} wsam_point;

/* One question: points, a box, or both; optionally refined by a mask. At most 4095 points, 4094
 * with a box; EfficientSAM takes 6, where a box counts as two. Coordinates may lie outside the
 * picture by up to its size; beyond that, and NaN, is an error that names the prompt. Pointers are
 * the caller's and are not kept. */
typedef struct wsam_prompt {
    const wsam_point *points;
    size_t n_points;
    int has_box;
    double box[4];     /* x0, y0, x1, y1 with x0 <= x1, y0 <= y1 */
    const float *mask; /* NULL, or [mask_side][mask_side] logits such as `low_res` of a result */
    int mask_side;     /* must be the model's: a quarter of the square's side */
    int multimask;     /* 1: three candidates, from part to whole; 0: one mask */
} wsam_prompt;

/* Prompts from a file, with their ids. */
typedef struct wsam_prompt_list {
    size_t n;
    wsam_prompt *prompts;
    char **ids;   /* JSON text of each id; its position where the file gives none */
    char **masks; /* paths of mask files as the file has them; NULL where there is none */
} wsam_prompt_list;

/* Reads JSON lines, one prompt each (empty lines are skipped):
 *   {"id": any, "points": [[x,y,label], ...], "box": [x0,y0,x1,y1], "mask": "FILE", "multimask":
 * true} at least one of points and box; label 1 when left out; unknown fields are ignored. `name`
 * stands in messages, with line and field. `multimask` is the value for lines that do not say. Mask
 * files are not read here. At most 65536 prompts, 1 MiB a line, 4096 points each (models take
 * fewer: wsam_prompt). The caller frees *list. */
WSAM_API wsam_status wsam_prompts_parse(const char *text, size_t size, const char *name,
                                        int multimask, wsam_prompt_list **list, wsam_error *error);
/* The same from a file, mask files included (relative to the file's own folder). */
WSAM_API wsam_status wsam_prompts_load(const char *path, int multimask, wsam_prompt_list **list,
                                       wsam_error *error);
WSAM_API void wsam_prompts_free(wsam_prompt_list *list); /* NULL is allowed */

/* A mask prompt from a safetensors file: its only tensor, or the one named `mask`, or of a result
 * of wsam_result_save_tensors the `low_res` with the highest `iou`. *mask is [*side][*side]; free
 * it with wsam_free. */
WSAM_API wsam_status wsam_mask_load(const char *path, float **mask, int *side, wsam_error *error);

/* ---- segmentation ---------------------------------------------------------------------------- */

typedef struct wsam_mask {
    size_t prompt;         /* index of its prompt */
    int index;             /* among the candidates of its prompt */
    float predicted_iou;   /* the model's own guess; may leave [0,1] */
    float stability_score; /* area at a logit threshold raised by 1 / lowered by 1; NaN for 0/0 */
    uint64_t area;         /* pixels */
    int32_t bbox[4];       /* x, y, width, height, tight; zeros for an empty mask */
    const float *low_res;  /* [low_h][low_w] logits, or NULL when not asked for */
    wsam_rle rle;          /* the full-size mask: wsam_rle_decode turns it into bytes */
} wsam_mask;

/* Masks of all prompts, in the prompts' order, candidates in the model's. */
typedef struct wsam_result {
    int height, width; /* of the picture */
    int low_h, low_w;
    size_t n_prompts, n;
    wsam_mask *masks; /* [n] */
    size_t *first;    /* [n_prompts + 1]: masks of prompt i are first[i] .. first[i+1]-1 */
} wsam_result;

/* What a run keeps beside scores. */
enum {
    WSAM_WANT_LOW_RES = 1, /* logits; 256 kB per mask at the published size */
    WSAM_WANT_MASKS = 2    /* full-size masks, and what is measured on them */
};

typedef struct wsam_segmenter wsam_segmenter;

WSAM_API wsam_status wsam_segmenter_create(wsam_model *model, wsam_segmenter **segmenter,
                                           wsam_error *error);
WSAM_API void wsam_segmenter_free(wsam_segmenter *segmenter); /* NULL is allowed; model last */

/* Called while encoding and between groups of prompts; may cancel. NULL removes it. */
WSAM_API void wsam_segmenter_set_progress(wsam_segmenter *segmenter, wsam_progress_fn fn,
                                          void *user);

/* The caller frees *embedding, which does not need the segmenter any more. */
WSAM_API wsam_status wsam_segmenter_encode(wsam_segmenter *segmenter, const wsam_picture *picture,
                                           wsam_embedding **embedding, wsam_error *error);

/* Frees the encoder's working memory (MobileSAM 60 MB, ViT-B 65 MB); the next encode takes it
 * again. For programs that decode one picture for long. */
WSAM_API void wsam_segmenter_trim(wsam_segmenter *segmenter);

/* Prompts of any kinds, mixed. They run in groups of equal shape and bounded memory; grouping does
 * not change results. An embedding of another model is WSAM_ERR_MISMATCH. `want`: WSAM_WANT_*
 * together. The caller frees *result with wsam_result_free. */
WSAM_API wsam_status wsam_segmenter_run(wsam_segmenter *segmenter, const wsam_embedding *embedding,
                                        const wsam_prompt *prompts, size_t n, unsigned want,
                                        wsam_result **result, wsam_error *error);

/* Called from the calling thread for every mask; what it points to is valid during the call.
 * Another return than 0 ends the run with WSAM_ERR_CANCELLED. For masks in memory of
 * your own, call wsam_rle_decode(&mask->rle, 255, bytes, stride) here: it writes every pixel. */
typedef int (*wsam_mask_fn)(void *user, const wsam_mask *mask);

/* wsam_segmenter_run without a result: each mask is given to `fn` as soon as its group is done and
 * forgotten, so that memory does not grow with the number of prompts. Order: groups of equal shape
 * (without mask prompts first, single masks first, few tokens first), the caller's within them;
 * mask->prompt tells whose it is. */
WSAM_API wsam_status wsam_segmenter_stream(wsam_segmenter *segmenter,
                                           const wsam_embedding *embedding,
                                           const wsam_prompt *prompts, size_t n, unsigned want,
                                           wsam_mask_fn fn, void *user, wsam_error *error);

/* Milliseconds spent since the segmenter was made. */
typedef struct wsam_timing {
    double preprocess_ms, encode_ms; /* resize and normalise; the encoder */
    double decode_ms;                /* prompts to logits, binding the embedding included */
    double postprocess_ms;           /* logits to masks */
    double reserved[4];
} wsam_timing;

WSAM_API void wsam_segmenter_timing(const wsam_segmenter *segmenter, wsam_timing *timing);

/* Largest resident memory of this process so far, in bytes (0 where the system does not tell). */
WSAM_API uint64_t wsam_peak_memory(void);

/* ---- results --------------------------------------------------------------------------------- */

WSAM_API void wsam_result_free(wsam_result *result); /* NULL is allowed */

/* `ids`: JSON text of each prompt's id (wsam_prompt_list), or NULL for positions. All files are
 * written under a temporary name and renamed; on failure nothing is left. */

/* A JSON list of {"prompt", "mask", "predicted_iou", "stability_score", "area", "bbox",
 * "segmentation": {"size", "counts"}}; scores that are not finite are null. Free with wsam_free. */
WSAM_API char *wsam_result_json(const wsam_result *result, char *const *ids);
WSAM_API wsam_status wsam_result_save_json(const wsam_result *result, char *const *ids,
                                           const char *path, wsam_error *error);

/* safetensors: `iou.I` [k] and `low_res.I` [k,h,w] per prompt I; `iou`, `low_res` for a single one.
 * Needs WSAM_WANT_LOW_RES. */
WSAM_API wsam_status wsam_result_save_tensors(const wsam_result *result, const char *path,
                                              wsam_error *error);

/* The picture with masks laid over it in changing colours: one mask per prompt, the candidate with
 * the highest predicted IoU. The picture's size must be the result's. The caller frees *out. */
WSAM_API wsam_status wsam_result_overlay(const wsam_result *result, const wsam_picture *picture,
                                         wsam_picture *out, wsam_error *error);

/* A folder (made where there is none) with mask_PROMPT_INDEX.png (0 and 255), masks.json and, with
 * a picture (may be NULL), overlay.png. */
WSAM_API wsam_status wsam_result_save_folder(const wsam_result *result, char *const *ids,
                                             const wsam_picture *picture, const char *folder,
                                             wsam_error *error);

/* ---- calibration ------------------------------------------------------------------------------
 */

/* Runs the f32 encoder of a checkpoint over pictures (paths of PNG or JPEG files) and measures
 * every channel behind its LayerNorms, for wsam_convert_options.calibration: smoothing then follows
 * the values that occur instead of a bound from the norms' weights. Of `convert` arch, image size
 * and heads are used; `options` tells threads and level; both may be NULL. A temporary f32 file is
 * written to TMPDIR and removed. The caller frees *calibration. */
WSAM_API wsam_status wsam_calibrate(const char *checkpoint, const wsam_convert_options *convert,
                                    const char *const *pictures, size_t n,
                                    const wsam_options *options, wsam_calibration **calibration,
                                    wsam_error *error);

/* ---- accuracy of a weight file -------------------------------------------------------------- */

/* How far one output of a graph is from its f32 original. */
typedef struct wsam_graph_error {
    char graph[64], output[32];
    double relative_l2; /* |x - x0| / |x0| */
    double largest;     /* max |x - x0| */
} wsam_graph_error;

/* Converts `checkpoint` to f32 (in a temporary file that is removed), runs both models on a picture
 * that the library draws, and compares: the encoder's output, and the decoder's on the original's
 * embedding for nine clicks; of a clue network logits, maps and cross attention. Writes up to `max`
 * rows to `errors`, their number to *n. WSAM_ERR_MISMATCH when the weight file was not made from
 * this checkpoint. */
WSAM_API wsam_status wsam_verify_against(const char *path, const char *checkpoint,
                                         const wsam_options *options, wsam_graph_error *errors,
                                         size_t max, size_t *n, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
