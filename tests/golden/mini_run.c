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
#include "tests/golden/mini_session.h"
#include "tests/util/util_twin.h"
#include "weaksam/kernels.h"
#include "weaksam/model.h"

static void run_encoder(const char *folder, const encoder_golden *g, const char *isa,
                        wsam_lowering lowering)
{
    char id[80];
    snprintf(id, sizeof id, "%s%s", g->id, lowering == WSAM_LOWERING_PLAIN ? " (plain)" : "");
    mini_verdict v = {.id = id, .isa = isa};
    float *embedding = mini_allocate(sizeof *embedding * 16 * 16 * WIDTH);
    const wsam_options options = mini_options_for(isa, 2, lowering);
    if (mini_encode(folder, g->file, &options, embedding, &v)) {
        mini_compare_values(&v, embedding, 16 * 16 * WIDTH, g->mean, g->abs_mean);
        for (int i = 0; i < g->n_values; i++) {
            const value *p = &g->values[i];
            mini_compare(&v, "embedding", p->want,
                         (double)embedding[(p->y * 16 + p->x) * WIDTH + p->c]);
        }
    }
    mini_report(&v);
    free(embedding);
}

/* Equal bytes with any number of threads. */
static void run_threads(const char *folder, const char *file, const char *isa)
{
    static const int counts[] = {1, 2, 3, 7};
    const size_t n = 16 * 16 * WIDTH;
    char id[80];
    snprintf(id, sizeof id, "%s encoder with 1, 2, 3, 7 threads", file);
    mini_verdict v = {.id = id, .isa = isa};
    float *first = mini_allocate(sizeof *first * n), *other = mini_allocate(sizeof *other * n);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        const wsam_options options = mini_options_for(isa, counts[i], WSAM_LOWERING_AUTO);
        if (!mini_encode(folder, file, &options, i ? other : first, &v))
            break;
        if (i && memcmp(first, other, sizeof *first * n))
            snprintf(v.why, sizeof v.why, "%d threads give other bytes than 1", counts[i]);
    }
    mini_report(&v);
    free(first);
    free(other);
}

/* int8 and bf16 files stay near the f32 result: relative L2 error of the embedding. */
static void run_type(const char *folder, const char *f32, const char *type, double limit,
                     const char *isa)
{
    const size_t n = 16 * 16 * WIDTH;
    char id[100], file[64];
    snprintf(file, sizeof file, "%s_%s", f32, type);
    snprintf(id, sizeof id, "%s encoder against f32", file);
    mini_verdict v = {.id = id, .isa = isa};
    float *want = mini_allocate(sizeof *want * n), *got = mini_allocate(sizeof *got * n);
    const wsam_options options = mini_options_for(isa, 2, WSAM_LOWERING_AUTO);
    if (mini_encode(folder, f32, &options, want, &v) &&
        mini_encode(folder, file, &options, got, &v))
        mini_compare_embeddings(&v, want, got, n, limit);
    mini_report(&v);
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
    mini_verdict v = {.id = id, .isa = isa ? isa : "no limit"};
    float *want = mini_allocate(sizeof *want * n), *got = mini_allocate(sizeof *got * n);
    wsam_options options = mini_options_for(isa, 2, WSAM_LOWERING_AUTO);
    int ok = mini_encode(folder, file, &options, want, &v);
    options.backend = WSAM_BACKEND_ONEDNN;
    ok = ok && mini_encode(folder, file, &options, got, &v);
    if (ok)
        mini_compare_embeddings(&v, want, got, n, limit);
    mini_report(&v);
    free(want);
    free(got);
}

