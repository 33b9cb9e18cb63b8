/* tests/golden/mini_run.c - the mini goldens: small models whose weights and inputs derive from
 * names, compared with what the official PyTorch modules give on them (float32; an independent
 * float64 evaluation agrees within 2e-6).
 *
 * usage: mini_run DIR [--isa LEVEL] [--only TEXT] [--quick] [--backend onednn]
 *
 * --quick runs every golden once, without the comparisons of lowerings, threads, places and inner
 * values: for emulators. --backend onednn compares that backend with the native one instead, at one
 * level (oneDNN takes one per process) or, without --isa, with all that oneDNN can use. DIR holds
 * the files of mini_make. Needs kernels and runtime alone and no test framework, so that it runs
 * under an emulator, a sanitizer or valgrind. Output is TAP. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu.h"
#include "tests/golden/mini_values.h"
#include "tests/util/util_twin.h"
#include "weaksam/kernels.h"
#include "weaksam/model.h"

static const double tolerance = 1e-4;

/* What one line of output says. */
typedef struct verdict {
    const char *id, *isa;
    double worst;
    char why[1100]; /* empty: no failure so far */
} verdict;

static int failures;

static void compare(verdict *v, const char *what, double want, double got)
{
    const double difference = fabs(want - got);
    if (isnan(got) || difference > v->worst)
        v->worst = difference;
    if ((isnan(got) || difference > tolerance) && !v->why[0])
        snprintf(v->why, sizeof v->why, "%s is %.7g, want %.7g", what, got, want);
}

static void fail(verdict *v, const char *what, const wsam_error *error)
{
    if (!v->why[0])
        snprintf(v->why, sizeof v->why, "%s: %s", what, error ? error->message : "failed");
}

static void report(const verdict *v)
{
    failures += v->why[0] != 0;
    if (v->why[0])
        printf("not ok - %s at %s: %s\n", v->id, v->isa, v->why);
    else
        printf("ok - %s at %s: worst difference %.1e\n", v->id, v->isa, v->worst);
    fflush(stdout);
}

static void *allocate(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p) {
        printf("not ok - mini_run: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return p;
}

static void compare_values(verdict *v, const float *data, size_t n, double mean, double abs_mean)
{
    double sum = 0.0, abs_sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)data[i];
        abs_sum += fabs((double)data[i]);
    }
    compare(v, "mean", mean, sum / (double)n);
    compare(v, "mean absolute value", abs_mean, abs_sum / (double)n);
}

/* ---- running a graph ---- */

typedef struct runner {
    wsam_model *model;
    wsam_session *session;
    wsam_image *image;
} runner;

static void runner_close(runner *r)
{
    wsam_image_free(r->image);
    wsam_session_free(r->session);
    wsam_model_close(r->model);
}

/* Opens DIR/file.wsam and binds one image-rate input to a graph. */
static int runner_open(runner *r, const char *folder, const char *file, const char *graph,
                       const wsam_options *options, const wsam_dim *dims, size_t n_dims,
                       const wsam_tensor *input, verdict *v)
{
    char path[1024];
    wsam_error error = {0};
    *r = (runner){0};
    snprintf(path, sizeof path, "%s/%s.wsam", folder, file);
    if (wsam_model_open(path, options, &r->model, &error) ||
        wsam_session_create(r->model, graph, &r->session, &error) ||
        wsam_session_reserve(r->session, dims, n_dims, &error) ||
        wsam_image_create(r->model, graph, dims, n_dims, &r->image, &error) ||
        wsam_session_bind(r->session, input, 1, r->image, &error)) {
        fail(v, graph, &error);
        runner_close(r);
        return 0;
    }
    return 1;
}

static wsam_options options_for(const char *isa, int threads, wsam_lowering lowering)
{
    wsam_options options;
    wsam_options_default(&options);
    options.isa = isa;
    options.threads = threads;
    options.lowering = lowering;
    return options;
}

/* ---- encoders ---- */

