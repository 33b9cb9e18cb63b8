/* tests/unit/test_masks.c - run lengths, contours, components and NMS against direct
 * versions. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weaksam/masks.h"

enum { MAX_RUNS = 1 << 16 };

static uint32_t state = 1;

static uint32_t rnd(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % n;
}

/* A mask as bytes with everything the functions make of it. */
typedef struct fixture {
    int h, w;
    uint8_t *bytes, *back;
    uint64_t *bits, *work;
    wsam_rle rle, other;
} fixture;

static fixture make(int h, int w)
{
    fixture f = {.h = h, .w = w};
    const size_t pixels = (size_t)h * (size_t)w, words = wsam_bits_words(h, w);
    f.bytes = calloc(pixels, 1);
    f.back = calloc(pixels, 1);
    f.bits = calloc(words, 8);
    f.work = calloc(words, 8);
    f.rle = (wsam_rle){.height = h, .width = w, .capacity = pixels + 1};
    f.rle.counts = malloc((pixels + 1) * sizeof *f.rle.counts);
    f.other = f.rle;
    f.other.counts = malloc((pixels + 1) * sizeof *f.rle.counts);
    return f;
}

static void drop(fixture *f)
{
    free(f->bytes), free(f->back), free(f->bits), free(f->work);
    free(f->rle.counts), free(f->other.counts);
}

/* Blobs, or noise of some density; sometimes empty or full. */
static void paint(fixture *f)
{
    const size_t pixels = (size_t)f->h * (size_t)f->w;
    const uint32_t kind = rnd(6), density = 1 + rnd(99);
    memset(f->bytes, kind == 1, pixels);
    if (kind < 2)
        return;
    if (kind < 4) {
        for (size_t i = 0; i < pixels; i++)
            f->bytes[i] = rnd(100) < density;
        return;
    }
    for (uint32_t n = 1 + rnd(6); n; n--) {
        const int x0 = (int)rnd((uint32_t)f->w), y0 = (int)rnd((uint32_t)f->h);
        const int x1 = x0 + (int)rnd((uint32_t)f->w), y1 = y0 + (int)rnd((uint32_t)f->h);
        for (int y = y0; y <= y1 && y < f->h; y++)
            for (int x = x0; x <= x1 && x < f->w; x++)
                f->bytes[y * f->w + x] ^= 1;
    }
}

static const int sizes[][2] = {{1, 1},   {1, 130}, {130, 1}, {3, 4},    {63, 65},  {64, 64},
                               {65, 63}, {128, 2}, {2, 128}, {127, 33}, {97, 201}, {200, 130}};
enum { N_SIZES = sizeof sizes / sizeof sizes[0], ROUNDS = 30 };

/* ---- the examples of the format ---- */

static void expect_runs(const uint8_t *bytes, int h, int w, size_t n, const uint32_t *counts,
                        const char *text)
{
    uint32_t buffer[64];
    wsam_rle rle = {.height = h, .width = w, .capacity = 64, .counts = buffer};
    cr_assert_eq(wsam_rle_encode(bytes, (size_t)w, &rle), WSAM_OK);
    cr_assert_eq(rle.n, n);
    cr_assert_arr_eq(rle.counts, counts, n * sizeof *counts);
    char out[64];
    const size_t length = wsam_rle_to_string(&rle, out, sizeof out);
    cr_assert_eq(length, strlen(text));
    cr_assert_arr_eq(out, text, length);
}

Test(rle, examples)
{
    static const uint8_t a[] = {0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 1}, ones[] = {1, 1, 1, 1};
    static const uint8_t zeros[15] = {0};
    expect_runs(a, 3, 4, 8, (const uint32_t[]){1, 1, 1, 2, 1, 1, 4, 1}, "11110O30");
    expect_runs(ones, 2, 2, 2, (const uint32_t[]){0, 4}, "04");
    expect_runs(zeros, 3, 5, 1, (const uint32_t[]){15}, "?");
}

