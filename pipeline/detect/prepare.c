/* pipeline/detect/prepare.c - a picture as a detector's network sees it, by the rules of three
 * libraries (detectron2 data/transforms, torchvision models/detection/transform.py, mmcv
 * image/geometric.py). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/detector.h"
#include "pipeline/picture/picture.h"
#include "runtime/run/threads.h"

enum { STEP = 32, MOST_SIDE = 8192 };

/* ---- sizes ---- */

/* In single precision, the reciprocal first, as a scale factor goes through PyTorch; cut off. */
static void torchvision_size(int h, int w, int shorter, int longer, double size[2])
{
    const float least = (float)(h < w ? h : w), most = (float)(h < w ? w : h);
    const float a = 1.0f / least * (float)shorter, b = 1.0f / most * (float)longer;
    const double k = (double)(a < b ? a : b);
    size[0] = floor((double)h * k);
    size[1] = floor((double)w * k);
}

/* The shorter side exactly, the other rounded; then both down to the longest, rounded again. */
static void detectron2_size(int h, int w, int shorter, int longer, double size[2])
{
    const double s = (double)shorter / (double)(h < w ? h : w);
    size[0] = h < w ? shorter : s * (double)h;
    size[1] = h < w ? s * (double)w : shorter;
    const double most = size[0] > size[1] ? size[0] : size[1];
    const double k = most > (double)longer ? (double)longer / most : 1.0;
    for (int i = 0; i < 2; i++)
        size[i] = floor(size[i] * k + 0.5);
}

static void mmdetection_size(int h, int w, int shorter, int longer, double size[2])
{
    const double a = (double)longer / (double)(h < w ? w : h),
                 b = (double)shorter / (double)(h < w ? h : w);
    const double k = a < b ? a : b;
    size[0] = floor((double)h * k + 0.5);
    size[1] = floor((double)w * k + 0.5);
}

void ws_detector_prepare_size(const wsam_detector *d, int height, int width, int short_side,
                              int long_side, int size[2])
{
    double s[2];
    if (d->rules == WS_DETECTOR_TORCHVISION)
        torchvision_size(height, width, short_side, long_side, s);
    else if (d->rules == WS_DETECTOR_DETECTRON2)
        detectron2_size(height, width, short_side, long_side, s);
    else
        mmdetection_size(height, width, short_side, long_side, s);
    for (int i = 0; i < 2; i++)
        size[i] = s[i] < 1.0 ? 1 : (s[i] > MOST_SIDE ? MOST_SIDE : (int)s[i]);
}

static int padded(int n)
{
    return (n + STEP - 1) / STEP * STEP;
}

/* ---- pixels ---- */

/* torchvision resizes what is normalised, where there is something to resize: rows of the padded input from floats of the picture. */
typedef struct float_resize {
    const wsam_detector *d;
    const ws_detector_input *in;
    const float *from;
} float_resize;

static void float_row(void *arg, int y, int worker)
{
    const float_resize *r = arg;
    const ws_detector_input *in = r->in;
    (void)worker;
    r->d->kernels->resize.bilinear_row_f32(in->height, in->width, 3, r->from, in->resized_height,
                                           in->resized_width, y,
                                           in->pixels + (size_t)y * (size_t)in->padded_width * 3);
}

static wsam_status resize_floats(const wsam_detector *d, const wsam_picture *picture,
                                 const ws_detector_input *in, wsam_error *error)
{
    if (in->height == in->resized_height && in->width == in->resized_width) {
        ws_normalise(&d->table, picture, 0, d->threads, in->pixels, in->padded_width);
        return WSAM_OK;
    }
    float *from = ws_alloc64((size_t)in->height * (size_t)in->width * 3 * sizeof *from);
    float_resize r = {d, in, from};
    if (!from)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an image of %d x %d", in->width,
                       in->height);
    ws_normalise(&d->table, picture, 0, d->threads, from, picture->width);
    ws_parallel_for(d->threads, in->resized_height, float_row, &r);
    free(from);
    return WSAM_OK;
}

/* The others normalise 8-bit pixels that are resized. */
static wsam_status resize_bytes(const wsam_detector *d, const wsam_picture *picture,
                                const ws_detector_input *in, wsam_error *error)
{
    wsam_picture sized = {0};
    const int h = in->resized_height, w = in->resized_width;
    const wsam_status status =
        d->rules == WS_DETECTOR_DETECTRON2
            ? ws_resize(d->kernels, d->threads, picture, h, w, WSAM_FILTER_BILINEAR, &sized, error)
            : ws_resize_opencv(d->threads, picture, h, w, &sized, error);
    if (!status)
        ws_normalise(&d->table, &sized, 0, d->threads, in->pixels, in->padded_width);
    wsam_picture_free(&sized);
    return status;
}

static void clear_padding(const ws_detector_input *in)
{
    const size_t row = (size_t)in->padded_width * 3, used = (size_t)in->resized_width * 3;
    for (int y = 0; y < in->padded_height; y++) {
        const size_t from = y < in->resized_height ? used : 0;
        memset(in->pixels + (size_t)y * row + from, 0, (row - from) * sizeof *in->pixels);
    }
}

wsam_status ws_detector_prepare(wsam_detector *d, const wsam_picture *picture,
                                const wsam_detector_params *params, ws_detector_input *in,
                                wsam_error *error)
{
    int size[2];
    const int own = params->short_side > 0;
    memset(in, 0, sizeof *in);
    ws_detector_prepare_size(d, picture->height, picture->width,
                             own ? params->short_side : d->short_side,
                             own ? params->long_side : d->long_side, size);
    in->height = picture->height;
    in->width = picture->width;
    in->resized_height = size[0];
    in->resized_width = size[1];
    in->padded_height = padded(size[0]);
    in->padded_width = padded(size[1]);
    const size_t bytes =
        (size_t)in->padded_height * (size_t)in->padded_width * 3 * sizeof *in->pixels;
    in->pixels = ws_detector_room(d, bytes, error);
    if (!in->pixels)
        return WSAM_ERR_MEMORY;
    clear_padding(in);
    return d->rules == WS_DETECTOR_TORCHVISION ? resize_floats(d, picture, in, error)
                                               : resize_bytes(d, picture, in, error);
}
