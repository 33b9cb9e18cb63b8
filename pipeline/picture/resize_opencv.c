/* pipeline/picture/resize_opencv.c - OpenCV's INTER_LINEAR on 8-bit pixels (imgproc
 * src/resize.cpp): two neighbours an axis whatever the scale, weights of 11 bits, which is what
 * mmdetection's networks see. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/picture/picture.h"
#include "runtime/run/threads.h"

enum { ONE = 2048 }; /* a weight of 1 */

/* Two neighbours of an output column or row. */
typedef struct tap {
    int low, high, w_low, w_high;
} tap;

/* Columns end at the last pixel with weight 1; rows keep their weights and read the edge twice. */
static tap tap_at(int at, int n_in, int n_out, int is_column)
{
    const double scale = 1.0 / ((double)n_out / (double)n_in);
    const float x = (float)(((double)at + 0.5) * scale - 0.5), floor = floorf(x);
    float part = x - floor;
    int low = (int)floor;
    if (is_column && (low < 0 || low >= n_in - 1)) {
        low = low < 0 ? 0 : n_in - 1;
        part = 0.0f;
    }
    const int high = low + 1;
    return (tap){low < 0 ? 0 : low, high < n_in ? high : n_in - 1,
                 (int)nearbyintf((1.0f - part) * (float)ONE), (int)nearbyintf(part * (float)ONE)};
}

typedef struct job {
    const wsam_picture *from;
    const tap *columns;
    wsam_picture *out;
    uint8_t *bytes;
} job;

static const uint8_t *row_of(const wsam_picture *p, int y)
{
    return p->pixels + (size_t)y * p->stride;
}

static void weighted_row(void *arg, int y, int worker)
{
    const job *j = arg;
    const tap r = tap_at(y, j->from->height, j->out->height, 0);
    const uint8_t *top = row_of(j->from, r.low), *low = row_of(j->from, r.high);
    const int channels = j->from->channels;
    uint8_t *to = j->bytes + (size_t)y * j->out->stride;
    (void)worker;
    for (int x = 0; x < j->out->width; x++) {
        const tap t = j->columns[x];
        for (int c = 0; c < channels; c++) {
            const int a = t.low * channels + c, b = t.high * channels + c;
            const int above = top[a] * t.w_low + top[b] * t.w_high;
            const int below = low[a] * t.w_low + low[b] * t.w_high;
            const int sum = (r.w_low * (above >> 4) >> 16) + (r.w_high * (below >> 4) >> 16) + 2;
            *to++ = (uint8_t)(sum >> 2);
        }
    }
}

/* Both axes half as long: the mean of four pixels. */
static void halved_row(void *arg, int y, int worker)
{
    const job *j = arg;
    const uint8_t *top = row_of(j->from, 2 * y), *low = row_of(j->from, 2 * y + 1);
    const int channels = j->from->channels;
    uint8_t *to = j->bytes + (size_t)y * j->out->stride;
    (void)worker;
    for (int x = 0; x < j->out->width; x++)
        for (int c = 0; c < channels; c++) {
            const int a = 2 * x * channels + c, b = a + channels;
            *to++ = (uint8_t)((top[a] + top[b] + low[a] + low[b] + 2) >> 2);
        }
}

wsam_status ws_resize_opencv(int threads, const wsam_picture *picture, int height, int width,
                             wsam_picture *out, wsam_error *error)
{
    uint8_t *bytes;
    const wsam_status status = ws_picture_new(height, width, out, &bytes, error);
    if (status)
        return status;
    out->channels = picture->channels;
    out->stride = (size_t)width * (size_t)picture->channels;
    tap *columns = malloc((size_t)width * sizeof *columns);
    if (!columns) {
        wsam_picture_free(out);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a resize");
    }
    for (int x = 0; x < width; x++)
        columns[x] = tap_at(x, picture->width, width, 1);
    job j = {picture, columns, out, bytes};
    const int halved = picture->height == 2 * height && picture->width == 2 * width;
    ws_parallel_for(threads, height, halved ? halved_row : weighted_row, &j);
    free(columns);
    return WSAM_OK;
}