/* The embedding of file on the golden image, [16*16*WIDTH]; 1 on success. */
static int encode(const char *folder, const char *file, const wsam_options *options, float *out,
                  verdict *v)
{
    float *pixels = allocate(sizeof *pixels * IMAGE * IMAGE * 3);
    twin_uniform_hwc("input_image", 3, IMAGE, IMAGE, pixels);
    const wsam_tensor input = {"image", WSAM_F32, 3, {IMAGE, IMAGE, 3}, pixels};
    runner r;
    wsam_error error = {0};
    wsam_tensor view;
    int ok = runner_open(&r, folder, file, "image_encoder", options, NULL, 0, &input, v);
    if (ok) {
        ok = !wsam_image_output(r.image, "embedding", &view, &error);
        if (!ok)
            fail(v, "embedding", &error);
        else
            memcpy(out, view.data, sizeof *out * 16 * 16 * WIDTH);
        runner_close(&r);
    }
    free(pixels);
    return ok;
}

static void run_encoder(const char *folder, const encoder_golden *g, const char *isa,
                        wsam_lowering lowering)
{
    char id[80];
    snprintf(id, sizeof id, "%s%s", g->id, lowering == WSAM_LOWERING_PLAIN ? " (plain)" : "");
    verdict v = {.id = id, .isa = isa};
    float *embedding = allocate(sizeof *embedding * 16 * 16 * WIDTH);
    const wsam_options options = options_for(isa, 2, lowering);
    if (encode(folder, g->file, &options, embedding, &v)) {
        compare_values(&v, embedding, 16 * 16 * WIDTH, g->mean, g->abs_mean);
        for (int i = 0; i < g->n_values; i++) {
            const value *p = &g->values[i];
            compare(&v, "embedding", p->want, (double)embedding[(p->y * 16 + p->x) * WIDTH + p->c]);
        }
    }
    report(&v);
    free(embedding);
}

/* Equal bytes with any number of threads. */
static void run_threads(const char *folder, const char *file, const char *isa)
{
    static const int counts[] = {1, 2, 3, 7};
    const size_t n = 16 * 16 * WIDTH;
    char id[80];
    snprintf(id, sizeof id, "%s encoder with 1, 2, 3, 7 threads", file);
    verdict v = {.id = id, .isa = isa};
    float *first = allocate(sizeof *first * n), *other = allocate(sizeof *other * n);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const wsam_options options = options_for(isa, counts[i], WSAM_LOWERING_AUTO);
        if (!encode(folder, file, &options, i ? other : first, &v))
            break;
        if (i && memcmp(first, other, sizeof *first * n))
            snprintf(v.why, sizeof v.why, "%d threads give other bytes than 1", counts[i]);
    }
    report(&v);
    free(first);
    free(other);
}

/* Sets the relative L2 distance of two embeddings; beyond the limit it is a failure. */
static void compare_embeddings(verdict *v, const float *want, const float *got, size_t n,
                               double limit)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)want[i];
        difference += d * d;
        norm += (double)want[i] * (double)want[i];
    }
    v->worst = sqrt(difference / norm);
    if (!(v->worst <= limit))
        snprintf(v->why, sizeof v->why, "relative error %.3g, limit %.3g", v->worst, limit);
}

/* int8 and bf16 files stay near the f32 result: relative L2 error of the embedding. */
static void run_type(const char *folder, const char *file, double limit, const char *isa)
{
    const size_t n = 16 * 16 * WIDTH;
    char id[80];
    snprintf(id, sizeof id, "%s encoder against f32", file);
    verdict v = {.id = id, .isa = isa};
    float *want = allocate(sizeof *want * n), *got = allocate(sizeof *got * n);
    const wsam_options options = options_for(isa, 2, WSAM_LOWERING_AUTO);
    if (encode(folder, "sam_mini", &options, want, &v) && encode(folder, file, &options, got, &v))
        compare_embeddings(&v, want, got, n, limit);
    report(&v);
    free(want);
    free(got);
}

/* oneDNN's products in the place of ours. Its f32 sums come in another order: a value that stands
 * between two bf16 or int8 numbers may be rounded to the other one, which the later layers carry on
 * as they do all roundings of the type. Hence the limits: half to two thirds of the type's own
 * error. */
