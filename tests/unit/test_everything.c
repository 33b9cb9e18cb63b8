/* tests/unit/test_everything.c - the mask generator against a direct version of its definition:
 * whole logit maps, byte masks, every step one after the other. Both are fed by a formula instead
 * of a model. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_scene.h"
#include "weaksam/masks.h"

enum { MAX_RECORDS = 4096 };

/* ---- the direct version ---- */

typedef struct direct_mask {
    uint8_t *bytes; /* of the whole picture */
    float box[4], iou, stability;
    double point[2];
    int32_t crop[4];
    int changed, mask;
} direct_mask;

typedef struct direct_list {
    direct_mask items[MAX_RECORDS];
    size_t n;
} direct_list;

static float *bilinear(const float *in, int ld, int h, int w, int out_h, int out_w)
{
    float *out = malloc((size_t)out_h * (size_t)out_w * sizeof *out);
    for (int y = 0; y < out_h; y++)
        for (int x = 0; x < out_w; x++) {
            float sy = (float)h / (float)out_h * ((float)y + 0.5f) - 0.5f;
            float sx = (float)w / (float)out_w * ((float)x + 0.5f) - 0.5f;
            sy = sy < 0 ? 0 : sy;
            sx = sx < 0 ? 0 : sx;
            const int y0 = (int)sy, x0 = (int)sx;
            const int y1 = y0 + 1 < h ? y0 + 1 : h - 1, x1 = x0 + 1 < w ? x0 + 1 : w - 1;
            const float b = sy - (float)y0, a = 1 - b, d = sx - (float)x0, c = 1 - d;
            out[y * out_w + x] = a * (c * in[y0 * ld + x0] + d * in[y0 * ld + x1]) +
                                 b * (c * in[y1 * ld + x0] + d * in[y1 * ld + x1]);
        }
    return out;
}

static void cubic_weights(float t, float w[4])
{
    static const float a = -0.75f;
    for (int i = 0; i < 4; i++) {
        const float z = fabsf(t + 1 - (float)i);
        w[i] = i == 1 || i == 2 ? ((a + 2) * z - (a + 3)) * z * z + 1
                                : ((a * z - 5 * a) * z + 8 * a) * z - 4 * a;
    }
}

static int inside(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

static float *bicubic(const float *in, int h, int w, int out_h, int out_w)
{
    float *out = malloc((size_t)out_h * (size_t)out_w * sizeof *out);
    for (int y = 0; y < out_h; y++)
        for (int x = 0; x < out_w; x++) {
            const float sy = (float)h / (float)out_h * ((float)y + 0.5f) - 0.5f;
            const float sx = (float)w / (float)out_w * ((float)x + 0.5f) - 0.5f;
            float wy[4], wx[4], sum = 0;
            cubic_weights(sy - floorf(sy), wy);
            cubic_weights(sx - floorf(sx), wx);
            for (int r = 0; r < 4; r++) {
                const float *row = in + inside((int)floorf(sy) - 1 + r, h) * w;
                float line = 0;
                for (int c = 0; c < 4; c++)
                    line += wx[c] * row[inside((int)floorf(sx) - 1 + c, w)];
                sum += wy[r] * line;
            }
            out[y * out_w + x] = sum;
        }
    return out;
}

/* Logits of a crop's pixels. */
static float *enlarge(const scene *s, const wsam_mask_geometry *g, const float *low)
{
    if (s->bicubic)
        return bicubic(low, SCENE_LOW, SCENE_LOW, g->out_h, g->out_w);
    float *square = bilinear(low, SCENE_LOW, SCENE_LOW, SCENE_LOW, SCENE_SQUARE, SCENE_SQUARE);
    float *logits = bilinear(square, SCENE_SQUARE, g->crop_h, g->crop_w, g->out_h, g->out_w);
    free(square);
    return logits;
}

/* Inclusive corners; an empty mask has 0,0,0,0. */
static void box_of(const uint8_t *bytes, int h, int w, float box[4])
{
    int x0 = w, y0 = h, x1 = -1, y1 = -1;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            if (!bytes[y * w + x])
                continue;
            x0 = x < x0 ? x : x0, x1 = x > x1 ? x : x1;
            y0 = y < y0 ? y : y0, y1 = y > y1 ? y : y1;
        }
    const int corners[4] = {x0, y0, x1, y1};
    for (int i = 0; i < 4; i++)
        box[i] = x1 < 0 ? 0 : (float)corners[i];
}