Test(rle, text_of_long_runs)
{
    static const char text[] = "T35\\9S10P5UGhi3";
    static const uint32_t counts[] = {100, 5, 300, 40, 300, 200, 17, 4096};
    uint32_t buffer[8], sum = 0;
    for (int i = 0; i < 8; i++)
        sum += counts[i];
    wsam_rle rle = {.height = (int)sum, .width = 1, .capacity = 8, .counts = buffer};
    cr_assert_eq(wsam_rle_from_string(text, strlen(text), &rle, NULL), WSAM_OK);
    cr_assert_eq(rle.n, 8);
    cr_assert_arr_eq(buffer, counts, sizeof counts);
    char out[16];
    cr_assert_eq(wsam_rle_to_string(&rle, out, sizeof out), strlen(text));
    cr_assert_arr_eq(out, text, strlen(text));
}

Test(rle, damaged_text_is_refused)
{
    static const char *const bad[] = {"",    "0", "05",        "03",       "0\x1f", "o",
                                      "ooo", "O", "0oooooooo", "ooooooo0", "0 4",   "04O"};
    uint32_t buffer[8];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wsam_rle rle = {.height = 2, .width = 2, .capacity = 8, .counts = buffer};
        wsam_error error = {0};
        cr_assert_eq(wsam_rle_from_string(bad[i], strlen(bad[i]), &rle, &error), WSAM_ERR_FORMAT,
                     "'%s'", bad[i]);
        cr_assert(error.message[0]);
    }
    wsam_rle huge = {.height = 1 << 20, .width = 1 << 20, .capacity = 8, .counts = buffer};
    cr_assert_eq(wsam_rle_from_string("04", 2, &huge, NULL), WSAM_ERR_LIMIT);
    wsam_rle none = {.height = 0, .width = 5, .capacity = 8, .counts = buffer};
    cr_assert_eq(wsam_rle_from_string("0", 1, &none, NULL), WSAM_ERR_LIMIT);
}

Test(rle, random_text_never_overruns)
{
    uint32_t buffer[4];
    char text[32];
    for (int round = 0; round < 200000; round++) {
        const size_t n = rnd(sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)(rnd(4) ? 48 + rnd(64) : rnd(256));
        wsam_rle rle = {.height = 1 + (int)rnd(70000),
                        .width = 1 + (int)rnd(60000),
                        .capacity = 4,
                        .counts = buffer};
        const wsam_status status = wsam_rle_from_string(text, n, &rle, NULL);
        if (status == WSAM_OK)
            cr_assert_eq(wsam_rle_validate(&rle, NULL), WSAM_OK);
    }
}

Test(rle, sums_are_checked)
{
    uint32_t counts[] = {UINT32_MAX, UINT32_MAX, 6};
    const wsam_rle over = {.height = 2, .width = 2, .n = 3, .capacity = 3, .counts = counts};
    cr_assert_eq(wsam_rle_validate(&over, NULL), WSAM_ERR_FORMAT);
    const wsam_rle none = {.height = 2, .width = 2, .counts = counts};
    cr_assert_eq(wsam_rle_validate(&none, NULL), WSAM_ERR_FORMAT);
}

/* ---- round trips ---- */

static void direct_stats(const fixture *f, uint64_t *area, int32_t box[4])
{
    *area = 0;
    box[0] = f->w, box[1] = f->h, box[2] = box[3] = -1;
    for (int y = 0; y < f->h; y++)
        for (int x = 0; x < f->w; x++) {
            if (!f->bytes[y * f->w + x])
                continue;
            ++*area;
            box[0] = x < box[0] ? x : box[0];
            box[1] = y < box[1] ? y : box[1];
            box[2] = x > box[2] ? x : box[2];
            box[3] = y > box[3] ? y : box[3];
        }
    if (!*area)
        box[0] = box[1] = 0;
}