/* Bicubic resize of all masks to the golden's picture. */
static void compare_resized(mini_verdict *v, const decoder_golden *g, const float *low_res,
                            const char *isa)
{
    const wsam_kernels *kernels = ws_kernels_find(isa, NULL);
    const size_t w = (size_t)g->out_w, plane = (size_t)g->out_h * w;
    float *full = mini_allocate(sizeof *full * plane * (size_t)g->masks);
    for (int m = 0; m < g->masks; m++)
        for (int y = 0; y < g->out_h; y++)
            kernels->resize.bicubic_row_f32(LOGITS, LOGITS, 1, low_res + m * LOGITS * LOGITS,
                                            g->out_h, g->out_w, y,
                                            full + (size_t)m * plane + (size_t)y * w);
    mini_compare_values(v, full, plane * (size_t)g->masks, g->mean, g->abs_mean);
    for (int i = 0; i < g->n_values; i++) {
        const value *p = &g->values[i];
        mini_compare(v, "mask", p->want,
                     (double)full[(size_t)p->c * plane + (size_t)p->y * w + (size_t)p->x]);
    }
    free(full);
}

static void compare_masks(mini_verdict *v, const decoder_golden *g, const mini_prompts *p,
                          const char *isa)
{
    for (int i = 0; i < g->n_iou; i++)
        mini_compare(v, "iou", g->iou[i], (double)p->iou[i]);
    if (g->out_h) {
        compare_resized(v, g, p->low_res, isa);
        return;
    }
    mini_compare_values(v, p->low_res, (size_t)g->masks * LOGITS * LOGITS, g->mean, g->abs_mean);
    for (int i = 0; i < g->n_values; i++) {
        const value *q = &g->values[i];
        mini_compare(v, "low_res", q->want,
                     (double)p->low_res[(q->c * LOGITS + q->y) * LOGITS + q->x]);
    }
}

static void run_decoder(const char *folder, const decoder_golden *g, const char *isa,
                        wsam_lowering lowering)
{
    char id[80];
    snprintf(id, sizeof id, "%s%s", g->id, lowering == WSAM_LOWERING_PLAIN ? " (plain)" : "");
    mini_verdict v = {.id = id, .isa = isa};
    const wsam_options options = mini_options_for(isa, 2, lowering);
    mini_runner r;
    if (mini_decoder_open(&r, folder, g, &options, 1, &v)) {
        mini_prompts p = mini_prompts_new(g, 1);
        mini_prompts_set(&p, g, 0);
        if (mini_decode(&r, g, &p, &v))
            compare_masks(&v, g, &p, isa);
        mini_prompts_free(&p);
        mini_runner_close(&r);
    }
    mini_report(&v);
}

/* A prompt alone, and first and last of three with another between: equal bytes. */
static void run_places(const char *folder, const decoder_golden *g, const char *isa)
{
    enum { PROMPTS = 3 };
    char id[80];
    snprintf(id, sizeof id, "%s, alone or in a batch", g->id);
    mini_verdict v = {.id = id, .isa = isa};
    const wsam_options options = mini_options_for(isa, 2, WSAM_LOWERING_AUTO);
    const size_t n = (size_t)g->masks * LOGITS * LOGITS;
    mini_runner r;
    if (mini_decoder_open(&r, folder, g, &options, PROMPTS, &v)) {
        mini_prompts alone = mini_prompts_new(g, 1), many = mini_prompts_new(g, PROMPTS);
        mini_prompts_set(&alone, g, 0);
        mini_prompts_set(&many, g, 0);
        mini_prompts_set_other(&many, g, 1);
        mini_prompts_set(&many, g, 2);
        const int ok = mini_decode(&r, g, &alone, &v) && mini_decode(&r, g, &many, &v);
        for (int at = 0; ok && at < PROMPTS; at += 2)
            if (memcmp(alone.low_res, many.low_res + (size_t)at * n, n * sizeof(float)) ||
                memcmp(alone.iou, many.iou + at * g->masks, (size_t)g->masks * sizeof(float)))
                snprintf(v.why, sizeof v.why, "other bytes at place %d of %d", at, PROMPTS);
        mini_prompts_free(&alone);
        mini_prompts_free(&many);
        mini_runner_close(&r);
    }
    mini_report(&v);
}