static int cut_by_crop(const float box[4], const int32_t crop[4], int h, int w)
{
    const float picture[4] = {0, 0, (float)w, (float)h};
    for (int i = 0; i < 4; i++) {
        const float at = box[i] + (float)crop[i % 2];
        if (fabsf(at - (float)crop[i]) <= 20 && !(fabsf(at - picture[i]) <= 20))
            return 1;
    }
    return 0;
}

/* Steps 2 to 6 for one answer. */
static void direct_answer(const scene *s, const wsam_everything_options *o, const double point[2],
                          int mask, direct_list *list)
{
    static float low[SCENE_LOW * SCENE_LOW];
    direct_mask m = {.point = {point[0], point[1]}, .mask = mask};
    memcpy(m.crop, s->crop, sizeof m.crop);
    m.iou = scene_answer(s, point, mask, low);
    if (o->pred_iou_thresh > 0 && !(m.iou > (float)o->pred_iou_thresh))
        return;
    wsam_mask_geometry g;
    scene_geometry(s, &g);
    float *logits = enlarge(s, &g, low);
    uint8_t *bytes = calloc((size_t)g.out_h * (size_t)g.out_w, 1);
    const float offset = (float)o->stability_score_offset;
    float high = 0, wide = 0;
    for (int i = 0; i < g.out_h * g.out_w; i++) {
        high += logits[i] > offset;
        wide += logits[i] > -offset;
        bytes[i] = logits[i] > 0 || (s->bicubic && logits[i] >= 0);
    }
    m.stability = high / wide;
    box_of(bytes, g.out_h, g.out_w, m.box);
    const int keep =
        (o->stability_score_thresh <= 0 || m.stability >= (float)o->stability_score_thresh) &&
        !cut_by_crop(m.box, s->crop, s->height, s->width);
    if (keep) {
        m.bytes = calloc((size_t)s->height * (size_t)s->width, 1);
        for (int y = 0; y < g.out_h; y++)
            memcpy(m.bytes + (y + s->crop[1]) * s->width + s->crop[0], bytes + y * g.out_w,
                   (size_t)g.out_w);
        cr_assert_lt(list->n, MAX_RECORDS);
        list->items[list->n++] = m;
    }
    free(logits), free(bytes);
}

/* Greedy, by falling score, ties in order; leaves the kept ones in score order. */
static void direct_nms(direct_list *list, const float *score, double threshold)
{
    static direct_mask kept[MAX_RECORDS];
    static char gone[MAX_RECORDS];
    size_t n = 0;
    memset(gone, 0, sizeof gone);
    for (;;) {
        size_t best = list->n;
        for (size_t i = 0; i < list->n; i++)
            if (!gone[i] && (best == list->n || score[i] > score[best]))
                best = i;
        if (best == list->n)
            break;
        gone[best] = 1;
        kept[n++] = list->items[best];
        const float *p = list->items[best].box;
        for (size_t i = 0; i < list->n; i++) {
            const float *q = list->items[i].box;
            const float w = fmaxf(0, fminf(p[2], q[2]) - fmaxf(p[0], q[0]));
            const float h = fmaxf(0, fminf(p[3], q[3]) - fmaxf(p[1], q[1]));
            const float pa = (p[2] - p[0]) * (p[3] - p[1]), qa = (q[2] - q[0]) * (q[3] - q[1]);
            if (!gone[i] && (double)(w * h / (pa + qa - w * h)) > threshold) {
                gone[i] = 1;
                free(list->items[i].bytes);
            }
        }
    }
    memcpy(list->items, kept, n * sizeof *kept);
    list->n = n;
}

/* 8-connected components of `value`, smaller than min_area: painted over. For islands the largest
 * stays when all are small. Returns whether there was a small one. */
