/* pipeline/report/report_picture.c - thumbnails and outlines. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "base/base64.h"
#include "base/error.h"
#include "pipeline/report/report.h"
#include "pipeline/stages/stages.h"
#include "weaksam/masks.h"

enum { QUALITY = 78 };

/* ---- JPEG ---- */

enum { PIECE = 3 * 1024 }; /* a multiple of three: base64 pads at the end alone */

/* Its bytes go to `out` as base64, piece by piece. (jpeg_mem_dest would tell of its buffer only at
 * the end: after a failure nobody knows whether it is still the first one.) */
typedef struct encoder {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf jump;
    ws_text *out;
    unsigned char piece[PIECE];
} encoder;

static void on_error(j_common_ptr common)
{
    encoder *e = common->client_data;
    longjmp(e->jump, 1);
}

static void start_piece(j_compress_ptr jpeg)
{
    encoder *e = jpeg->client_data;
    e->destination.next_output_byte = e->piece;
    e->destination.free_in_buffer = PIECE;
}

/* libjpeg wants the whole piece taken, whatever is left of it. */
static boolean take_piece(j_compress_ptr jpeg)
{
    const encoder *e = jpeg->client_data;
    ws_base64_put(e->out, e->piece, PIECE);
    start_piece(jpeg);
    return TRUE;
}

static void end_piece(j_compress_ptr jpeg)
{
    const encoder *e = jpeg->client_data;
    ws_base64_put(e->out, e->piece, PIECE - e->destination.free_in_buffer);
}

static int encode(const wsam_picture *p, encoder *e)
{
    e->jpeg.err = jpeg_std_error(&e->errors);
    e->errors.error_exit = on_error;
    e->jpeg.client_data = e;
    if (setjmp(e->jump)) {
        jpeg_destroy_compress(&e->jpeg);
        return 0;
    }
    jpeg_create_compress(&e->jpeg);
    e->destination.init_destination = start_piece;
    e->destination.empty_output_buffer = take_piece;
    e->destination.term_destination = end_piece;
    e->jpeg.dest = &e->destination;
    e->jpeg.image_width = (JDIMENSION)p->width;
    e->jpeg.image_height = (JDIMENSION)p->height;
    e->jpeg.input_components = p->channels;
    e->jpeg.in_color_space = p->channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&e->jpeg);
    jpeg_set_quality(&e->jpeg, QUALITY, TRUE);
    e->jpeg.optimize_coding = TRUE;
    jpeg_start_compress(&e->jpeg, TRUE);
    while (e->jpeg.next_scanline < e->jpeg.image_height) {
        const uint8_t *from = p->pixels + (size_t)e->jpeg.next_scanline * p->stride;
        JSAMPROW row;
        memcpy(&row, &from, sizeof row); /* only read */
        jpeg_write_scanlines(&e->jpeg, &row, 1);
    }
    jpeg_finish_compress(&e->jpeg);
    jpeg_destroy_compress(&e->jpeg);
    return !e->out->failed;
}

/* The longer side becomes `side`; smaller pictures stay as they are. */
static void thumbnail_size(const wsam_picture *p, int side, int *width, int *height)
{
    const int longest = p->width > p->height ? p->width : p->height;
    *width = p->width;
    *height = p->height;
    if (longest <= side)
        return;
    *width = (int)((double)p->width * side / longest + 0.5);
    *height = (int)((double)p->height * side / longest + 0.5);
    *width = *width > 0 ? *width : 1;
    *height = *height > 0 ? *height : 1;
}

wsam_status ws_report_thumbnail(const wsam_picture *picture, int side, ws_text *out, int *width,
                                int *height, wsam_error *error)
{
    wsam_picture small = {0};
    thumbnail_size(picture, side, width, height);
    wsam_status status =
        wsam_picture_resize(picture, *height, *width, WSAM_FILTER_BILINEAR, 1, &small, error);
    encoder *e = status ? NULL : calloc(1, sizeof *e);
    if (e) {
        e->out = out;
        ws_text_printf(out, "data:image/jpeg;base64,");
    }
    if (!status && (!e || !encode(&small, e)))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a thumbnail");
    free(e);
    wsam_picture_free(&small);
    return status;
}

/* ---- outlines ---- */

/* The mask at thumbnail size: the value in the middle of each of its pixels. */
static void shrink(const uint8_t *mask, const ws_listed *image, int width, int height,
                   uint8_t *small)
{
    for (int y = 0; y < height; y++) {
        const size_t from = (size_t)((2 * (int64_t)y + 1) * image->height / (2 * height));
        for (int x = 0; x < width; x++) {
            const size_t at = (size_t)((2 * (int64_t)x + 1) * image->width / (2 * width));
            *small++ = mask[from * (size_t)image->width + at];
        }
    }
}

static void put_path(ws_text *t, const wsam_contour *c, size_t n, const int32_t *xy)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = c[i].first; k < c[i].first + c[i].points; k++)
            ws_text_printf(t, "%s%d %d", k == c[i].first ? "M" : "L", (int)xy[2 * k],
                           (int)xy[2 * k + 1]);
        ws_text_put(t, "Z", 1);
    }
}

static int trace(uint64_t *bits, uint64_t *work, int height, int width, ws_text *t)
{
    size_t n, points;
    wsam_contours(bits, height, width, work, NULL, 0, &n, NULL, 0, &points);
    wsam_contour *contours = malloc((n + 1) * sizeof *contours);
    int32_t *xy = malloc((points + 1) * 2 * sizeof *xy);
    const int good =
        contours && xy &&
        !wsam_contours(bits, height, width, work, contours, n + 1, &n, xy, points + 1, &points);
    if (good)
        put_path(t, contours, n, xy);
    free(contours);
    free(xy);
    return good;
}

wsam_status ws_report_outline(const ws_shown *s, const ws_listed *image, int width, int height,
                              ws_text *out, wsam_error *error)
{
    wsam_rle rle = {0};
    const size_t words = wsam_bits_words(height, width);
    wsam_status status =
        ws_counts_rle(s->counts, s->counts_length, image->height, image->width, &rle, error);
    uint8_t *mask = malloc((size_t)image->width * (size_t)image->height);
    uint8_t *small = malloc((size_t)width * (size_t)height);
    uint64_t *bits = malloc(2 * words * sizeof *bits);
    if (!status && (!mask || !small || !bits))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    if (!status) {
        wsam_rle_decode(&rle, 1, mask, (size_t)image->width);
        shrink(mask, image, width, height, small);
        wsam_bits_from_bytes(small, (size_t)width, height, width, bits);
        if (!trace(bits, bits + words, height, width, out))
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for an outline");
    }
    free(bits);
    free(small);
    free(mask);
    free(rle.counts);
    return status;
}
