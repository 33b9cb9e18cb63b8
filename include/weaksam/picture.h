/* weaksam/picture.h - 8-bit images: PNG, JPEG, WebP and TIFF files in, resized, PNG files out.
 *
 *   wsam_picture_load        a file as 8-bit RGB (or pass pixels of your own)
 *   wsam_picture_resize      resized as Pillow resizes, byte for byte
 *   wsam_model_preprocess    the encoder's input for a model
 *
 * Coordinates are pixels of the original image, (0,0) its top left corner, x before y. A picture
 * does not change once it is made and may be read by any number of threads. Every function is
 * thread-safe. */
#ifndef WEAKSAM_PICTURE_H
#define WEAKSAM_PICTURE_H

#include "weaksam/base.h"
#include "weaksam/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- pictures -------------------------------------------------------------------------------- */

/* 8-bit rows of interleaved channels. Fill it yourself for pixels that you hold (`memory` NULL;
 * they stay yours and must stay valid while the picture is used), or let functions below do it. */
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

/* Decodes a PNG, JPEG, WebP or TIFF (recognised by content) into RGB. 16-bit values keep their high
 * byte, grey and palettes become RGB, alpha is dropped without compositing (as Pillow's
 * convert("RGB")), CMYK becomes RGB by Pillow's plain rule, the EXIF orientation is applied, colour
 * profiles and gamma are not. Damaged and truncated files are WSAM_ERR_FORMAT; several pages, an
 * animation and variants that are not read WSAM_ERR_UNSUPPORTED. `limits` may be NULL. On success the
 * caller frees *picture with wsam_picture_free. */
WSAM_API wsam_status wsam_picture_decode(const void *bytes, size_t size,
                                         const wsam_picture_limits *limits, wsam_picture *picture,
                                         wsam_error *error);

/* The same from a file, or a member of a tar file or list (tar/NAME); messages begin with its path.
 * WSAM_ERR_IO when it cannot be read. */
WSAM_API wsam_status wsam_picture_load(const char *path, const wsam_picture_limits *limits,
                                       wsam_picture *picture, wsam_error *error);

/* Frees what the picture owns and clears it; NULL is allowed. */
WSAM_API void wsam_picture_free(wsam_picture *picture);

/* Writes a PNG of as many channels as the picture has, under a temporary name that is renamed at the
 * end; on failure nothing is left. */
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

/* ---- the encoder's input --------------------------------------------------------------------- */

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

#ifdef __cplusplus
}
#endif
#endif