static void expect_same_runs(const wsam_rle *a, const wsam_rle *b)
{
    cr_assert_eq(a->n, b->n);
    cr_assert_arr_eq(a->counts, b->counts, a->n * sizeof *a->counts);
}

static void check_round_trip(fixture *f)
{
    const size_t pixels = (size_t)f->h * (size_t)f->w, words = wsam_bits_words(f->h, f->w);
    uint64_t area;
    int32_t want[4], box[4];
    direct_stats(f, &area, want);
    cr_assert_eq(wsam_rle_encode(f->bytes, (size_t)f->w, &f->rle), WSAM_OK);
    cr_assert_eq(wsam_rle_validate(&f->rle, NULL), WSAM_OK);
    cr_assert_eq(wsam_rle_area(&f->rle), area);
    cr_assert_eq(wsam_rle_box(&f->rle, box), area > 0);
    cr_assert_arr_eq(box, want, sizeof box);
    wsam_rle_decode(&f->rle, 1, f->back, (size_t)f->w);
    cr_assert_arr_eq(f->back, f->bytes, pixels);

    wsam_bits_from_bytes(f->bytes, (size_t)f->w, f->h, f->w, f->bits);
    wsam_rle_to_bits(&f->rle, f->work);
    cr_assert_arr_eq(f->work, f->bits, words * 8);
    wsam_bits_to_bytes(f->bits, f->h, f->w, 1, f->back, (size_t)f->w);
    cr_assert_arr_eq(f->back, f->bytes, pixels);
    cr_assert_eq(wsam_rle_from_bits(f->bits, f->h, f->w, NULL, 0, 0, &f->other), WSAM_OK);
    expect_same_runs(&f->rle, &f->other);
    cr_assert_eq(wsam_rle_from_bits(f->bits, f->h, f->w, box, 0, 0, &f->other), WSAM_OK);
    expect_same_runs(&f->rle, &f->other);

    const size_t n = wsam_rle_to_string(&f->rle, NULL, 0);
    char *text = malloc(n + 1);
    cr_assert_eq(wsam_rle_to_string(&f->rle, text, n), n);
    cr_assert_eq(wsam_rle_from_string(text, n, &f->other, NULL), WSAM_OK);
    expect_same_runs(&f->rle, &f->other);
    wsam_rle small = f->other;
    small.capacity = 0;
    cr_assert_eq(wsam_rle_from_string(text, n, &small, NULL), WSAM_ERR_LIMIT);
    cr_assert_eq(small.n, f->rle.n);
    free(text);
}

Test(rle, round_trips)
{
    for (int i = 0; i < N_SIZES; i++)
        for (int round = 0; round < ROUNDS; round++) {
            fixture f = make(sizes[i][0], sizes[i][1]);
            paint(&f);
            check_round_trip(&f);
            drop(&f);
        }
}

Test(rle, placed_in_a_larger_picture)
{
    for (int round = 0; round < 400; round++) {
        fixture f = make(1 + (int)rnd(140), 1 + (int)rnd(90));
        paint(&f);
        const int x = (int)rnd(3) * 7, y = (int)rnd(3) * 31;
        fixture big = make(f.h + y + (int)rnd(2) * 40, f.w + x + (int)rnd(2) * 9);
        for (int i = 0; i < f.h; i++)
            memcpy(big.bytes + (i + y) * big.w + x, f.bytes + i * f.w, (size_t)f.w);
        cr_assert_eq(wsam_rle_encode(big.bytes, (size_t)big.w, &big.rle), WSAM_OK);
        wsam_bits_from_bytes(f.bytes, (size_t)f.w, f.h, f.w, f.bits);
        uint64_t area;
        int32_t box[4];
        direct_stats(&f, &area, box);
        cr_assert_eq(wsam_rle_from_bits(f.bits, f.h, f.w, rnd(2) ? box : NULL, x, y, &big.other),
                     WSAM_OK);
        expect_same_runs(&big.rle, &big.other);
        drop(&f);
        drop(&big);
    }
}