static int direct_clean(uint8_t *bytes, int h, int w, uint8_t value, int64_t min_area)
{
    int *label = calloc((size_t)h * (size_t)w, sizeof *label);
    int *stack = malloc((size_t)h * (size_t)w * sizeof *stack);
    int64_t *area = calloc((size_t)h * (size_t)w + 2, sizeof *area);
    int n = 0, small = 0, largest = 1;
    for (int seed = 0; seed < h * w; seed++) {
        if (bytes[seed] != value || label[seed])
            continue;
        int depth = 0;
        label[stack[depth++] = seed] = ++n;
        while (depth) {
            const int at = stack[--depth];
            area[n]++;
            for (int k = 0; k < 9; k++) {
                const int x = at % w + k % 3 - 1, y = at / w + k / 3 - 1;
                if (x < 0 || y < 0 || x >= w || y >= h)
                    continue;
                if (bytes[y * w + x] == value && !label[y * w + x])
                    label[stack[depth++] = y * w + x] = n;
            }
        }
        small += area[n] < min_area;
        largest = area[n] > area[largest] ? n : largest;
    }
    for (int i = 0; i < h * w; i++)
        if (label[i] && area[label[i]] < min_area && !(value && small == n && label[i] == largest))
            bytes[i] = !value;
    free(label), free(stack), free(area);
    return small > 0;
}

static void direct_regions(const scene *s, const wsam_everything_options *o, direct_list *list)
{
    static float score[MAX_RECORDS], old[MAX_RECORDS][4];
    for (size_t i = 0; i < list->n; i++) {
        direct_mask *m = &list->items[i];
        m->changed = direct_clean(m->bytes, s->height, s->width, 0, o->min_mask_region_area);
        m->changed |= direct_clean(m->bytes, s->height, s->width, 1, o->min_mask_region_area);
        score[i] = m->changed ? 0 : 1;
        memcpy(old[i], m->box, sizeof old[i]);
        box_of(m->bytes, s->height, s->width, m->box);
    }
    /* What did not change keeps its old box, which differs only for empty masks of crops. */
    direct_list *copy = malloc(sizeof *copy);
    *copy = *list;
    direct_nms(list, score, fmax(o->box_nms_thresh, o->crop_nms_thresh));
    for (size_t i = 0; i < list->n; i++)
        for (size_t k = 0; k < copy->n; k++)
            if (copy->items[k].bytes == list->items[i].bytes && !list->items[i].changed)
                memcpy(list->items[i].box, old[k], sizeof old[k]);
    free(copy);
}

static int crops_of(const scene *s, const wsam_everything_options *o, int32_t (*boxes)[4],
                    int *layers)
{
    int n = 0;
    const int32_t whole[4] = {0, 0, s->width, s->height};
    memcpy(boxes[n], whole, sizeof whole);
    layers[n++] = 0;
    for (int layer = 0; layer < o->crop_n_layers; layer++) {
        const int m = 2 << layer, side = s->height < s->width ? s->height : s->width;
        const int ov = (int)(o->crop_overlap_ratio * side * (2.0 / m));
        const int cw = (int)ceil((double)(ov * (m - 1) + s->width) / m);
        const int ch = (int)ceil((double)(ov * (m - 1) + s->height) / m);
        for (int i = 0; i < m; i++)
            for (int k = 0; k < m; k++) {
                const int x0 = i * (cw - ov), y0 = k * (ch - ov);
                const int32_t box[4] = {x0, y0, x0 + cw < s->width ? x0 + cw : s->width,
                                        y0 + ch < s->height ? y0 + ch : s->height};
                memcpy(boxes[n], box, sizeof box);
                layers[n++] = layer + 1;
            }
    }
    return n;
}

/* Points of a layer, in pixels of its crop. */
static size_t points_of(const wsam_everything_options *o, const int32_t crop[4], int layer,
                        double (*points)[2])
{
    const double w = crop[2] - crop[0], h = crop[3] - crop[1];
    const int side = (int)(o->points_per_side / pow(o->crop_n_points_downscale_factor, layer));
    const size_t n = o->point_grids ? o->point_grid_sizes[layer] : (size_t)(side * side);
    for (size_t i = 0; i < n; i++) {
        const int k = (int)i;
        points[i][0] =
            o->point_grids ? o->point_grids[layer][2 * i] * w : (k % side + 0.5) / side * w;
        points[i][1] =
            o->point_grids ? o->point_grids[layer][2 * i + 1] * h : (k / side + 0.5) / side * h;
    }
    return n;
}

