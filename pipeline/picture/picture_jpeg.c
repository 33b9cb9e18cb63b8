/* pipeline/picture/picture_jpeg.c - JPEG through libjpeg-turbo, with its defaults (accurate integer
 * DCT, smooth chroma upsampling): the pixels that Pillow gives.
 *
 * libjpeg reports errors through error_exit, which may not return: between setjmp and the last
 * libjpeg call nothing but calls of libjpeg happens. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* needs stdio.h before it */

#include <jerror.h>

#include "pipeline/picture/picture.h"

typedef struct jpeg_job {
    struct jpeg_decompress_struct j; /* its client_data is the job */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    char message[JMSG_LENGTH_MAX];
    int max_scans;
    int too_many_scans;
    const uint8_t *bytes;
    size_t size;
    uint8_t *pixels;
    wsam_picture *picture;
    JSAMPLE *inks; /* a row of four components */
} jpeg_job;

static jpeg_job *job_of(j_common_ptr j)
{
    return j->client_data;
}

static void on_error(j_common_ptr j)
{
    jpeg_job *job = job_of(j);
    j->err->format_message(j, job->message);
    longjmp(job->jump, 1);
}

/* Warnings that mean lost or invented pixels are errors; others (extra bytes between markers, odd
 * version numbers) are common and harmless. */
static void on_message(j_common_ptr j, int level)
{
    if (level >= 0)
        return;
    switch (j->err->msg_code) {
    case JWRN_ARITH_BAD_CODE:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
        on_error(j);
        break;
    default:
        break;
    }
}

static void no_output(j_common_ptr j)
{
    (void)j;
}

static void on_progress(j_common_ptr j)
{
    jpeg_job *job = job_of(j);
    if (job->j.input_scan_number <= job->max_scans)
        return;
    job->too_many_scans = 1;
    longjmp(job->jump, 1);
}

static int read_header(jpeg_job *job)
{
    if (setjmp(job->jump))
        return 0;
    jpeg_create_decompress(&job->j);
    job->progress.progress_monitor = on_progress;
    job->j.progress = &job->progress;
    jpeg_save_markers(&job->j, JPEG_APP0 + 1, 0xffff);
    jpeg_mem_src(&job->j, job->bytes, job->size);
    jpeg_read_header(&job->j, TRUE);
    return 1;
}

/* a*b/255, rounded. */
static unsigned share(unsigned a, unsigned b)
{
    const unsigned t = a * b + 128;
    return (t + (t >> 8)) >> 8;
}

/* CMYK as Adobe stores it (inverted), by the plain rule that Pillow uses; other files with four
 * components are too rare to tell apart. */
static void rgb_of_cmyk(const uint8_t *from, size_t width, uint8_t *to)
{
    for (size_t x = 0; x < width; x++, from += 4, to += 3)
        for (int c = 0; c < 3; c++)
            to[c] = (uint8_t)(from[3] - share(255u - from[c], from[3]));
}

static int read_pixels(jpeg_job *job)
{
    const int four = job->j.num_components == 4;
    if (setjmp(job->jump))
        return 0;
    job->j.out_color_space = four ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&job->j);
    while (job->j.output_scanline < job->j.output_height) {
        JSAMPROW row = job->pixels + job->j.output_scanline * job->picture->stride;
        jpeg_read_scanlines(&job->j, four ? &job->inks : &row, 1);
        if (four)
            rgb_of_cmyk(job->inks, job->j.output_width, row);
    }
    jpeg_finish_decompress(&job->j);
    return 1;
}

static int orientation_of(const jpeg_job *job)
{
    static const uint8_t head[6] = {'E', 'x', 'i', 'f', 0, 0};
    for (const struct jpeg_marker_struct *m = job->j.marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > sizeof head &&
            memcmp(m->data, head, sizeof head) == 0)
            return ws_picture_exif_orientation(m->data + sizeof head, m->data_length - sizeof head);
    return 1;
}

static wsam_status failure(const jpeg_job *job, wsam_error *error)
{
    if (job->too_many_scans)
        return ws_fail(error, WSAM_ERR_LIMIT, "JPEG: more than %d scans", job->max_scans);
    return ws_fail(error, WSAM_ERR_FORMAT, "JPEG: %s", job->message);
}

static wsam_status decode(jpeg_job *job, const wsam_picture_limits *limits, int *orientation,
                          wsam_error *error)
{
    if (!read_header(job))
        return failure(job, error);
    wsam_status status = ws_picture_check(job->j.image_height, job->j.image_width, limits, error);
    if (status)
        return status;
    /* a progressive file needs all its coefficients at once: two bytes each */
    job->j.mem->max_memory_to_use = (long)(limits->max_pixels * 8);
    status = ws_picture_new((int)job->j.image_height, (int)job->j.image_width, job->picture,
                            &job->pixels, error);
    if (status)
        return status;
    if (job->j.num_components == 4 && !(job->inks = malloc((size_t)job->j.image_width * 4)))
        return ws_no_memory(error, "a row of an image");
    *orientation = orientation_of(job); /* the end of decompression forgets the markers */
    return read_pixels(job) ? WSAM_OK : failure(job, error);
}

wsam_status ws_jpeg_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                           wsam_picture *picture, int *orientation, wsam_error *error)
{
    jpeg_job *job = calloc(1, sizeof *job);
    if (!job)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for libjpeg");
    job->bytes = bytes;
    job->size = size;
    job->picture = picture;
    job->max_scans = limits->max_jpeg_scans;
    job->j.err = jpeg_std_error(&job->errors);
    job->j.client_data = job;
    job->errors.error_exit = on_error;
    job->errors.emit_message = on_message;
    job->errors.output_message = no_output;
    const wsam_status status = decode(job, limits, orientation, error);
    jpeg_destroy_decompress(&job->j);
    free(job->inks);
    free(job);
    return status;
}
