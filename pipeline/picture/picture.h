/* pipeline/picture/picture.h - the decoders behind wsam_picture_decode, and PNG writing. */
#ifndef WS_PIPELINE_PICTURE_PICTURE_H
#define WS_PIPELINE_PICTURE_PICTURE_H

#include <stdio.h>

#include "base/error.h"
#include "weaksam/kernels.h"
#include "weaksam/picture.h"

/* Defaults filled in. */
wsam_picture_limits ws_picture_limits(const wsam_picture_limits *limits);

/* A zeroed picture of width x height RGB pixels to write to; `bytes` is its own memory. */
wsam_status ws_picture_new(int height, int width, wsam_picture *picture, uint8_t **bytes,
                           wsam_error *error);

/* Sides in range and pixels within the limit. */
wsam_status ws_picture_check(uint64_t height, uint64_t width, const wsam_picture_limits *limits,
                             wsam_error *error);

/* Fields of a caller's picture make sense. */
wsam_status ws_picture_valid(const wsam_picture *picture, wsam_error *error);

/* Decoders: RGB rows into *picture, EXIF orientation (1 to 8) into *orientation. */
wsam_status ws_png_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                          wsam_picture *picture, int *orientation, wsam_error *error);
wsam_status ws_jpeg_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                           wsam_picture *picture, int *orientation, wsam_error *error);
wsam_status ws_webp_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                           wsam_picture *picture, int *orientation, wsam_error *error);
wsam_status ws_tiff_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                           wsam_picture *picture, int *orientation, wsam_error *error);

/* Orientation in a TIFF block (what follows "Exif\0\0"); 1 when there is none. */
int ws_picture_exif_orientation(const uint8_t *tiff, size_t size);
/* Turns and mirrors the picture so that orientation 1 shows it upright. */
wsam_status ws_picture_orient(wsam_picture *picture, int orientation, wsam_error *error);

/* wsam_picture_resize with checked arguments and the caller's kernels. */
wsam_status ws_resize(const wsam_kernels *kernels, int threads, const wsam_picture *picture,
                      int height, int width, wsam_filter filter, wsam_picture *out,
                      wsam_error *error);

/* OpenCV's INTER_LINEAR on 8-bit pixels, not antialiased (resize_opencv.c). */
wsam_status ws_resize_opencv(int threads, const wsam_picture *picture, int height, int width,
                             wsam_picture *out, wsam_error *error);

/* Writes grey or RGB rows as PNG. */
wsam_status ws_png_write(const wsam_picture *picture, FILE *stream, wsam_error *error);

#endif
