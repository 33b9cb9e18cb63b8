/* pipeline/picture/picture_png.c - PNG through libpng.
 *
 * libpng reports errors by longjmp: between setjmp and the last libpng call nothing but calls of
 * libpng happens, and everything that must survive lives in a struct outside of that function. */
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/picture/picture.h"

typedef struct png_job {
    png_structp png;
    png_infop info;
    const uint8_t *at;
    size_t left;
    int truncated;
    char message[160];
    uint8_t **rows;
    wsam_picture *picture;
} png_job;

static void on_error(png_structp png, png_const_charp message)
{
    png_job *job = png_get_error_ptr(png);
    snprintf(job->message, sizeof job->message, "%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    png_job *job = png_get_io_ptr(png);
    if (n > job->left) {
        job->truncated = 1;
        png_error(png, "the file is truncated");
    }
    memcpy(to, job->at, n);
    job->at += n;
    job->left -= n;
}

/* Everything becomes 8-bit RGB. */
static void set_transforms(png_job *job)
{
    const int color = png_get_color_type(job->png, job->info);
    png_set_strip_16(job->png);
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(job->png);
    if (!(color & PNG_COLOR_MASK_COLOR)) {
        png_set_expand_gray_1_2_4_to_8(job->png);
        png_set_gray_to_rgb(job->png);
    }
    png_set_strip_alpha(job->png);
    png_set_interlace_handling(job->png);
    png_read_update_info(job->png, job->info);
}

static int read_header(png_job *job)
{
    if (setjmp(png_jmpbuf(job->png)))
        return 0;
    png_read_info(job->png, job->info);
    return 1;
}

static int read_pixels(png_job *job)
{
    if (setjmp(png_jmpbuf(job->png)))
        return 0;
    set_transforms(job);
    if (png_get_rowbytes(job->png, job->info) != job->picture->stride)
        png_error(job->png, "unexpected row size");
    png_read_image(job->png, job->rows);
    png_read_end(job->png, job->info);
    return 1;
}

static int orientation_of(const png_job *job)
{
    png_bytep exif = NULL;
    png_uint_32 n = 0;
    if (!png_get_eXIf_1(job->png, job->info, &n, &exif) || !exif)
        return 1;
    return ws_picture_exif_orientation(exif, n);
}

static wsam_status make_rows(png_job *job, size_t size, const wsam_picture_limits *limits,
                             wsam_error *error)
{
    const png_uint_32 w = png_get_image_width(job->png, job->info);
    const png_uint_32 h = png_get_image_height(job->png, job->info);
    wsam_status status = ws_picture_check(h, w, limits, error);
    if (status)
        return status;
    /* deflate packs at most 1032 to 1, so a short file cannot hold many rows */
    if ((uint64_t)png_get_rowbytes(job->png, job->info) * h / 1032 > size)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "PNG: %u x %u pixels cannot be in %zu bytes: truncated or a bomb", w, h,
                       size);
    uint8_t *bytes;
    status = ws_picture_new((int)h, (int)w, job->picture, &bytes, error);
    if (status)
        return status;
    job->rows = malloc(h * sizeof *job->rows);
    if (!job->rows)
        return ws_fail(error, WSAM_ERR_MEMORY, "PNG: no memory for %u rows", h);
    for (png_uint_32 y = 0; y < h; y++)
        job->rows[y] = bytes + y * job->picture->stride;
    return WSAM_OK;
}

/* Texts and profiles are passed over unread: a megabyte of them can unpack to a gigabyte. */
static void skip_chunks(png_structp png)
{
    static const png_byte names[] = "tEXt\0zTXt\0iTXt\0iCCP\0sPLT";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, names, (int)(sizeof names / 5));
}

static wsam_status decode(png_job *job, size_t size, const wsam_picture_limits *limits,
                          int *orientation, wsam_error *error)
{
    png_set_user_limits(job->png, 0x7fffffff, 0x7fffffff); /* ws_picture_check says it clearly */
    png_set_chunk_cache_max(job->png, 128);
    png_set_chunk_malloc_max(job->png, 8 << 20);
    skip_chunks(job->png);
    png_set_read_fn(job->png, job, read_bytes);
    if (!read_header(job))
        return ws_fail(error, WSAM_ERR_FORMAT, "PNG: %s", job->message);
    const wsam_status status = make_rows(job, size, limits, error);
    if (status)
        return status;
    if (!read_pixels(job))
        return ws_fail(error, WSAM_ERR_FORMAT, "PNG: %s", job->message);
    *orientation = orientation_of(job);
    return WSAM_OK;
}

wsam_status ws_png_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                          wsam_picture *picture, int *orientation, wsam_error *error)
{
    png_job job = {.at = bytes, .left = size, .picture = picture};
    wsam_status status;
    job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (job.info)
        status = decode(&job, size, limits, orientation, error);
    else
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for libpng");
    png_destroy_read_struct(&job.png, &job.info, NULL);
    free(job.rows);
    return status;
}

/* ---- writing ---- */

static int write_all(png_job *job, FILE *stream)
{
    const wsam_picture *p = job->picture;
    if (setjmp(png_jmpbuf(job->png)))
        return 0;
    png_init_io(job->png, stream);
    png_set_compression_level(job->png, 6);
    png_set_IHDR(job->png, job->info, (png_uint_32)p->width, (png_uint_32)p->height, 8,
                 p->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(job->png, job->info);
    for (int y = 0; y < p->height; y++)
        png_write_row(job->png, p->pixels + (size_t)y * p->stride);
    png_write_end(job->png, job->info);
    return 1;
}

wsam_status ws_png_write(const wsam_picture *picture, FILE *stream, wsam_error *error)
{
    wsam_picture copy = *picture;
    png_job job = {.picture = &copy};
    wsam_status status = WSAM_OK;
    job.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    job.info = job.png ? png_create_info_struct(job.png) : NULL;
    if (!job.info)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for libpng");
    else if (!write_all(&job, stream))
        status = ws_fail(error, WSAM_ERR_IO, "PNG: %s", job.message);
    png_destroy_write_struct(&job.png, &job.info);
    return status;
}