/* Logits of a golden's prompt, [masks][LOGITS][LOGITS]; 1 on success. */
static int logits_of(const char *folder, const decoder_golden *g, const wsam_options *options,
                     float *out, mini_verdict *v)
{
    mini_runner r;
    if (!mini_decoder_open(&r, folder, g, options, 1, v))
        return 0;
    mini_prompts p = mini_prompts_new(g, 1);
    mini_prompts_set(&p, g, 0);
    const int ok = mini_decode(&r, g, &p, v);
    memcpy(out, p.low_res, (size_t)g->masks * LOGITS * LOGITS * sizeof *out);
    mini_prompts_free(&p);
    mini_runner_close(&r);
    return ok;
}

/* The decoder of a bf16 file, which int8 files have, too, stays near the f32 result. */
static void run_decoder_type(const char *folder, const decoder_golden *g, double limit,
                             const char *isa)
{
    const size_t n = (size_t)g->masks * LOGITS * LOGITS;
    char id[120], file[64];
    snprintf(id, sizeof id, "%s in bf16 against f32", g->id);
    snprintf(file, sizeof file, "%s_bf16", g->file);
    mini_verdict v = {.id = id, .isa = isa};
    float *want = mini_allocate(sizeof *want * n), *got = mini_allocate(sizeof *got * n);
    const wsam_options options = mini_options_for(isa, 2, WSAM_LOWERING_AUTO);
    decoder_golden other = *g;
    other.file = file;
    if (logits_of(folder, g, &options, want, &v) && logits_of(folder, &other, &options, got, &v))
        mini_compare_embeddings(&v, want, got, n, limit);
    mini_report(&v);
    free(want);
    free(got);
}

/* f32 files know nothing of tiles: the bytes of the level below. */
static void run_f32_bytes(const char *folder, const char *isa, const char *below)
{
    const size_t n = 16 * 16 * WIDTH;
    const wsam_options options = mini_options_for(isa, 2, WSAM_LOWERING_AUTO),
                       other = mini_options_for(below, 2, WSAM_LOWERING_AUTO);
    float *a = mini_allocate(sizeof *a * 4 * LOGITS * LOGITS),
          *b = mini_allocate(sizeof *b * 4 * LOGITS * LOGITS);
    for (size_t i = 0; i < sizeof encoders / sizeof encoders[0]; i++) {
        char id[120];
        snprintf(id, sizeof id, "%s, the bytes of %s", encoders[i].id, below);
        mini_verdict v = {.id = id, .isa = isa};
        if (mini_encode(folder, encoders[i].file, &options, a, &v) &&
            mini_encode(folder, encoders[i].file, &other, b, &v) && memcmp(a, b, n * sizeof *a))
            snprintf(v.why, sizeof v.why, "other bytes");
        mini_report(&v);
    }
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0]; i++) {
        char id[120];
        snprintf(id, sizeof id, "%s, the bytes of %s", decoders[i].id, below);
        mini_verdict v = {.id = id, .isa = isa};
        if (logits_of(folder, &decoders[i], &options, a, &v) &&
            logits_of(folder, &decoders[i], &other, b, &v) &&
            memcmp(a, b, (size_t)decoders[i].masks * LOGITS * LOGITS * sizeof *a))
            snprintf(v.why, sizeof v.why, "other bytes");
        mini_report(&v);
    }
    free(a);
    free(b);
}

/* ---- taps ---- */

static void compare_tap(mini_verdict *v, const tap_golden *g, const float *data)
{
    mini_compare_values(v, data, g->rows * g->channels, g->mean, g->abs_mean);
    for (int i = 0; i < g->n_values; i++)
        mini_compare(
            v, g->output, g->values[i].want,
            (double)data[(size_t)g->values[i].row * g->channels + (size_t)g->values[i].channel]);
}

