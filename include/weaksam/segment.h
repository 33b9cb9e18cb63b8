/* weaksam/segment.h - prompts on an image, masks out.
 *
 *   wsam_segmenter_create    working memory for one model; one thread at a time
 *   wsam_segmenter_encode    the embedding of an image: once per image, the expensive part
 *   wsam_segmenter_run       masks for any number of prompts on an embedding
 *   wsam_result_*            results as COCO JSON, PNG, overlay, tensors
 *
 * The rules for images (size, normalisation, padding) and for prompts are metadata of the weight
 * file. Coordinates are pixels of the original image, (0,0) its top left corner, x before y.
 *
 * Threads: embeddings, prompt lists and results do not change once they are made and may be read by
 * any number of threads. A segmenter belongs to one thread at a time and uses the model's thread
 * count inside. Every other function is thread-safe. */
#ifndef WEAKSAM_SEGMENT_H
#define WEAKSAM_SEGMENT_H

#include "weaksam/base.h"
#include "weaksam/masks.h"
#include "weaksam/model.h"
#include "weaksam/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- embeddings ------------------------------------------------------------------------------ */

/* What the image encoder found, with the picture's transform and the model's id. */
typedef struct wsam_embedding wsam_embedding;

WSAM_API void wsam_embedding_free(wsam_embedding *embedding); /* NULL is allowed */

/* The values, [grid][grid][channels] (tokens in row-major order), and their sizes. They belong to
 * the embedding. */
WSAM_API const float *wsam_embedding_data(const wsam_embedding *embedding, int *grid,
                                          int *channels);
/* How the image lies in the encoder's square; belongs to the embedding. */
WSAM_API const wsam_transform *wsam_embedding_transform(const wsam_embedding *embedding);
WSAM_API const char *wsam_embedding_model(const wsam_embedding *embedding); /* `model.id` */

/* safetensors: `embedding` [channels,grid,grid] f32; metadata `model_id`, `height`, `width`,
 * `content_height`, `content_width`, `size`. Written under a temporary name, then renamed. */
WSAM_API wsam_status wsam_embedding_save(const wsam_embedding *embedding, const char *path,
                                         wsam_error *error);
/* Reads what wsam_embedding_save wrote: untrusted, so that a tensor of another shape, or values that
 * are not finite, are WSAM_ERR_FORMAT. The caller frees *embedding. It is compared with the model when
 * it is used. */
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
 *
 *   {"id": any, "points": [[x,y,label], ...], "box": [x0,y0,x1,y1],
 *    "mask": "FILE", "multimask": true}
 *
 * with at least one of points and box; label 1 when left out; unknown fields are ignored. `name`
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

/* Lowers and plans the model's decoder, so that the first prompt only runs (with a memory limit:
 * at the first prompt). The caller frees *segmenter, before the model. */
WSAM_API wsam_status wsam_segmenter_create(wsam_model *model, wsam_segmenter **segmenter,
                                           wsam_error *error);
/* The same for programs that only encode: a decoder is lowered and planned when it is asked first. */
WSAM_API wsam_status wsam_segmenter_create_encoder(wsam_model *model, wsam_segmenter **segmenter,
                                                   wsam_error *error);
WSAM_API void wsam_segmenter_free(wsam_segmenter *segmenter); /* NULL is allowed */

/* Called while encoding and between groups of prompts; may cancel. NULL removes it. */
WSAM_API void wsam_segmenter_set_progress(wsam_segmenter *segmenter, wsam_progress_fn fn,
                                          void *user);

/* Resizes, normalises and encodes a picture of any size; its working memory comes with the first
 * call and stays (wsam_segmenter_trim). WSAM_ERR_LIMIT: beyond the model's max_memory. The caller frees
 * *embedding, which does not need the segmenter any more. */
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

/* Reads the times so far. */
WSAM_API void wsam_segmenter_timing(const wsam_segmenter *segmenter, wsam_timing *timing);

/* Largest resident memory of this process so far, in bytes (0 where the system does not tell). */
WSAM_API uint64_t wsam_peak_memory(void);

/* ---- results --------------------------------------------------------------------------------- */

WSAM_API void wsam_result_free(wsam_result *result); /* NULL is allowed */

/* `ids`: JSON text of each prompt's id (wsam_prompt_list), or NULL for positions. All files are
 * written under a temporary name and renamed; on failure nothing is left. */

/* A JSON list of {"prompt", "mask", "predicted_iou", "stability_score", "area", "bbox",
 * "segmentation": {"size", "counts"}}; scores that are not finite are null. Free *json with
 * wsam_free. WSAM_ERR_MEMORY is the only failure. */
WSAM_API wsam_status wsam_result_json(const wsam_result *result, char *const *ids, char **json);

/* The same into a file, under a temporary name that is renamed. */
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

#ifdef __cplusplus
}
#endif
#endif