static void direct_point(const scene *s, const wsam_everything_options *o, const double point[2],
                         direct_list *list)
{
    for (int mask = 0; mask < SCENE_MASKS; mask++)
        direct_answer(s, o, point, mask, list);
}

/* Whether a mask's box holds a point of the crop, and its logit there is a confident one. */
static int direct_covers(const scene *s, const wsam_everything_options *o, const direct_mask *m,
                         const double point[2])
{
    static float low[SCENE_LOW * SCENE_LOW];
    wsam_mask_geometry g;
    scene_geometry(s, &g);
    const double square = s->bicubic ? 1 : 1.0 / SCENE_SQUARE,
                 x = point[0] / g.out_w * (s->bicubic ? 1 : g.crop_w) * square * SCENE_LOW,
                 y = point[1] / g.out_h * (s->bicubic ? 1 : g.crop_h) * square * SCENE_LOW;
    if (point[0] < (double)m->box[0] || point[0] > (double)m->box[2] + 1 ||
        point[1] < (double)m->box[1] || point[1] > (double)m->box[3] + 1)
        return 0;
    scene_answer(s, m->point, m->mask, low);
    return (double)low[inside((int)y, SCENE_LOW) * SCENE_LOW + inside((int)x, SCENE_LOW)] >
           o->confident_logit;
}

/* Every fourth point of every fourth row, then what none of their masks covers. */
static void direct_hierarchy(const scene *s, const wsam_everything_options *o, size_t side,
                             double (*points)[2], direct_list *list)
{
    for (size_t i = 0; i < side * side; i++)
        if (i % side % 4 == 1 && i / side % 4 == 1)
            direct_point(s, o, points[i], list);
    const size_t first = list->n;
    for (size_t i = 0; i < side * side; i++) {
        int skip = i % side % 4 == 1 && i / side % 4 == 1;
        for (size_t k = 0; k < first && !skip; k++)
            skip = direct_covers(s, o, &list->items[k], points[i]);
        if (!skip)
            direct_point(s, o, points[i], list);
    }
}

static void direct_crop(scene *s, const wsam_everything_options *o, const int32_t crop[4],
                        int layer, direct_list *all)
{
    static float score[MAX_RECORDS];
    static double points[MAX_RECORDS][2];
    direct_list *list = calloc(1, sizeof *list);
    memcpy(s->crop, crop, sizeof s->crop);
    const size_t n = points_of(o, crop, layer, points);
    if (o->hierarchical)
        direct_hierarchy(s, o, (size_t)sqrt((double)n), points, list);
    for (size_t i = 0; i < n && !o->hierarchical; i++)
        direct_point(s, o, points[i], list);
    for (size_t i = 0; i < list->n; i++)
        score[i] = list->items[i].iou;
    direct_nms(list, score, o->box_nms_thresh);
    for (size_t i = 0; i < list->n; i++) {
        direct_mask *m = &list->items[i];
        for (int k = 0; k < 4; k++)
            m->box[k] += (float)crop[k % 2];
        m->point[0] += crop[0];
        m->point[1] += crop[1];
        all->items[all->n++] = *m;
    }
    free(list);
}

static direct_list *direct(scene *s, const wsam_everything_options *o)
{
    static int32_t boxes[WS_MAX_CROPS][4];
    static int layers[WS_MAX_CROPS];
    static float score[MAX_RECORDS];
    direct_list *list = calloc(1, sizeof *list);
    const int n = crops_of(s, o, boxes, layers);
    for (int i = 0; i < n; i++)
        direct_crop(s, o, boxes[i], layers[i], list);
    if (n > 1) {
        for (size_t i = 0; i < list->n; i++) {
            const int32_t *c = list->items[i].crop;
            score[i] = 1.0f / (float)((c[2] - c[0]) * (c[3] - c[1]));
        }
        direct_nms(list, score, o->crop_nms_thresh);
    }
    if (o->min_mask_region_area > 0)
        direct_regions(s, o, list);
    return list;
}

