/* pipeline/detect/mist_view.c - one view of a picture through MIST (wetectron
 * data/transforms/transforms.py, modeling/roi_heads/weak_head). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/boxes.h"
#include "pipeline/detect/mist.h"
#include "pipeline/picture/picture.h"
#include "runtime/run/threads.h"

enum { STEP = 32, STRIDE = 8 };

void ws_mist_view_size(int height, int width, int shorter, int longer, ws_mist_view *view)
{
    const double low = (double)(height < width ? height : width),
                 high = (double)(height < width ? width : height);
    double size = (double)shorter;
    if (high / low * size > (double)longer)
        size = nearbyint((double)longer * low / high); /* half to even */
    size = size > 1.0 ? size : 1.0;
    const double other = floor(size * high / low);
    const int same = (int)low == (int)size;
    view->height = same ? height : (int)(height <= width ? size : other);
    view->width = same ? width : (int)(height <= width ? other : size);
    view->height = view->height > 1 ? view->height : 1;
    view->width = view->width > 1 ? view->width : 1;
}

/* ---- the map ---- */

static int padded(int n)
{
    return (n + STEP - 1) / STEP * STEP;
}

static wsam_status make_input(const wsam_mist *m, const wsam_picture *picture,
                              const ws_mist_view *v, wsam_tensor *in, wsam_error *error)
{
    const int h = padded(v->height), w = padded(v->width);
    wsam_picture sized = {0};
    wsam_status status = ws_resize(m->kernels, m->threads, picture, v->height, v->width,
                                   WSAM_FILTER_BILINEAR, &sized, error);
    *in = (wsam_tensor){"image", WSAM_F32, 3, {h, w, 3}, NULL};
    if (!status && !(in->data = calloc((size_t)h * (size_t)w * 3, sizeof(float))))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a view of %d x %d", w, h);
    if (!status)
        ws_normalise(&m->table, &sized, v->mirrored, m->threads, in->data, w);
    wsam_picture_free(&sized);
    return status;
}

static wsam_status run_map(wsam_mist *m, const wsam_tensor *in, wsam_image **state,
                           wsam_tensor *map, wsam_error *error)
{
    const wsam_dim dims[2] = {{"height", in->shape[0]}, {"width", in->shape[1]}};
    wsam_status status = wsam_session_reserve(m->map, dims, 2, error);
    if (!status)
        status = wsam_image_create(m->model, "mist_map", dims, 2, state, error);
    if (!status)
        status = wsam_session_bind(m->map, in, 1, *state, error);
    return status ? status : wsam_image_output(*state, "features", map, error);
}

/* ---- boxes ---- */

typedef struct pooling {
    const wsam_mist *m;
    const wsam_tensor *map;
    const float (*boxes)[4];
    float *out;
} pooling;

static void pool_box(void *arg, int i, int worker)
{
    const pooling *p = arg;
    const size_t channels = (size_t)p->map->shape[2];
    const wsam_roi_shape shape = {.height = (int)p->map->shape[0],
                                  .width = (int)p->map->shape[1],
                                  .channels = (int)channels,
                                  .scale_x = 1.0f / STRIDE,
                                  .scale_y = 1.0f / STRIDE,
                                  .bins = p->m->bins};
    (void)worker;
    p->m->kernels->roi.max_pool_f32(
        &shape, p->map->data, p->boxes[i],
        p->out + (size_t)i * (size_t)(p->m->bins * p->m->bins) * channels, channels);
}

/* The box of the picture in the view; a mirrored one's sides change places. */
static void place_box(const wsam_picture *picture, const ws_mist_view *v, const float box[4],
                      float out[4])
{
    const float x = (float)((double)v->width / picture->width),
                y = (float)((double)v->height / picture->height);
    const float scaled[4] = {box[0] * x, box[1] * y, box[2] * x, box[3] * y};
    memcpy(out, scaled, sizeof scaled);
    if (v->mirrored) {
        out[0] = (float)(v->width - 1) - scaled[2];
        out[2] = (float)(v->width - 1) - scaled[0];
    }
}

static void softmax_add(const float *x, size_t n, float *sum)
{
    float most = x[0], total = 0.0f;
    for (size_t i = 1; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t i = 0; i < n; i++)
        total += expf(x[i] - most);
    for (size_t i = 0; i < n; i++)
        sum[i] += expf(x[i] - most) / total / (float)WS_MIST_HEADS;
}