Test(rle, merge_and_iou)
{
    for (int i = 0; i < N_SIZES; i++)
        for (int round = 0; round < ROUNDS; round++) {
            fixture a = make(sizes[i][0], sizes[i][1]), b = make(sizes[i][0], sizes[i][1]);
            paint(&a);
            paint(&b);
            const size_t pixels = (size_t)a.h * (size_t)a.w;
            uint64_t both = 0, any = 0, area = 0;
            for (size_t k = 0; k < pixels; k++) {
                both += a.bytes[k] && b.bytes[k];
                any += a.bytes[k] || b.bytes[k];
                area += a.bytes[k];
            }
            cr_assert_eq(wsam_rle_encode(a.bytes, (size_t)a.w, &a.rle), WSAM_OK);
            cr_assert_eq(wsam_rle_encode(b.bytes, (size_t)b.w, &b.rle), WSAM_OK);
            cr_assert_eq(wsam_rle_intersection(&a.rle, &b.rle), both);
            const double iou = both ? (double)both / (double)any : 0;
            const double crowd = both ? (double)both / (double)area : 0;
            cr_assert_float_eq(wsam_rle_iou(&a.rle, &b.rle, 0), iou, 0);
            cr_assert_float_eq(wsam_rle_iou(&a.rle, &b.rle, 1), crowd, 0);
            for (int kind = 0; kind < 2; kind++) {
                for (size_t k = 0; k < pixels; k++)
                    a.back[k] = kind ? a.bytes[k] && b.bytes[k] : a.bytes[k] || b.bytes[k];
                cr_assert_eq(wsam_rle_merge(&a.rle, &b.rle, (wsam_merge)kind, &a.other), WSAM_OK);
                cr_assert_eq(wsam_rle_encode(a.back, (size_t)a.w, &b.other), WSAM_OK);
                expect_same_runs(&a.other, &b.other);
            }
            drop(&a);
            drop(&b);
        }
}

Test(rle, merge_needs_equal_sizes)
{
    uint32_t four[] = {4}, six[] = {6}, room[4];
    const wsam_rle a = {.height = 2, .width = 2, .n = 1, .capacity = 1, .counts = four};
    const wsam_rle b = {.height = 2, .width = 3, .n = 1, .capacity = 1, .counts = six};
    wsam_rle out = {.capacity = 4, .counts = room};
    cr_assert_eq(wsam_rle_merge(&a, &b, WSAM_MERGE_UNION, &out), WSAM_ERR_MISMATCH);
}

/* ---- contours ---- */

/* Fills the outlines by the even-odd rule: every vertical edge flips the pixels on its right. */
static void fill(const fixture *f, const wsam_contour *c, size_t n, const int32_t *xy, uint8_t *out)
{
    memset(out, 0, (size_t)f->h * (size_t)f->w);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c[i].points; k++) {
            const int32_t *p = xy + 2 * (c[i].first + k);
            const int32_t *q = xy + 2 * (c[i].first + (k + 1) % c[i].points);
            const int y0 = p[1] < q[1] ? p[1] : q[1], y1 = p[1] < q[1] ? q[1] : p[1];
            cr_assert((p[0] == q[0]) != (p[1] == q[1]));
            for (int y = y0; y < y1; y++)
                for (int x = p[0]; x < f->w; x++)
                    out[y * f->w + x] ^= 1;
        }
}