/* ---- comparison ---- */

typedef struct expectation {
    const scene *s;
    const direct_list *list;
    size_t at;
} expectation;

static int compare(void *user, const wsam_everything_record *r)
{
    expectation *e = user;
    cr_assert_lt(e->at, e->list->n);
    const direct_mask *m = &e->list->items[e->at++];
    const int h = e->s->height, w = e->s->width;
    uint64_t area = 0;
    for (int i = 0; i < h * w; i++)
        area += m->bytes[i];
    cr_assert_eq(r->area, area, "mask %zu: area %llu, want %llu", e->at,
                 (unsigned long long)r->area, (unsigned long long)area);
    const float box[4] = {m->box[0], m->box[1], m->box[2] - m->box[0], m->box[3] - m->box[1]};
    const int32_t crop[4] = {m->crop[0], m->crop[1], m->crop[2] - m->crop[0],
                             m->crop[3] - m->crop[1]};
    for (int i = 0; i < 4; i++)
        cr_assert_eq(r->bbox[i], (int32_t)box[i], "mask %zu: box", e->at);
    cr_assert_arr_eq(r->crop_box, crop, sizeof crop);
    cr_assert_arr_eq(&r->predicted_iou, &m->iou, sizeof m->iou);
    if (!isnan(m->stability))
        cr_assert_arr_eq(&r->stability_score, &m->stability, sizeof m->stability);
    cr_assert_float_eq(r->point[0], m->point[0], 1e-9);
    cr_assert_float_eq(r->point[1], m->point[1], 1e-9);
    wsam_rle rle = {.height = h, .width = w, .capacity = (size_t)h * (size_t)w + 1};
    rle.counts = malloc(rle.capacity * sizeof *rle.counts);
    uint8_t *bytes = malloc((size_t)h * (size_t)w);
    cr_assert_eq(wsam_rle_from_string(r->counts, r->counts_length, &rle, NULL), WSAM_OK);
    wsam_rle_decode(&rle, 1, bytes, (size_t)w);
    cr_assert_arr_eq(bytes, m->bytes, (size_t)h * (size_t)w);
    free(rle.counts), free(bytes);
    return 0;
}

static void compare_scene(scene *s, const wsam_everything_options *o, int threads, size_t at_least)
{
    direct_list *want = direct(s, o);
    const ws_logits_source source = scene_source(s, threads);
    expectation e = {.s = s, .list = want};
    wsam_error error = {0};
    wsam_everything_stats stats;
    const wsam_status status =
        ws_everything(&source, s->height, s->width, o, compare, &e, &stats, &error);
    cr_assert_eq(status, WSAM_OK, "%s", error.message);
    cr_assert_eq(e.at, want->n, "%zu masks, want %zu", e.at, want->n);
    cr_assert_eq(stats.kept, want->n);
    cr_assert_geq(want->n, at_least, "only %zu masks", want->n);
    for (size_t i = 0; i < want->n; i++)
        free(want->items[i].bytes);
    free(want);
}

static void check_scene(int h, int w, uint32_t seed, const wsam_everything_options *o, int threads,
                        size_t at_least)
{
    scene s = {.height = h, .width = w, .seed = seed};
    compare_scene(&s, o, threads, at_least);
}

static wsam_everything_options options(void)
{
    wsam_everything_options o;
    wsam_everything_options_default(&o);
    o.points_per_side = 12;
    o.points_per_batch = 10;
    o.pred_iou_thresh = 0.3;
    o.stability_score_thresh = 0.5;
    return o;
}

Test(everything, whole_picture)
{
    wsam_everything_options o = options();
    for (uint32_t seed = 1; seed <= 3; seed++) {
        check_scene(300, 450, seed, &o, 2, 10);
        check_scene(411, 263, seed, &o, 3, 10);
    }
    check_scene(97, 130, 9, &o, 1, 1);
}

Test(everything, filters_off)
{
    wsam_everything_options o = options();
    o.pred_iou_thresh = 0;
    o.stability_score_thresh = 0;
    o.box_nms_thresh = 0.3;
    check_scene(300, 450, 4, &o, 2, 10);
    o.box_nms_thresh = 1;
    o.points_per_side = 6;
    check_scene(300, 450, 5, &o, 2, 100);
}