static void run_onednn(const char *folder, const char *file, double limit, const char *isa)
{
    const size_t n = 16 * 16 * WIDTH;
    char id[80];
    snprintf(id, sizeof id, "%s encoder by oneDNN against ours", file);
    verdict v = {.id = id, .isa = isa ? isa : "no limit"};
    float *want = allocate(sizeof *want * n), *got = allocate(sizeof *got * n);
    wsam_options options = options_for(isa, 2, WSAM_LOWERING_AUTO);
    int ok = encode(folder, file, &options, want, &v);
    options.backend = WSAM_BACKEND_ONEDNN;
    ok = ok && encode(folder, file, &options, got, &v);
    if (ok)
        compare_embeddings(&v, want, got, n, limit);
    report(&v);
    free(want);
    free(got);
}

/* ---- decoders ---- */

typedef struct prompts {
    int n;
    float *points;   /* [n][n_points][2], normalised */
    int32_t *labels; /* [n][n_points] */
    float *mask;     /* [n][LOGITS][LOGITS][1] */
    float *iou, *low_res;
} prompts;

static prompts prompts_new(const decoder_golden *g, int n)
{
    const size_t count = (size_t)n, logits = (size_t)LOGITS * LOGITS;
    const prompts p = {
        .n = n,
        .points = allocate(count * 6 * 2 * sizeof(float)),
        .labels = allocate(count * 6 * sizeof(int32_t)),
        .mask = allocate((g->with_mask ? count : 1) * logits * sizeof(float)),
        .iou = allocate(count * 4 * sizeof(float)),
        .low_res = allocate(count * 4 * logits * sizeof(float)),
    };
    return p;
}

static void prompts_free(prompts *p)
{
    free(p->points);
    free(p->labels);
    free(p->mask);
    free(p->iou);
    free(p->low_res);
}

/* The golden's prompt at place `at`; a missing point keeps the coordinates (-1,-1). */
static void prompts_set(prompts *p, const decoder_golden *g, int at)
{
    for (int i = 0; i < g->n_points; i++) {
        float *to = p->points + (at * g->n_points + i) * 2;
        const double x = (double)g->xy[i][0], y = (double)g->xy[i][1];
        to[0] = (float)(((x < 0 ? x : x * 1024.0 / g->frame_w) + 0.5) / 1024.0);
        to[1] = (float)(((y < 0 ? y : y * 1024.0 / g->frame_h) + 0.5) / 1024.0);
        p->labels[at * g->n_points + i] = g->labels[i];
    }
    if (g->with_mask) {
        float *mask = p->mask + (size_t)at * LOGITS * LOGITS;
        twin_uniform("mask_input", (size_t)LOGITS * LOGITS, mask);
        for (int i = 0; i < LOGITS * LOGITS; i++)
            mask[i] *= 10.0f;
    }
}

/* Another prompt of the same kind, to stand beside the golden's. */
static void prompts_set_other(prompts *p, const decoder_golden *g, int at)
{
    prompts_set(p, g, at);
    for (int i = 0; i < 2 * g->n_points; i++)
        p->points[at * g->n_points * 2 + i] = 0.9f - 0.1f * (float)((i + at) % 7);
}

/* EfficientSAM's prompts have a fixed number of points; SAM's is a dimension of the graph. */
static size_t decoder_dims(const decoder_golden *g, int n, wsam_dim dims[4])
{
    dims[0] = (wsam_dim){"prompts", n};
    dims[1] = (wsam_dim){"first_mask", g->first};
    dims[2] = (wsam_dim){"masks", g->masks};
    dims[3] = (wsam_dim){"points", g->n_points};
    return strncmp(g->file, "efficient", 9) == 0 ? 3 : 4;
}

