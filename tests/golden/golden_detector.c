/* tests/golden/golden_detector.c - Mask R-CNN of published size against tensors that torchvision gave
 * (float32) on the same name-derived weights.
 *
 * usage: golden_detector GOLDEN WORK
 *
 * Every GOLDEN/torchvision_maskrcnn.*.safetensors with its picture GOLDEN/../photos/FILE. Output is
 * TAP. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_safetensors.h"
#include "tests/util/util_trace.h"
#include "weaksam/weaksam.h"

enum { PROPOSALS = 1000, SLOTS = 91, MASK = 28 * 28 };

static int failures;

static void verdict(const char *file, const char *what, double error, double limit)
{
    const int ok = error <= limit;
    failures += !ok;
    printf("%s - golden %s %s: %.2e (limit %.2g)\n", ok ? "ok" : "not ok", file, what, error,
           limit);
    fflush(stdout);
}

static void must(wsam_status status, const wsam_error *error)
{
    if (!status)
        return;
    printf("not ok - golden detector: %s\n", error->message);
    exit(1);
}

static const double *values(st_file *f, const char *name, size_t *n)
{
    const double *v = st_values(f, name, n);
    if (v)
        return v;
    printf("not ok - golden detector: no tensor '%s'\n", name);
    exit(1);
}

static double relative(const double *got, const double *want, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += (got[i] - want[i]) * (got[i] - want[i]);
        norm += want[i] * want[i];
    }
    return sqrt(difference / (norm + 1e-30));
}

/* Every step-th row and column of [c][h][w] against the golden's. */
static double map_error(st_file *dump, const char *name, st_file *golden, const char *sample,
                        const int shape[3], int step)
{
    size_t n, m, at = 0;
    const double *all = values(dump, name, &n), *want = values(golden, sample, &m);
    double *got = malloc(m * sizeof *got);
    if (!got || n != (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2])
        return INFINITY;
    for (int c = 0; c < shape[0]; c++)
        for (int y = 0; y < shape[1]; y += step)
            for (int x = 0; x < shape[2] && at < m; x += step)
                got[at++] =
                    all[((size_t)c * (size_t)shape[1] + (size_t)y) * (size_t)shape[2] + (size_t)x];
    const double error = at == m ? relative(got, want, m) : INFINITY;
    free(got);
    return error;
}

static double iou(const double *a, const double *b)
{
    const double w = fmin(a[2], b[2]) - fmax(a[0], b[0]), h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    const double both = w > 0 && h > 0 ? w * h : 0.0;
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

/* The share of `a` that has no box of `b` at IoU 0.99. */
static double missing(const double *a, size_t n, const double *b, size_t m)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m; k++)
            if (iou(a + 4 * i, b + 4 * k) >= 0.99) {
                found++;
                break;
            }
    return n ? 1.0 - (double)found / (double)n : 1.0;
}

static void check_maps(const char *file, st_file *dump, st_file *golden)
{
    char name[64], sample[80];
    size_t n;
    const double *padded = values(golden, "padded_size", &n);
    for (int i = 0; i < 5; i++) {
        const int stride = 4 << i, h = ((int)padded[0] + stride - 1) / stride,
                  w = ((int)padded[1] + stride - 1) / stride;
        const int map[3] = {256, h, w}, anchors[3] = {3, h, w};
        if (i < 4)
            snprintf(name, sizeof name, "fpn_%d", i);
        else
            snprintf(name, sizeof name, "fpn_pool");
        snprintf(sample, sizeof sample, "%s_sample", name);
        verdict(file, name, map_error(dump, name, golden, sample, map, 9), 1e-5);
        snprintf(name, sizeof name, "rpn_objectness_%d", i);
        snprintf(sample, sizeof sample, "%s_sample", name);
        verdict(file, name, map_error(dump, name, golden, sample, anchors, 5), 1e-5);
    }
}