static void run_encoder_tap(const char *folder, const tap_golden *g, const char *isa)
{
    mini_verdict v = {.id = g->id, .isa = isa};
    float *pixels = mini_allocate(sizeof *pixels * IMAGE * IMAGE * 3);
    twin_uniform_hwc("input_image", 3, IMAGE, IMAGE, pixels);
    const wsam_tensor input = {"image", WSAM_F32, 3, {IMAGE, IMAGE, 3}, pixels};
    const wsam_options options = mini_options_for(isa, 2, WSAM_LOWERING_AUTO);
    mini_runner r;
    wsam_tensor view;
    wsam_error error = {0};
    if (mini_runner_open(&r, folder, g->file, g->graph, &options, NULL, 0, &input, &v)) {
        if (wsam_image_output(r.image, g->output, &view, &error))
            mini_fail(&v, g->output, &error);
        else
            compare_tap(&v, g, view.data);
        mini_runner_close(&r);
    }
    mini_report(&v);
    free(pixels);
}

static void run_decoder_tap(const char *folder, const tap_golden *g, const decoder_golden *prompt,
                            const char *isa)
{
    mini_verdict v = {.id = g->id, .isa = isa};
    decoder_golden d = *prompt;
    d.file = g->file;
    d.graph = g->graph;
    d.with_mask = strcmp(g->graph, "mask_decoder_with_mask") == 0;
    const wsam_options options = mini_options_for(isa, 2, WSAM_LOWERING_AUTO);
    float *data = mini_allocate(sizeof *data * g->rows * g->channels);
    const int map = g->rows == (size_t)GRID * GRID; /* or a list of tokens */
    const wsam_tensor tokens = {
        g->output, WSAM_F32, 3, {1, (int64_t)g->rows, (int64_t)g->channels}, data};
    const wsam_tensor grid = {g->output, WSAM_F32, 4, {1, GRID, GRID, (int64_t)g->channels}, data};
    wsam_tensor output = map ? grid : tokens;
    mini_runner r;
    if (mini_decoder_open(&r, folder, &d, &options, 1, &v)) {
        mini_prompts p = mini_prompts_new(&d, 1);
        mini_prompts_set(&p, &d, 0);
        if (mini_run_prompts(&r, &d, &p, &output, 1, &v))
            compare_tap(&v, g, data);
        mini_prompts_free(&p);
        mini_runner_close(&r);
    }
    mini_report(&v);
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

static void run_types(const char *folder, const char *isa, int quick)
{
    run_type(folder, "sam_mini", "bf16", 1e-2, isa);
    run_type(folder, "sam_mini", "int8", 3e-2, isa);
    run_threads(folder, "sam_mini_int8", isa);
    for (size_t i = 1; i < sizeof encoders / sizeof encoders[0] && !quick; i++) {
        run_type(folder, encoders[i].file, "bf16", 1e-2, isa);
        run_type(folder, encoders[i].file, "int8", 3e-2, isa);
    }
    for (size_t i = 0; i < sizeof decoders / sizeof decoders[0] && !quick; i++)
        if (!decoders[i].out_h)
            run_decoder_type(folder, &decoders[i], 1e-2, isa);
}

static void run_level(const char *folder, const char *isa, const char *only, int quick)
{
    run_encoder_goldens(folder, isa, only, quick);
    run_decoder_goldens(folder, isa, only, quick);
    if (!quick)
        run_taps(folder, isa, only);
    if (wanted(only, "types"))
        run_types(folder, isa, quick);
    if (strcmp(isa, "amx") == 0 && wanted(only, "bytes"))
        run_f32_bytes(folder, isa, "avx512");
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
    if (mini_failures)
        printf("# which operator: weaksam trace -m %s/MODEL.wsam IMAGE --isa LEVEL --diff plain\n",
               argv[1]);
    return mini_failures != 0;
}