static int run_prompts(runner *r, const decoder_golden *g, const prompts *p, wsam_tensor *outputs,
                       size_t n_outputs, verdict *v)
{
    wsam_dim dims[4];
    const size_t n_dims = decoder_dims(g, p->n, dims);
    const wsam_tensor inputs[] = {
        {"points", WSAM_F32, 3, {p->n, g->n_points, 2}, p->points},
        {"labels", WSAM_S32, 2, {p->n, g->n_points}, p->labels},
        {"mask", WSAM_F32, 4, {p->n, LOGITS, LOGITS, 1}, p->mask},
    };
    wsam_error error = {0};
    if (wsam_session_run(r->session, r->image, dims, n_dims, inputs, g->with_mask ? 3 : 2, outputs,
                         n_outputs, &error)) {
        fail(v, g->graph, &error);
        return 0;
    }
    return 1;
}

static int decode(runner *r, const decoder_golden *g, const prompts *p, verdict *v)
{
    wsam_tensor outputs[] = {
        {"iou", WSAM_F32, 2, {p->n, g->masks}, p->iou},
        {"low_res", WSAM_F32, 4, {p->n, g->masks, LOGITS, LOGITS}, p->low_res},
    };
    return run_prompts(r, g, p, outputs, 2, v);
}

static int decoder_open(runner *r, const char *folder, const decoder_golden *g,
                        const wsam_options *options, int n, verdict *v)
{
    float *embedding = allocate(sizeof *embedding * GRID * GRID * WIDTH);
    twin_uniform_hwc("image_embedding", WIDTH, GRID, GRID, embedding);
    const wsam_tensor input = {"embedding", WSAM_F32, 3, {GRID, GRID, WIDTH}, embedding};
    wsam_dim dims[4];
    const size_t n_dims = decoder_dims(g, n, dims);
    const int ok = runner_open(r, folder, g->file, g->graph, options, dims, n_dims, &input, v);
    free(embedding);
    return ok;
}

/* Bicubic resize of all masks to the golden's picture. */
static void compare_resized(verdict *v, const decoder_golden *g, const float *low_res,
                            const char *isa)
{
    const wsam_kernels *kernels = ws_kernels_find(isa, NULL);
    const size_t w = (size_t)g->out_w, plane = (size_t)g->out_h * w;
    float *full = allocate(sizeof *full * plane * (size_t)g->masks);
    for (int m = 0; m < g->masks; m++)
        for (int y = 0; y < g->out_h; y++)
            kernels->resize.bicubic_row_f32(LOGITS, LOGITS, 1, low_res + m * LOGITS * LOGITS,
                                            g->out_h, g->out_w, y,
                                            full + (size_t)m * plane + (size_t)y * w);
    compare_values(v, full, plane * (size_t)g->masks, g->mean, g->abs_mean);
    for (int i = 0; i < g->n_values; i++) {
        const value *p = &g->values[i];
        compare(v, "mask", p->want,
                (double)full[(size_t)p->c * plane + (size_t)p->y * w + (size_t)p->x]);
    }
    free(full);
}

static void compare_masks(verdict *v, const decoder_golden *g, const prompts *p, const char *isa)
{
    for (int i = 0; i < g->n_iou; i++)
        compare(v, "iou", g->iou[i], (double)p->iou[i]);
    if (g->out_h) {
        compare_resized(v, g, p->low_res, isa);
        return;
    }
    compare_values(v, p->low_res, (size_t)g->masks * LOGITS * LOGITS, g->mean, g->abs_mean);
    for (int i = 0; i < g->n_values; i++) {
        const value *q = &g->values[i];
        compare(v, "low_res", q->want, (double)p->low_res[(q->c * LOGITS + q->y) * LOGITS + q->x]);
    }
}

static void run_decoder(const char *folder, const decoder_golden *g, const char *isa,
                        wsam_lowering lowering)
{
    char id[80];
    snprintf(id, sizeof id, "%s%s", g->id, lowering == WSAM_LOWERING_PLAIN ? " (plain)" : "");
    verdict v = {.id = id, .isa = isa};
    const wsam_options options = options_for(isa, 2, lowering);
    runner r;
    if (decoder_open(&r, folder, g, &options, 1, &v)) {
        prompts p = prompts_new(g, 1);
        prompts_set(&p, g, 0);
        if (decode(&r, g, &p, &v))
            compare_masks(&v, g, &p, isa);
        prompts_free(&p);
        runner_close(&r);
    }
    report(&v);
}

