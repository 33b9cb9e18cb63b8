/* weaksam/backbone.h - patch tokens of a picture from a frozen backbone (DINOv2, DINO, DeiT): the
 * features that heads are trained on.
 *
 * A backbone's file has the graph `backbone`; wsam_convert makes it from published checkpoints. The
 * picture is resized to whole patches (wsam_backbone_size), small ones are enlarged; any size
 * works, the position table is resampled to it.
 *
 * Threads: a wsam_backbone belongs to one thread at a time (it uses the model's thread count
 * inside); results do not change once made. Same file, picture and level: the same bytes with any
 * number of threads. */
#ifndef WEAKSAM_BACKBONE_H
#define WEAKSAM_BACKBONE_H

#include "weaksam/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Working memory for one model, and what it says of itself. */
typedef struct wsam_backbone wsam_backbone;

/* WSAM_ERR_MISMATCH when the model has no graph `backbone`. The caller frees *backbone with
 * wsam_backbone_free, before the model. */
WSAM_API wsam_status wsam_backbone_create(wsam_model *model, wsam_backbone **backbone,
                                          wsam_error *error);
WSAM_API void wsam_backbone_free(wsam_backbone *backbone); /* NULL is allowed */

/* Pixels of a patch's side. */
WSAM_API int wsam_backbone_patch(const wsam_backbone *backbone);
/* Channels of a token. */
WSAM_API int wsam_backbone_channels(const wsam_backbone *backbone);
/* Heads of the last block's attention. */
WSAM_API int wsam_backbone_heads(const wsam_backbone *backbone);

/* What the network sees of a picture of height x width: with s = long_side / max(height, width) a
 * side n becomes patch * max(1, int(n * s / patch + 0.5)), in double. size: height, width.
 * WSAM_ERR_ARGUMENT where a side is not 1 to 65535 or long_side not 1 to 8192. */
WSAM_API wsam_status wsam_backbone_size(const wsam_backbone *backbone, int height, int width,
                                        int long_side, int size[2], wsam_error *error);

enum { WSAM_BACKBONE_LONG_SIDE = 518 }; /* the size that DINOv2 was trained at, at the end */

/* How an image is run. */
typedef struct wsam_backbone_params {
    int long_side; /* of the input, about: 518 */
    int mirror;    /* 1: run the mirrored picture; cells are mirrored back to where they belong */
    wsam_progress_fn progress; /* between steps; may cancel; NULL */
    void *progress_user;
    uint64_t reserved[4]; /* zero */
} wsam_backbone_params;

/* The defaults; call it before fields are changed. */
WSAM_API void wsam_backbone_params_default(wsam_backbone_params *params);

/* Values of one picture. Cell (row i, column j) covers x from j * image_width / width to (j + 1) *
 * image_width / width of the picture, y alike: its place does not depend on the input's size. */
typedef struct wsam_backbone_result {
    int height, width; /* cells */
    int channels, heads;
    int image_height, image_width; /* pixels of the picture */
    int input_height, input_width; /* of what the network saw */
    float *patch_tokens;           /* [height][width][channels], behind the final norm */
    float *class_token;            /* [channels], likewise */
    float *attention;              /* [heads][height][width]: the class token's, last block, softmax
                                    * over all tokens */
    double preprocess_s, encode_s; /* time taken */
    uint64_t reserved[4];
} wsam_backbone_result;

/* `params` may be NULL. Messages do not name the picture's file; the caller does. The caller frees
 * *result with wsam_backbone_result_free. */
WSAM_API wsam_status wsam_backbone_run(wsam_backbone *backbone, const wsam_picture *picture,
                                       const wsam_backbone_params *params,
                                       wsam_backbone_result **result, wsam_error *error);
WSAM_API void wsam_backbone_result_free(wsam_backbone_result *result); /* NULL is allowed */

/* safetensors: `patch_tokens` [h,w,channels], `class_token` [channels]; metadata `model_id`,
 * `height`, `width` (of the picture), `input_height`, `input_width`. Written under a temporary
 * name, then renamed. */
WSAM_API wsam_status wsam_backbone_save(const wsam_backbone *backbone,
                                        const wsam_backbone_result *result, const char *path,
                                        wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
