/* pipeline/exchange/palette_png.c - see palette_png.h. */
#include "pipeline/exchange/palette_png.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

typedef struct png_job {
    png_structp png;
    png_infop info;
    const unsigned char *at;
    size_t left;
    char message[120];
} png_job;

static void on_error(png_structp png, png_const_charp text)
{
    png_job *job = png_get_error_ptr(png);
    snprintf(job->message, sizeof job->message, "%s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

void ws_palette_colour(unsigned n, uint8_t rgb[3])
{
    memset(rgb, 0, 3);
    for (int bit = 7; n; n >>= 3, bit--)
        for (int k = 0; k < 3; k++)
            rgb[k] |= (uint8_t)((n >> k & 1) << bit);
}

/* ---- writing ---- */

static int write_rows(png_job *job, const uint8_t *rows, int height, int width, FILE *stream)
{
    png_color palette[256];
    for (unsigned i = 0; i < 256; i++) {
        uint8_t rgb[3];
        ws_palette_colour(i, rgb);
        palette[i] = (png_color){rgb[0], rgb[1], rgb[2]};
    }
    if (setjmp(png_jmpbuf(job->png)))
        return 0;
    png_init_io(job->png, stream);
    png_set_IHDR(job->png, job->info, (png_uint_32)width, (png_uint_32)height, 8,
                 PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_set_PLTE(job->png, job->info, palette, 256);
    png_write_info(job->png, job->info);
    for (int y = 0; y < height; y++)
        png_write_row(job->png, rows + (size_t)y * (size_t)width);
    png_write_end(job->png, job->info);
    return 1;
}

wsam_status ws_palette_write(const uint8_t *rows, int height, int width, FILE *stream,
                             wsam_error *error)
{
    png_job job = {0};
    wsam_status status = WSAM_OK;
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (!job.info)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for libpng");
    else if (!write_rows(&job, rows, height, width, stream))
        status = ws_fail(error, WSAM_ERR_IO, "PNG: %s", job.message);
    png_destroy_write_struct(&job.png, &job.info);
    return status;
}

/* ---- reading ---- */

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    png_job *job = png_get_io_ptr(png);
    if (n > job->left)
        png_error(png, "the file ends too early");
    memcpy(to, job->at, n);
    job->at += n;
    job->left -= n;
}

/* 0 after an error; *fits tells whether size and kind are those that are wanted. */
static int read_header(png_job *job, int height, int width, int *fits)
{
    if (setjmp(png_jmpbuf(job->png)))
        return 0;
    png_read_info(job->png, job->info);
    const int colour = png_get_color_type(job->png, job->info);
    *fits = png_get_image_width(job->png, job->info) == (png_uint_32)width &&
            png_get_image_height(job->png, job->info) == (png_uint_32)height &&
            (colour == PNG_COLOR_TYPE_PALETTE || colour == PNG_COLOR_TYPE_GRAY) &&
            png_get_bit_depth(job->png, job->info) <= 8;
    png_set_packing(job->png);
    png_read_update_info(job->png, job->info);
    return 1;
}

static int read_rows(png_job *job, png_bytepp rows)
{
    if (setjmp(png_jmpbuf(job->png)))
        return 0;
    png_read_image(job->png, rows);
    png_read_end(job->png, NULL);
    return 1;
}

static wsam_status decode(png_job *job, int height, int width, uint8_t **out, wsam_error *error)
{
    int fits = 0;
    png_set_user_limits(job->png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_cache_max(job->png, 128);
    png_set_chunk_malloc_max(job->png, 8 << 20);
    png_set_read_fn(job->png, job, read_bytes);
    if (!read_header(job, height, width, &fits))
        return ws_fail(error, WSAM_ERR_FORMAT, "PNG: %s", job->message);
    if (!fits)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "expected a palette or grey PNG of 8 bits and %d x %d pixels", width,
                       height);
    uint8_t *bytes = malloc((size_t)height * (size_t)width);
    png_bytepp rows = malloc((size_t)height * sizeof *rows);
    wsam_status status = WSAM_OK;
    if (!bytes || !rows)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a PNG");
    for (int y = 0; y < height && !status; y++)
        rows[y] = bytes + (size_t)y * (size_t)width;
    if (!status && !read_rows(job, rows))
        status = ws_fail(error, WSAM_ERR_FORMAT, "PNG: %s", job->message);
    free(rows);
    if (status)
        free(bytes);
    else
        *out = bytes;
    return status;
}

wsam_status ws_palette_read(const void *bytes, size_t size, int height, int width, uint8_t **rows,
                            wsam_error *error)
{
    png_job job = {.at = bytes, .left = size};
    wsam_status status;
    *rows = NULL;
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (job.info)
        status = decode(&job, height, width, rows, error);
    else
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for libpng");
    png_destroy_read_struct(&job.png, &job.info, NULL);
    return status;
}