/* A prompt alone, and first and last of three with another between: equal bytes. */
static void run_places(const char *folder, const decoder_golden *g, const char *isa)
{
    enum { PROMPTS = 3 };
    char id[80];
    snprintf(id, sizeof id, "%s, alone or in a batch", g->id);
    verdict v = {.id = id, .isa = isa};
    const wsam_options options = options_for(isa, 2, WSAM_LOWERING_AUTO);
    const size_t n = (size_t)g->masks * LOGITS * LOGITS;
    runner r;
    if (decoder_open(&r, folder, g, &options, PROMPTS, &v)) {
        prompts alone = prompts_new(g, 1), many = prompts_new(g, PROMPTS);
        prompts_set(&alone, g, 0);
        prompts_set(&many, g, 0);
        prompts_set_other(&many, g, 1);
        prompts_set(&many, g, 2);
        const int ok = decode(&r, g, &alone, &v) && decode(&r, g, &many, &v);
        for (int at = 0; ok && at < PROMPTS; at += 2)
            if (memcmp(alone.low_res, many.low_res + (size_t)at * n, n * sizeof(float)) ||
                memcmp(alone.iou, many.iou + at * g->masks, (size_t)g->masks * sizeof(float)))
                snprintf(v.why, sizeof v.why, "other bytes at place %d of %d", at, PROMPTS);
        prompts_free(&alone);
        prompts_free(&many);
        runner_close(&r);
    }
    report(&v);
}

/* ---- taps ---- */

static void compare_tap(verdict *v, const tap_golden *g, const float *data)
{
    compare_values(v, data, g->rows * g->channels, g->mean, g->abs_mean);
    for (int i = 0; i < g->n_values; i++)
        compare(
            v, g->output, g->values[i].want,
            (double)data[(size_t)g->values[i].row * g->channels + (size_t)g->values[i].channel]);
}

static void run_encoder_tap(const char *folder, const tap_golden *g, const char *isa)
{
    verdict v = {.id = g->id, .isa = isa};
    float *pixels = allocate(sizeof *pixels * IMAGE * IMAGE * 3);
    twin_uniform_hwc("input_image", 3, IMAGE, IMAGE, pixels);
    const wsam_tensor input = {"image", WSAM_F32, 3, {IMAGE, IMAGE, 3}, pixels};
    const wsam_options options = options_for(isa, 2, WSAM_LOWERING_AUTO);
    runner r;
    wsam_tensor view;
    wsam_error error = {0};
    if (runner_open(&r, folder, g->file, g->graph, &options, NULL, 0, &input, &v)) {
        if (wsam_image_output(r.image, g->output, &view, &error))
            fail(&v, g->output, &error);
        else
            compare_tap(&v, g, view.data);
        runner_close(&r);
    }
    report(&v);
    free(pixels);
}

static void run_decoder_tap(const char *folder, const tap_golden *g, const decoder_golden *prompt,
                            const char *isa)
{
    verdict v = {.id = g->id, .isa = isa};
    decoder_golden d = *prompt;
    d.file = g->file;
    d.graph = g->graph;
    d.with_mask = strcmp(g->graph, "mask_decoder_with_mask") == 0;
    const wsam_options options = options_for(isa, 2, WSAM_LOWERING_AUTO);
    float *data = allocate(sizeof *data * g->rows * g->channels);
    const int map = g->rows == (size_t)GRID * GRID; /* or a list of tokens */
    const wsam_tensor tokens = {
        g->output, WSAM_F32, 3, {1, (int64_t)g->rows, (int64_t)g->channels}, data};
    const wsam_tensor grid = {g->output, WSAM_F32, 4, {1, GRID, GRID, (int64_t)g->channels}, data};
    wsam_tensor output = map ? grid : tokens;
    runner r;
    if (decoder_open(&r, folder, &d, &options, 1, &v)) {
        prompts p = prompts_new(&d, 1);
        prompts_set(&p, &d, 0);
        if (run_prompts(&r, &d, &p, &output, 1, &v))
            compare_tap(&v, g, data);
        prompts_free(&p);
        runner_close(&r);
    }
    report(&v);
    free(data);
}