Test(everything, crops)
{
    wsam_everything_options o = options();
    o.crop_n_layers = 1;
    check_scene(300, 450, 1, &o, 2, 10);
    o.crop_n_points_downscale_factor = 2;
    o.crop_nms_thresh = 0.5;
    check_scene(411, 263, 2, &o, 2, 5);
    o.crop_n_layers = 2;
    check_scene(420, 460, 3, &o, 2, 5);
}

Test(everything, clean_up)
{
    wsam_everything_options o = options();
    o.min_mask_region_area = 30;
    check_scene(300, 450, 1, &o, 2, 10);
    o.min_mask_region_area = 100000; /* everything is small */
    check_scene(300, 450, 2, &o, 2, 1);
    o.min_mask_region_area = 25;
    o.crop_n_layers = 1;
    o.pred_iou_thresh = 0;
    o.stability_score_thresh = 0;
    check_scene(411, 263, 3, &o, 2, 10);
}

Test(everything, hierarchical)
{
    wsam_everything_options o = options();
    o.hierarchical = 1;
    o.confident_logit = 2;
    for (uint32_t seed = 1; seed <= 3; seed++)
        check_scene(300, 450, seed, &o, 2, 10);
    o.crop_n_layers = 1;
    check_scene(411, 263, 4, &o, 3, 5);
    scene s = {.height = 300, .width = 450, .seed = 1, .bicubic = 1};
    compare_scene(&s, &o, 2, 5);
    o.points_per_side = 1; /* no first pass */
    o.stability_score_thresh = 0;
    o.pred_iou_thresh = 0;
    check_scene(97, 130, 9, &o, 1, 1);
}

/* EfficientSAM's rule for its output. */
Test(everything, bicubic_and_inclusive)
{
    wsam_everything_options o = options();
    scene s = {.height = 300, .width = 450, .seed = 1, .bicubic = 1};
    compare_scene(&s, &o, 2, 5);
    o.crop_n_layers = 1;
    o.min_mask_region_area = 30;
    s = (scene){.height = 411, .width = 263, .seed = 2, .bicubic = 1};
    compare_scene(&s, &o, 3, 5);
}

Test(everything, grids_of_the_caller)
{
    static double whole[60], crops[14];
    static const double *const grids[] = {whole, crops};
    static const size_t sizes[] = {30, 7};
    for (uint32_t i = 0; i < 60; i++)
        whole[i] = scene_mix(i, 5) % 1001 / 1000.0;
    for (uint32_t i = 0; i < 14; i++)
        crops[i] = scene_mix(i, 6) % 1001 / 1000.0;
    wsam_everything_options o = options();
    o.crop_n_layers = 1;
    o.point_grids = grids;
    o.point_grid_sizes = sizes;
    check_scene(300, 450, 1, &o, 2, 5);
    crops[0] = 0;
    crops[13] = 1;
    check_scene(411, 263, 2, &o, 2, 5);
}

Test(everything, memory_has_no_influence)
{
    wsam_everything_options o = options();
    o.mask_memory = 2000;
    check_scene(300, 450, 1, &o, 2, 10);
    o.mask_memory = 0;
    check_scene(411, 263, 2, &o, 2, 5);
    o.points_per_batch = 7;
    o.mask_memory = 1 << 20;
    o.box_nms_thresh = 0.9;
    check_scene(411, 263, 3, &o, 2, 10);
}

Test(everything, crop_boxes_of_the_example)
{
    static const int32_t want[5][4] = {{0, 0, 640, 480},
                                       {0, 0, 402, 322},
                                       {0, 159, 402, 480},
                                       {239, 0, 640, 322},
                                       {239, 159, 640, 480}};
    static ws_crop crops[WS_MAX_CROPS];
    cr_assert_eq(ws_everything_grid_crops(480, 640, 1, 512.0 / 1500, crops), 5);
    for (int i = 0; i < 5; i++)
        cr_assert_arr_eq(crops[i].box, want[i], sizeof want[i]);
    cr_assert_eq(ws_everything_grid_crops(1, 1, 3, 0, crops), 0);
}
