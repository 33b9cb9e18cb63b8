/* pipeline/picture/resize.c - Pillow's two-pass resize over whole pictures, in bands of rows. */
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "kernels/float_scope.h"
#include "pipeline/picture/picture.h"
#include "runtime/run/threads.h"

enum { BAND = 16 }; /* rows per task */

typedef struct pass {
    const wsam_kernels *kernels;
    const wsam_resample *x, *y; /* NULL: this axis keeps its size */
    const wsam_picture *from;
    int first_row, rows; /* of the input, that the vertical pass reads */
    uint8_t *middle;     /* [rows][row_bytes] */
    size_t row_bytes;
    uint8_t *out;
    int out_rows;
    const uint8_t **taps; /* [threads][y->max_taps] */
} pass;

static const uint8_t *input_row(const pass *p, int row)
{
    return p->from->pixels + (size_t)(p->first_row + row) * p->from->stride;
}

static void horizontal_band(void *arg, int task, int worker)
{
    const pass *p = arg;
    const int end = (task + 1) * BAND < p->rows ? (task + 1) * BAND : p->rows;
    (void)worker;
    for (int row = task * BAND; row < end; row++) {
        uint8_t *to = p->middle + (size_t)row * p->row_bytes;
        if (p->x)
            p->kernels->resize.horizontal_u8(p->x, p->from->channels, input_row(p, row), to);
        else
            memcpy(to, input_row(p, row), p->row_bytes);
    }
}

static void vertical_band(void *arg, int task, int worker)
{
    const pass *p = arg;
    const int end = (task + 1) * BAND < p->out_rows ? (task + 1) * BAND : p->out_rows;
    const uint8_t **rows = p->taps + (size_t)worker * (size_t)p->y->max_taps;
    for (int y = task * BAND; y < end; y++) {
        for (int j = 0; j < p->y->n[y]; j++)
            rows[j] = p->middle + (size_t)(p->y->lo[y] + j - p->first_row) * p->row_bytes;
        p->kernels->resize.vertical_u8(p->y, y, p->row_bytes, rows,
                                       p->out + (size_t)y * p->row_bytes);
    }
}

static wsam_status make_axis(wsam_resample *axis, int n_in, int n_out, wsam_filter filter,
                             void **memory, wsam_error *error)
{
    *memory = ws_alloc64(wsam_resample_bytes(n_in, n_out, filter));
    if (!*memory)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a resize to %d", n_out);
    wsam_resample_init(axis, n_in, n_out, filter, *memory);
    return WSAM_OK;
}

/* Both passes into p->out; the middle picture is p->out itself when only columns change. */
static wsam_status run_passes(pass *p, int threads, wsam_error *error)
{
    const int bands = (p->rows + BAND - 1) / BAND;
    if (!p->y) {
        p->middle = p->out;
        ws_parallel_for(threads, bands, horizontal_band, p);
        return WSAM_OK;
    }
    p->middle = ws_alloc64((size_t)p->rows * p->row_bytes);
    p->taps = calloc((size_t)threads * (size_t)p->y->max_taps, sizeof *p->taps);
    if (p->middle && p->taps) {
        ws_parallel_for(threads, bands, horizontal_band, p);
        ws_parallel_for(threads, (p->out_rows + BAND - 1) / BAND, vertical_band, p);
    }
    const int ok = p->middle && p->taps;
    free(p->middle);
    free((void *)p->taps);
    return ok ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a resize");
}

static wsam_status resize(const wsam_kernels *kernels, int threads, const wsam_picture *from,
                          wsam_filter filter, wsam_picture *out, uint8_t *bytes, wsam_error *error)
{
    wsam_resample x, y;
    void *x_memory = NULL, *y_memory = NULL;
    pass p = {.kernels = kernels,
              .from = from,
              .rows = from->height,
              .row_bytes = out->stride,
              .out = bytes,
              .out_rows = out->height};
    wsam_status status = WSAM_OK;
    if (out->width != from->width) {
        status = make_axis(&x, from->width, out->width, filter, &x_memory, error);
        p.x = &x;
    }
    if (!status && out->height != from->height) {
        status = make_axis(&y, from->height, out->height, filter, &y_memory, error);
        p.y = &y;
    }
    if (!status)
        status = run_passes(&p, threads, error);
    free(x_memory);
    free(y_memory);
    return status;
}

wsam_status ws_resize(const wsam_kernels *kernels, int threads, const wsam_picture *picture,
                      int height, int width, wsam_filter filter, wsam_picture *out,
                      wsam_error *error)
{
    const size_t stride = (size_t)width * (size_t)picture->channels;
    uint8_t *bytes = ws_alloc64((size_t)height * stride);
    memset(out, 0, sizeof *out);
    if (!bytes)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an image of %d x %d", width, height);
    *out = (wsam_picture){height, width, picture->channels, stride, bytes, bytes};
    const wsam_status status = resize(kernels, threads, picture, filter, out, bytes, error);
    if (status)
        wsam_picture_free(out);
    return status;
}

wsam_status wsam_picture_resize(const wsam_picture *picture, int height, int width,
                                wsam_filter filter, int threads, wsam_picture *out,
                                wsam_error *error)
{
    WS_FLOAT_SCOPE;
    memset(out, 0, sizeof *out);
    const wsam_status status = ws_picture_valid(picture, error);
    if (status)
        return status;
    if (height < 1 || width < 1 || height > 65535 || width > 65535)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "resize to %d x %d: sides of 1 to 65535", width,
                       height);
    const wsam_kernels *kernels = ws_kernels_find(NULL, error);
    if (!kernels)
        return WSAM_ERR_UNSUPPORTED;
    return ws_resize(kernels, threads > 0 ? threads : wsam_default_threads(), picture, height,
                     width, filter, out, error);
}