/* Corners are inclusive: a side is one pixel more than their difference, and the decoded box one
 * less. */
static void decode(const ws_mist_view *v, const float from[4], const float deltas[4], float out[4])
{
    const ws_box_rule rule = {{10.0f, 10.0f, 5.0f, 5.0f}, 0};
    const float grown[4] = {from[0], from[1], from[2] + 1.0f, from[3] + 1.0f};
    ws_box_decode(&rule, grown, deltas, out);
    out[2] -= 1.0f;
    out[3] -= 1.0f;
    ws_box_clip((float)(v->width - 1), (float)(v->height - 1), out);
}

/* What the graph gives of a chunk of boxes. */
typedef struct chunk {
    float *features, *logits, *deltas;
} chunk;

static wsam_status run_chunk(wsam_mist *m, const wsam_tensor *map, const float (*boxes)[4],
                             size_t n, const chunk *c, wsam_error *error)
{
    const wsam_dim dims[1] = {{"prompts", (int64_t)n}};
    const int64_t rows = (int64_t)n, slots = (int64_t)m->slots;
    pooling p = {m, map, boxes, c->features};
    const wsam_tensor in = {
        "roi", WSAM_F32, 4, {rows, m->bins, m->bins, map->shape[2]}, c->features};
    wsam_tensor out[2] = {{"class_logits", WSAM_F32, 2, {rows, WS_MIST_HEADS * slots}, c->logits},
                          {"box_regression", WSAM_F32, 2, {rows, 4 * slots}, c->deltas}};
    ws_parallel_for(m->threads, (int)n, pool_box, &p);
    return wsam_session_run(m->boxes, m->state, dims, 1, &in, 1, out, 2, error);
}

static wsam_status run_boxes(wsam_mist *m, const wsam_tensor *map, const ws_mist_view *v,
                             const float (*placed)[4], size_t n, const chunk *c, float *scores,
                             float (*out)[4], wsam_error *error)
{
    wsam_status status = WSAM_OK;
    memset(scores, 0, n * m->slots * sizeof *scores);
    for (size_t i = 0; i < n && !status; i += WS_MIST_CHUNK) {
        const size_t k = n - i < WS_MIST_CHUNK ? n - i : WS_MIST_CHUNK;
        status = run_chunk(m, map, placed + i, k, c, error);
        for (size_t r = 0; r < k && !status; r++) {
            float *row = scores + (i + r) * m->slots;
            for (size_t h = 0; h < WS_MIST_HEADS; h++)
                softmax_add(c->logits + (r * WS_MIST_HEADS + h) * m->slots, m->slots, row);
            for (size_t s = 0; s < m->slots; s++)
                decode(v, placed[i + r], c->deltas + 4 * (r * m->slots + s),
                       out[(i + r) * m->slots + s]);
        }
    }
    return status;
}

wsam_status ws_mist_view_run(wsam_mist *m, const wsam_picture *picture, const ws_mist_view *view,
                             const float (*boxes)[4], size_t n, float *scores, float (*out)[4],
                             wsam_error *error)
{
    wsam_tensor in = {.data = NULL}, map;
    wsam_image *state = NULL;
    float(*placed)[4] = malloc((n + 1) * sizeof *placed);
    chunk c = {.logits = malloc(WS_MIST_CHUNK * WS_MIST_HEADS * m->slots * sizeof(float)),
               .deltas = malloc(WS_MIST_CHUNK * 4 * m->slots * sizeof(float))};
    wsam_status status = placed && c.logits && c.deltas
                             ? make_input(m, picture, view, &in, error)
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", n);
    if (!status)
        status = run_map(m, &in, &state, &map, error);
    if (!status && !(c.features = malloc((size_t)(WS_MIST_CHUNK * m->bins * m->bins) *
                                         (size_t)map.shape[2] * sizeof(float))))
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for features of boxes");
    for (size_t i = 0; i < n && !status; i++)
        place_box(picture, view, boxes[i], placed[i]);
    if (!status)
        status = run_boxes(m, &map, view, (const float(*)[4])placed, n, &c, scores, out, error);
    wsam_image_free(state);
    free(in.data);
    free(placed);
    free(c.features);
    free(c.logits);
    free(c.deltas);
    return status;
}
