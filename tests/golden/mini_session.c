/* tests/golden/mini_session.c - see mini_session.h. */
#include "tests/golden/mini_session.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_twin.h"

static const double tolerance = 1e-4;

int mini_failures;

void mini_compare(mini_verdict *v, const char *what, double want, double got)
{
    const double difference = fabs(want - got);
    if (isnan(got) || difference > v->worst)
        v->worst = difference;
    if ((isnan(got) || difference > tolerance) && !v->why[0])
        snprintf(v->why, sizeof v->why, "%s is %.7g, want %.7g", what, got, want);
}

void mini_fail(mini_verdict *v, const char *what, const wsam_error *error)
{
    if (!v->why[0])
        snprintf(v->why, sizeof v->why, "%s: %s", what, error ? error->message : "failed");
}

void mini_report(const mini_verdict *v)
{
    mini_failures += v->why[0] != 0;
    if (v->why[0])
        printf("not ok - %s at %s: %s\n", v->id, v->isa, v->why);
    else
        printf("ok - %s at %s: worst difference %.1e\n", v->id, v->isa, v->worst);
    fflush(stdout);
}

void *mini_allocate(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p) {
        printf("not ok - mini_run: no memory for %zu bytes\n", bytes);
        exit(1);
    }
    return p;
}

void mini_compare_embeddings(mini_verdict *v, const float *want, const float *got, size_t n,
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

void mini_compare_values(mini_verdict *v, const float *data, size_t n, double mean, double abs_mean)
{
    double sum = 0.0, abs_sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)data[i];
        abs_sum += fabs((double)data[i]);
    }
    mini_compare(v, "mean", mean, sum / (double)n);
    mini_compare(v, "mean absolute value", abs_mean, abs_sum / (double)n);
}

/* ---- running a graph ---- */

void mini_runner_close(mini_runner *r)
{
    wsam_image_free(r->image);
    wsam_session_free(r->session);
    wsam_model_close(r->model);
}

int mini_runner_open(mini_runner *r, const char *folder, const char *file, const char *graph,
                     const wsam_options *options, const wsam_dim *dims, size_t n_dims,
                     const wsam_tensor *input, mini_verdict *v)
{
    char path[1024];
    wsam_error error = {0};
    *r = (mini_runner){0};
    snprintf(path, sizeof path, "%s/%s.wsam", folder, file);
    if (wsam_model_open(path, options, &r->model, &error) ||
        wsam_session_create(r->model, graph, &r->session, &error) ||
        wsam_session_reserve(r->session, dims, n_dims, &error) ||
        wsam_image_create(r->model, graph, dims, n_dims, &r->image, &error) ||
        wsam_session_bind(r->session, input, 1, r->image, &error)) {
        mini_fail(v, graph, &error);
        mini_runner_close(r);
        return 0;
    }
    return 1;
}

wsam_options mini_options_for(const char *isa, int threads, wsam_lowering lowering)
{
    wsam_options options;
    wsam_options_default(&options);
    options.isa = isa;
    options.threads = threads;
    options.lowering = lowering;
    return options;
}

/* ---- encoders ---- */

int mini_encode(const char *folder, const char *file, const wsam_options *options, float *out,
                mini_verdict *v)
{
    float *pixels = mini_allocate(sizeof *pixels * IMAGE * IMAGE * 3);
    twin_uniform_hwc("input_image", 3, IMAGE, IMAGE, pixels);
    const wsam_tensor input = {"image", WSAM_F32, 3, {IMAGE, IMAGE, 3}, pixels};
    mini_runner r;
    wsam_error error = {0};
    wsam_tensor view;
    int ok = mini_runner_open(&r, folder, file, "image_encoder", options, NULL, 0, &input, v);
    if (ok) {
        ok = !wsam_image_output(r.image, "embedding", &view, &error);
        if (!ok)
            mini_fail(v, "embedding", &error);
        else
            memcpy(out, view.data, sizeof *out * 16 * 16 * WIDTH);
        mini_runner_close(&r);
    }
    free(pixels);
    return ok;
}

/* ---- decoders ---- */

mini_prompts mini_prompts_new(const decoder_golden *g, int n)
{
    const size_t count = (size_t)n, logits = (size_t)LOGITS * LOGITS;
    const mini_prompts p = {
        .n = n,
        .points = mini_allocate(count * 6 * 2 * sizeof(float)),
        .labels = mini_allocate(count * 6 * sizeof(int32_t)),
        .mask = mini_allocate((g->with_mask ? count : 1) * logits * sizeof(float)),
        .iou = mini_allocate(count * 4 * sizeof(float)),
        .low_res = mini_allocate(count * 4 * logits * sizeof(float)),
    };
    return p;
}

void mini_prompts_free(mini_prompts *p)
{
    free(p->points);
    free(p->labels);
    free(p->mask);
    free(p->iou);
    free(p->low_res);
}

void mini_prompts_set(mini_prompts *p, const decoder_golden *g, int at)
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

void mini_prompts_set_other(mini_prompts *p, const decoder_golden *g, int at)
{
    mini_prompts_set(p, g, at);
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

int mini_run_prompts(mini_runner *r, const decoder_golden *g, const mini_prompts *p,
                     wsam_tensor *outputs, size_t n_outputs, mini_verdict *v)
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
        mini_fail(v, g->graph, &error);
        return 0;
    }
    return 1;
}

int mini_decode(mini_runner *r, const decoder_golden *g, const mini_prompts *p, mini_verdict *v)
{
    wsam_tensor outputs[] = {
        {"iou", WSAM_F32, 2, {p->n, g->masks}, p->iou},
        {"low_res", WSAM_F32, 4, {p->n, g->masks, LOGITS, LOGITS}, p->low_res},
    };
    return mini_run_prompts(r, g, p, outputs, 2, v);
}

int mini_decoder_open(mini_runner *r, const char *folder, const decoder_golden *g,
                      const wsam_options *options, int n, mini_verdict *v)
{
    float *embedding = mini_allocate(sizeof *embedding * GRID * GRID * WIDTH);
    twin_uniform_hwc("image_embedding", WIDTH, GRID, GRID, embedding);
    const wsam_tensor input = {"embedding", WSAM_F32, 3, {GRID, GRID, WIDTH}, embedding};
    wsam_dim dims[4];
    const size_t n_dims = decoder_dims(g, n, dims);
    const int ok = mini_runner_open(r, folder, g->file, g->graph, options, dims, n_dims, &input, v);
    free(embedding);
    return ok;
}