Test(contours, fill_gives_the_mask_back)
{
    for (int i = 0; i < N_SIZES; i++)
        for (int round = 0; round < 12; round++) {
            fixture f = make(sizes[i][0], sizes[i][1]);
            paint(&f);
            wsam_bits_from_bytes(f.bytes, (size_t)f.w, f.h, f.w, f.bits);
            size_t n, points;
            const wsam_status sizing =
                wsam_contours(f.bits, f.h, f.w, f.work, NULL, 0, &n, NULL, 0, &points);
            cr_assert_eq(sizing, n ? WSAM_ERR_LIMIT : WSAM_OK);
            wsam_contour *c = malloc((n + 1) * sizeof *c);
            int32_t *xy = malloc((points + 1) * 2 * sizeof *xy);
            cr_assert_eq(wsam_contours(f.bits, f.h, f.w, f.work, c, n, &n, xy, points, &points),
                         WSAM_OK);
            fill(&f, c, n, xy, f.back);
            cr_assert_arr_eq(f.back, f.bytes, (size_t)f.h * (size_t)f.w);
            /* As many outer outlines as components. */
            cr_assert_eq(wsam_rle_encode(f.bytes, (size_t)f.w, &f.rle), WSAM_OK);
            void *scratch = malloc(wsam_components_scratch(&f.rle));
            size_t outer = 0;
            for (size_t k = 0; k < n; k++)
                outer += !c[k].hole;
            cr_assert_eq(wsam_components(&f.rle, WSAM_REGION_ISLANDS, scratch, NULL, 0), outer);
            free(scratch), free(c), free(xy);
            drop(&f);
        }
}

/* ---- components ---- */

/* Flood fill, seeds in row-major order; labels from 1. */
static size_t direct_label(const fixture *f, int value, int *labels, wsam_component *out)
{
    int *stack = malloc(((size_t)f->h * (size_t)f->w + 1) * sizeof *stack);
    size_t n = 0;
    memset(labels, 0, (size_t)f->h * (size_t)f->w * sizeof *labels);
    for (int seed = 0; seed < f->h * f->w; seed++) {
        if (f->bytes[seed] != value || labels[seed])
            continue;
        size_t depth = 0;
        wsam_component c = {.x0 = f->w, .y0 = f->h, .x1 = -1, .y1 = -1};
        labels[seed] = (int)n + 1;
        stack[depth++] = seed;
        while (depth) {
            const int at = stack[--depth], x = at % f->w, y = at / f->w;
            c.area++;
            c.x0 = x < c.x0 ? x : c.x0, c.x1 = x > c.x1 ? x : c.x1;
            c.y0 = y < c.y0 ? y : c.y0, c.y1 = y > c.y1 ? y : c.y1;
            for (int k = 0; k < 9; k++) {
                const int u = x + k % 3 - 1, v = y + k / 3 - 1, i = v * f->w + u;
                if (u < 0 || v < 0 || u >= f->w || v >= f->h || f->bytes[i] != value || labels[i])
                    continue;
                labels[i] = (int)n + 1;
                stack[depth++] = i;
            }
        }
        out[n++] = c;
    }
    free(stack);
    return n;
}

static int direct_remove(const fixture *f, wsam_region kind, uint64_t min_area, const int *labels,
                         const wsam_component *c, size_t n, uint8_t *out)
{
    size_t largest = 0, small = 0;
    for (size_t i = 0; i < n; i++) {
        largest = c[i].area > c[largest].area ? i : largest;
        small += c[i].area < min_area;
    }
    for (int i = 0; i < f->h * f->w; i++) {
        out[i] = f->bytes[i];
        if (!labels[i] || c[labels[i] - 1].area >= min_area)
            continue;
        if (kind == WSAM_REGION_ISLANDS && small == n && (size_t)labels[i] - 1 == largest)
            continue;
        out[i] = kind == WSAM_REGION_HOLES;
    }
    return small > 0;
}