/* ---- the program ---- */

static int wanted(const char *only, const char *id)
{
    return !only || strstr(id, only);
}

static void run_encoder_goldens(const char *folder, const char *isa, const char *only, int quick)
{
    for (size_t i = 0; i < sizeof encoders / sizeof encoders[0]; i++) {
        if (!wanted(only, encoders[i].id))
            continue;
        run_encoder(folder, &encoders[i], isa, WSAM_LOWERING_AUTO);
        if (quick)
            continue;
        run_encoder(folder, &encoders[i], isa, WSAM_LOWERING_PLAIN);
        run_threads(folder, encoders[i].file, isa);
    }
}

static void run_decoder_goldens(const char *folder, const char *isa, const char *only, int quick)
{
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++) {
        const int resized = decoders[i].out_h != 0; /* the same prompt again, masks resized */
        if (!wanted(only, decoders[i].id) || (quick && resized))
            continue;
        run_decoder(folder, &decoders[i], isa, WSAM_LOWERING_AUTO);
        if (quick || resized)
            continue;
        run_decoder(folder, &decoders[i], isa, WSAM_LOWERING_PLAIN);
        run_places(folder, &decoders[i], isa);
    }
}

static void run_taps(const char *folder, const char *isa, const char *only)
{
    for (size_t i = 0; i < sizeof encoder_taps / sizeof encoder_taps[0]; i++)
        if (wanted(only, encoder_taps[i].id))
            run_encoder_tap(folder, &encoder_taps[i], isa);
    for (size_t i = 0; i < sizeof decoder_taps / sizeof decoder_taps[0]; i++)
        if (wanted(only, decoder_taps[i].tap.id))
            run_decoder_tap(folder, &decoder_taps[i].tap, &decoders[decoder_taps[i].prompt], isa);
}

static void run_level(const char *folder, const char *isa, const char *only, int quick)
{
    run_encoder_goldens(folder, isa, only, quick);
    run_decoder_goldens(folder, isa, only, quick);
    if (!quick)
        run_taps(folder, isa, only);
    if (wanted(only, "encoder types")) {
        run_type(folder, "sam_mini_bf16", 1e-2, isa);
        run_type(folder, "sam_mini_int8", 3e-2, isa);
        run_threads(folder, "sam_mini_int8", isa);
    }
}

static void run_backend(const char *folder, const char *isa, const char *only)
{
    static const struct {
        const char *file;
        double limit;
    } files[] = {{"sam_mini", 1e-4},
                 {"tiny_mini", 1e-4},
                 {"efficient_mini", 1e-4},
                 {"sam_mini_bf16", 1e-2},
                 {"sam_mini_int8", 2e-2}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (wanted(only, files[i].file))
            run_onednn(folder, files[i].file, files[i].limit, isa);
}

int main(int argc, char **argv)
{
    const char *isa = NULL, *only = NULL;
    int quick = 0, onednn = 0, wrong = argc < 2;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            quick = 1;
        else if (strcmp(argv[i], "--isa") == 0 && i + 1 < argc)
            isa = argv[++i];
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--backend") == 0 && i + 1 < argc)
            onednn = strcmp(argv[++i], "onednn") == 0, wrong |= !onednn;
        else
            wrong = 1;
    }
    if (wrong || (isa && !wsam_isa_supported(isa))) {
        fprintf(stderr, "usage: mini_run DIR [--isa LEVEL] [--only TEXT] [--quick] "
                        "[--backend onednn]\n");
        return 2;
    }
    if (onednn)
        run_backend(argv[1], isa, only);
    for (int i = 0; !onednn && wsam_isa_name(i); i++)
        if (isa ? strcmp(isa, wsam_isa_name(i)) == 0 : wsam_isa_supported(wsam_isa_name(i)))
            run_level(argv[1], wsam_isa_name(i), only, quick);
    return failures != 0;
}