static void check_heads(const char *file, st_file *dump, st_file *golden)
{
    static const char *const names[] = {"class_logits", "box_regression"};
    size_t n, m;
    for (int i = 0; i < 2; i++) {
        const double *got = values(dump, names[i], &n), *want = values(golden, names[i], &m);
        verdict(file, names[i], n == m ? relative(got, want, n) : INFINITY, 1e-5);
    }
    const double *masks = values(dump, "mask_logits", &n),
                 *want = values(golden, "mask_logits_sample", &m);
    double *got = malloc(m * sizeof *got);
    size_t at = 0;
    for (size_t i = 0; got && i < 4; i++)
        for (size_t c = 0; c < SLOTS; c += 13, at += MASK)
            memcpy(got + at, masks + (i * SLOTS + c) * MASK, MASK * sizeof *got);
    verdict(file, "mask_logits", at == m ? relative(got, want, m) : INFINITY, 1e-5);
    free(got);
}

static void check_dump(const char *file, st_file *dump, st_file *golden)
{
    size_t n, m;
    const double *got = values(dump, "image_size", &n), *want = values(golden, "image_size", &m);
    verdict(file, "image_size", fabs(got[0] - want[0]) + fabs(got[1] - want[1]), 0);
    check_maps(file, dump, golden);
    got = values(dump, "proposals", &n);
    want = values(golden, "proposals", &m);
    verdict(file, "proposals that torchvision has not", missing(got, n / 4, want, m / 4), 0.01);
    verdict(file, "proposals that only torchvision has", missing(want, m / 4, got, n / 4), 0.01);
    check_heads(file, dump, golden);
}

static void check(const char *folder, const char *file, wsam_detector *d, const char *model,
                  const char *work)
{
    const int before = failures;
    char path[1200], dump_path[1200];
    float rois[64][4];
    wsam_error error = {0};
    wsam_picture picture;
    size_t n;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    st_file *golden = st_open(path);
    if (!golden) {
        verdict(file, "opens", 1, 0);
        return;
    }
    snprintf(path, sizeof path, "%s/../photos/%s", folder, st_note(golden, "image"));
    snprintf(dump_path, sizeof dump_path, "%s/dump.safetensors", work);
    const double *boxes = values(golden, "rois", &n);
    for (size_t i = 0; i < n && i < 256; i++)
        rois[i / 4][i % 4] = (float)boxes[i];
    must(wsam_picture_load(path, NULL, &picture, &error), &error);
    must(wsam_detector_dump(d, &picture, NULL, (const float(*)[4])rois, n / 4, dump_path, &error),
         &error);
    st_file *dump = st_open(dump_path);
    if (dump)
        check_dump(file, dump, golden);
    else
        verdict(file, "dump opens", 1, 0);
    if (failures > before)
        util_trace_explain(model, &picture, 1e-5);
    st_close(dump);
    st_close(golden);
    unlink(dump_path);
    wsam_picture_free(&picture);
}

int main(int argc, char **argv)
{
    char checkpoint[1200], file[1200];
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_detector *d = NULL;
    int checked = 0;
    DIR *folder = argc == 3 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: golden_detector GOLDEN WORK\n");
        return 2;
    }
    snprintf(checkpoint, sizeof checkpoint, "%s/twin.safetensors", argv[2]);
    snprintf(file, sizeof file, "%s/detector.wsam", argv[2]);
    must(wsam_write_twin("mask_rcnn_r50_fpn", checkpoint, 0, &error), &error);
    must(wsam_convert(checkpoint, file, NULL, &error), &error);
    unlink(checkpoint);
    must(wsam_model_open(file, NULL, &model, &error), &error);
    must(wsam_detector_create(model, &d, &error), &error);
    for (struct dirent *e = readdir(folder); e; e = readdir(folder))
        if (strncmp(e->d_name, "torchvision_maskrcnn.", 21) == 0) {
            check(argv[1], e->d_name, d, file, argv[2]);
            checked++;
        }
    closedir(folder);
    wsam_detector_free(d);
    wsam_model_close(model);
    if (!checked)
        printf("ok - golden detector # SKIP %s has no torchvision_maskrcnn\n", argv[1]);
    return failures != 0;
}