static void check_regions(fixture *f, wsam_region kind)
{
    const size_t pixels = (size_t)f->h * (size_t)f->w;
    int *labels = malloc(pixels * sizeof *labels), changed;
    wsam_component *want = malloc((pixels + 1) * sizeof *want);
    wsam_component *got = malloc((pixels + 1) * sizeof *got);
    const size_t n = direct_label(f, kind == WSAM_REGION_ISLANDS, labels, want);
    void *scratch = malloc(wsam_components_scratch(&f->rle));
    cr_assert_eq(wsam_components(&f->rle, kind, scratch, got, pixels), n);
    cr_assert_arr_eq(got, want, n * sizeof *got);
    const uint64_t min_area = rnd(3) ? rnd(20) : rnd((uint32_t)pixels + 2);
    const int small = direct_remove(f, kind, min_area, labels, want, n, f->back);
    cr_assert_eq(wsam_remove_small_regions(&f->rle, kind, min_area, scratch, &f->other, &changed),
                 WSAM_OK);
    cr_assert_eq(changed, small);
    uint8_t *bytes = malloc(pixels);
    wsam_rle_decode(&f->other, 1, bytes, (size_t)f->w);
    cr_assert_arr_eq(bytes, f->back, pixels);
    free(labels), free(want), free(got), free(scratch), free(bytes);
}

Test(components, equal_flood_fill)
{
    for (int i = 0; i < N_SIZES; i++)
        for (int round = 0; round < ROUNDS; round++) {
            fixture f = make(sizes[i][0], sizes[i][1]);
            paint(&f);
            cr_assert_eq(wsam_rle_encode(f.bytes, (size_t)f.w, &f.rle), WSAM_OK);
            check_regions(&f, WSAM_REGION_ISLANDS);
            check_regions(&f, WSAM_REGION_HOLES);
            drop(&f);
        }
}

/* ---- NMS ---- */

static size_t direct_nms(const float *b, const float *score, size_t n, double threshold,
                         uint32_t *keep)
{
    char *gone = calloc(n, 1);
    size_t kept = 0;
    for (;;) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!gone[i] && (best == n || score[i] > score[best]))
                best = i;
        if (best == n)
            break;
        keep[kept++] = (uint32_t)best;
        gone[best] = 1;
        const float *p = b + 4 * best;
        for (size_t i = 0; i < n; i++) {
            const float *q = b + 4 * i;
            const float w = fmaxf(0, fminf(p[2], q[2]) - fmaxf(p[0], q[0]));
            const float h = fmaxf(0, fminf(p[3], q[3]) - fmaxf(p[1], q[1]));
            const float pa = (p[2] - p[0]) * (p[3] - p[1]), qa = (q[2] - q[0]) * (q[3] - q[1]);
            if (w * h / (pa + qa - w * h) > threshold)
                gone[i] = 1;
        }
    }
    free(gone);
    return kept;
}

Test(nms, equals_the_direct_version)
{
    enum { N = 200 };
    float boxes[4 * N], scores[N];
    uint64_t scratch[N];
    uint32_t want[N], got[N];
    for (int round = 0; round < 300; round++) {
        const size_t n = rnd(N + 1);
        for (size_t i = 0; i < n; i++) {
            for (int k = 0; k < 2; k++) {
                boxes[4 * i + (size_t)k] = (float)rnd(60);
                boxes[4 * i + 2 + (size_t)k] = boxes[4 * i + (size_t)k] + (float)rnd(40);
            }
            scores[i] = (float)((int)rnd(21) - 10) / 8; /* many ties, both signs */
        }
        const double threshold = rnd(11) / 10.0;
        const size_t n_want = direct_nms(boxes, scores, n, threshold, want);
        cr_assert_eq(wsam_box_nms(boxes, scores, n, threshold, scratch, got), n_want);
        cr_assert_arr_eq(got, want, n_want * sizeof *got);
    }
}

Test(nms, empty_boxes_stay_and_nan_scores_lead)
{
    const float boxes[] = {3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 9, 9, 0, 0, 9, 9};
    const float scores[] = {0.5f, 0.5f, -1, NAN};
    uint64_t scratch[4];
    uint32_t keep[4];
    cr_assert_eq(wsam_box_nms(boxes, scores, 4, 0.7, scratch, keep), 3);
    cr_assert_arr_eq(keep, ((const uint32_t[]){3, 0, 1}), 3 * sizeof *keep);
}
