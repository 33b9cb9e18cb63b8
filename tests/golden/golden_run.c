/* tests/golden/golden_run.c - models of published size against tensors that the official PyTorch
 * modules gave (float32) on the same name-derived weights.
 *
 * usage: golden_run GOLDEN WORK
 *
 * Every GOLDEN/NAME.safetensors of a model that this library knows is compared: the twin is written
 * and converted in WORK, the picture (the test card, or GOLDEN/../photos/FILE) encoded, its prompts
 * run: in f32 with fused lowerings and operator by operator, in bf16 and int8 on the golden
 * embedding, so that the decoder's error is its own. Each file in a process of its own, so that
 * peak memory is its own. Output is TAP. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "pipeline/segment/embedding.h"
#include "tests/util/util_safetensors.h"
#include "tests/util/util_trace.h"
#include "weaksam/convert.h"
#include "weaksam/kernels.h"
#include "weaksam/picture.h"
#include "weaksam/segment.h"

/* How far results may be from the golden ones. */
#define TOLERANCE       1e-4 /* relative L2 error of embedding and logits, absolute of iou */
#define SMALL_TOLERANCE 1e-2 /* the same, of bf16 and int8 */
#define AREA_TOLERANCE  1e-3 /* relative */
#define W8A8_RATIO      1.25 /* of the error of W8A8 as papers simulate it */

typedef struct family {
    const char *golden, *name; /* as the golden files and as this library call it */
    double int8_limit;         /* of the embedding's relative L2 error; 0: W8A8_RATIO counts */
    double int8_outlier_limit;
    uint64_t peak_bytes; /* of encoding in f32; 0: not judged */
} family;

static const family families[] = {
    {"sam_vit_b", "sam_vit_b", 0.018, 0.03, 800000000},
    {"mobile_sam", "mobile_sam", 0, 0, 0},
    {"efficient_sam_vitt", "efficient_sam_ti", 0, 0, 0},
    {"efficient_sam_vits", "efficient_sam_s", 0, 0, 0},
};

typedef struct run {
    char id[128]; /* the golden file's name without its ending */
    const char *photos, *work;
    st_file *golden;
    const family *family;
    int outlier, width, height;
    const char *kind; /* of file and lowering, behind the names of what is compared */
    double tolerance; /* of logits and iou */
    wsam_picture picture;
    wsam_model *model;
    wsam_segmenter *segmenter;
    wsam_embedding *embedding;
} run;

static int failures;

static void verdict(const run *r, const char *what, int ok, double error)
{
    failures += !ok;
    printf("%s - golden %s %s%s: %.2e\n", ok ? "ok" : "not ok", r->id, what, r->kind, error);
    fflush(stdout);
}

static void stop(const run *r, const char *what, const wsam_error *error)
{
    printf("not ok - golden %s %s: %s\n", r->id, what, error->message);
    fflush(stdout);
    exit(1);
}

/* Relative L2 error of n floats, element i of which stands at got[i * step]. */
static double relative_error(const double *want, const float *got, size_t n, size_t step)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = want[i] - (double)got[i * step];
        difference += d * d;
        norm += want[i] * want[i];
    }
    return sqrt(difference / norm);
}

/* ---- the picture ---- */

static void draw_card(wsam_picture *p, int w, int h)
{
    unsigned char *pixels = malloc((size_t)w * (size_t)h * 3), *to = pixels;
    if (!pixels)
        abort();
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, to += 3) {
            const int dx = x - w / 3, dy = y - h / 2;
            to[0] = (unsigned char)(5 * x + 3 * y);
            to[1] = (unsigned char)((x * x + y * y) >> 6);
            to[2] = (unsigned char)(x ^ y);
            if (dx * dx + dy * dy < (h / 5) * (h / 5))
                to[0] = 220, to[1] = 40, to[2] = 30;
            if (abs(x - 2 * w / 3) < w / 8 && abs(y - h / 2) < h / 4)
                to[0] = 30, to[1] = 60, to[2] = 200;
        }
    *p = (wsam_picture){.height = h,
                        .width = w,
                        .channels = 3,
                        .stride = (size_t)w * 3,
                        .pixels = pixels,
                        .memory = pixels};
}

static void load_picture(run *r)
{
    const char *image = st_note(r->golden, "image");
    r->width = atoi(st_note(r->golden, "width"));
    r->height = atoi(st_note(r->golden, "height"));
    if (strncmp(image, "card:", 5) == 0) {
        draw_card(&r->picture, r->width, r->height);
        return;
    }
    char path[1200];
    wsam_error error;
    snprintf(path, sizeof path, "%s/%s", r->photos, image);
    if (wsam_picture_load(path, NULL, &r->picture, &error))
        stop(r, image, &error);
}

static void compare_resized(const run *r)
{
    size_t n;
    const double *crc = st_values(r->golden, "resized_crc32", &n);
    const double *corner = st_values(r->golden, "resized_corner", &n);
    const wsam_transform *t = wsam_embedding_transform(r->embedding);
    wsam_picture resized;
    wsam_error error;
    if (!crc || !corner) /* a family that does not resize 8-bit values */
        return;
    if (wsam_picture_resize(&r->picture, t->content_height, t->content_width, WSAM_FILTER_BILINEAR,
                            2, &resized, &error))
        stop(r, "resize", &error);
    uLong sum = crc32(0, NULL, 0);
    for (int y = 0; y < resized.height; y++)
        sum = crc32(sum, resized.pixels + (size_t)y * resized.stride, (uInt)resized.width * 3);
    double different = 0;
    for (size_t i = 0; i < n; i++) /* 8 rows of 64 pixels */
        different += fabs(corner[i] - resized.pixels[i / 192 * resized.stride + i % 192]) > 0.5;
    verdict(r, "resized_corner", different < 1, different);
    verdict(r, "resized_crc32", fabs((double)sum - *crc) < 0.5, fabs((double)sum - *crc));
    wsam_picture_free(&resized);
}

/* ---- the model ---- */

/* The last one is int8 without what this library does for its accuracy. */
enum { W8A8 = 3, FILES };
static const char *const file_names[FILES] = {"f32", "bf16", "int8", "w8a8"};

static int wants_w8a8(const run *r)
{
    return !(r->family->int8_limit > 0);
}

/* Writes the twin and its files, where they are not there yet. */
static void make_models(const run *r)
{
    char twin[1200], path[1300];
    wsam_error error;
    snprintf(twin, sizeof twin, "%s/%s%s", r->work, r->family->name, r->outlier ? ".outlier" : "");
    snprintf(path, sizeof path, "%s.int8.wsam", twin);
    if (access(path, R_OK) == 0)
        return;
    char checkpoint[1300];
    snprintf(checkpoint, sizeof checkpoint, "%s.safetensors", twin);
    if (wsam_write_twin(r->family->name, checkpoint, r->outlier, &error))
        stop(r, "twin", &error);
    for (int t = 0; t < (wants_w8a8(r) ? FILES : W8A8); t++) {
        wsam_convert_options options;
        wsam_convert_options_default(&options);
        options.type = t == W8A8 ? WSAM_FILE_INT8 : (wsam_file_type)t;
        options.smoothing = t != W8A8;
        options.exact_rest = t == W8A8;
        snprintf(path, sizeof path, "%s.%s.wsam", twin, file_names[t]);
        if (wsam_convert(checkpoint, path, &options, &error))
            stop(r, "convert", &error);
    }
    unlink(checkpoint);
}

static void open_model(run *r, const char *type, wsam_lowering lowering)
{
    char path[1300];
    wsam_error error;
    wsam_options options;
    wsam_options_default(&options);
    options.lowering = lowering;
    snprintf(path, sizeof path, "%s/%s%s.%s.wsam", r->work, r->family->name,
             r->outlier ? ".outlier" : "", type);
    if (wsam_model_open(path, &options, &r->model, &error) ||
        wsam_segmenter_create(r->model, &r->segmenter, &error))
        stop(r, type, &error);
}

static void close_model(run *r)
{
    wsam_segmenter_free(r->segmenter);
    wsam_model_close(r->model);
    r->segmenter = NULL;
    r->model = NULL;
}

static void encode(run *r, const char *type)
{
    wsam_error error;
    open_model(r, type, WSAM_LOWERING_AUTO);
    if (wsam_segmenter_encode(r->segmenter, &r->picture, &r->embedding, &error))
        stop(r, type, &error);
}

static void release(run *r)
{
    wsam_embedding_free(r->embedding);
    r->embedding = NULL;
    close_model(r);
}

/* The golden embedding is [channels][grid][grid], ours channels last. */
static double embedding_error(const run *r)
{
    int grid, channels;
    size_t n;
    const float *got = wsam_embedding_data(r->embedding, &grid, &channels);
    const double *want = st_values(r->golden, "embedding", &n);
    const size_t plane = (size_t)grid * (size_t)grid;
    if (!want || n != plane * (size_t)channels)
        return NAN;
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double d = want[i] - (double)got[i % plane * (size_t)channels + i / plane];
        difference += d * d;
        norm += want[i] * want[i];
    }
    return sqrt(difference / norm);
}

/* The golden embedding instead of the file's own. */
static void give_golden_embedding(run *r)
{
    wsam_embedding *own = r->embedding, *e;
    wsam_error error;
    size_t n;
    const double *golden = st_values(r->golden, "embedding", &n);
    const size_t plane = (size_t)own->grid * (size_t)own->grid, c = (size_t)own->channels;
    if (ws_embedding_new(&own->transform, own->model_id, own->grid, own->channels, &e, &error))
        stop(r, "golden embedding", &error);
    for (size_t i = 0; golden && n == plane * c && i < n; i++)
        e->data[i % plane * c + i / plane] = (float)golden[i];
    wsam_embedding_free(own);
    r->embedding = e;
}

/* ---- prompts ---- */

static void compare_areas(const run *r, const char *name, const wsam_result *result)
{
    char tensor[64];
    size_t n;
    double worst = 0.0;
    snprintf(tensor, sizeof tensor, "%s.area", name);
    const double *want = st_values(r->golden, tensor, &n);
    if (!want)
        return;
    for (size_t i = 0; i < n && i < result->n; i++) {
        const double d = fabs((double)result->masks[i].area - want[i]) / (want[i] + 1.0);
        worst = d > worst ? d : worst;
    }
    verdict(r, tensor, n == result->n && worst <= AREA_TOLERANCE, worst);
}

/* The golden's bits of candidate 1: share of pixels that differ. */
static void compare_bits(const run *r, const char *name, const wsam_result *result)
{
    char tensor[64];
    size_t n;
    snprintf(tensor, sizeof tensor, "%s.mask1_bits", name);
    const double *want = st_values(r->golden, tensor, &n);
    const size_t pixels = (size_t)r->width * (size_t)r->height;
    if (!want || result->n < 2)
        return;
    unsigned char *mask = calloc(pixels, 1);
    if (!mask)
        abort();
    wsam_rle_decode(&result->masks[1].rle, 1, mask, (size_t)r->width);
    size_t different = 0;
    for (size_t i = 0; i < pixels; i++)
        different += ((unsigned)want[i / 8] >> (7 - i % 8) & 1) != (mask[i] != 0);
    verdict(r, tensor, (double)different <= AREA_TOLERANCE * (double)pixels,
            (double)different / (double)pixels);
    free(mask);
}

static void compare_result(const run *r, const char *name, const wsam_result *result)
{
    char tensor[64];
    size_t n, m;
    snprintf(tensor, sizeof tensor, "%s.iou", name);
    const double *iou = st_values(r->golden, tensor, &n);
    double worst = 0.0;
    for (size_t i = 0; i < n && i < result->n; i++)
        worst = fmax(worst, fabs(iou[i] - (double)result->masks[i].predicted_iou));
    verdict(r, tensor, n == result->n && worst <= r->tolerance, worst);

    snprintf(tensor, sizeof tensor, "%s.low_res", name);
    const double *low = st_values(r->golden, tensor, &m);
    const size_t plane = (size_t)result->low_h * (size_t)result->low_w;
    worst = low && m == plane * n ? 0.0 : NAN;
    for (size_t i = 0; i < n && !isnan(worst); i++)
        worst = fmax(worst, relative_error(low + i * plane, result->masks[i].low_res, plane, 1));
    verdict(r, tensor, worst <= r->tolerance, worst);
    if (r->tolerance > TOLERANCE) /* masks follow from logits */
        return;
    compare_areas(r, name, result);
    compare_bits(r, name, result);
}

/* Runs one prompt, where the golden file has it. */
static void run_prompt(const run *r, const char *name, const wsam_prompt *prompt)
{
    char tensor[64];
    size_t n;
    wsam_error error;
    wsam_result *result = NULL;
    snprintf(tensor, sizeof tensor, "%s.iou", name);
    if (!st_values(r->golden, tensor, &n))
        return;
    if (wsam_segmenter_run(r->segmenter, r->embedding, prompt, 1,
                           WSAM_WANT_LOW_RES | WSAM_WANT_MASKS, &result, &error))
        stop(r, name, &error);
    compare_result(r, name, result);
    wsam_result_free(result);
}

/* Refined by the golden logits of the point's second mask. */
static void run_point_mask(const run *r, const wsam_prompt *point)
{
    size_t n;
    const double *logits = st_values(r->golden, "point.low_res", &n);
    const int grid = r->embedding->grid, side = 4 * grid;
    const size_t plane = (size_t)side * (size_t)side;
    float *mask = malloc(plane * sizeof *mask);
    if (!mask)
        abort();
    wsam_prompt again = *point;
    again.mask = mask;
    again.mask_side = side;
    for (size_t i = 0; i < plane && n == 3 * plane; i++)
        mask[i] = (float)logits[plane + i];
    run_prompt(r, "point_mask", &again);
    free(mask);
}

static void run_prompts(const run *r)
{
    const double w = r->width, h = r->height;
    const int second = strncmp(r->family->golden, "efficient", 9) == 0; /* knows no background */
    const wsam_point click[] = {{w / 3, h / 2, 1}};
    const wsam_point two[] = {{w / 3, h / 2, 1}, {2 * w / 3, h / 2, second}};
    const wsam_point middle[] = {{w / 2, h / 2, 1}};
    const wsam_prompt point = {.points = click, .n_points = 1, .multimask = 1};
    const wsam_prompt two_points = {.points = two, .n_points = 2, .multimask = 1};
    wsam_prompt box = {.has_box = 1, .box = {0.2 * w, 0.25 * h, 0.7 * w, 0.8 * h}};
    run_prompt(r, "point", &point);
    run_prompt(r, "two_points", &two_points);
    run_prompt(r, "box_single", &box);
    box.multimask = 1;
    run_prompt(r, "box", &box);
    box.points = middle;
    box.n_points = 1;
    run_prompt(r, "box_point", &box);
    run_point_mask(r, &point);
}

/* ---- where a difference comes from ---- */

/* After a failure: the first operator that the fused lowering computes otherwise than the plain
 * one, or that there is none. */
static void explain(const run *r, const char *type)
{
    char path[1300];
    snprintf(path, sizeof path, "%s/%s%s.%s.wsam", r->work, r->family->name,
             r->outlier ? ".outlier" : "", type);
    util_trace_explain(path, &r->picture, TOLERANCE);
}

/* ---- the program ---- */

/* Fused; then operator by operator on the same embedding. */
static void run_f32(run *r)
{
    encode(r, "f32");
    const double peak = (double)wsam_peak_memory();
    if (r->family->peak_bytes)
        verdict(r, "peak memory of encoding, bytes", peak <= (double)r->family->peak_bytes, peak);
    const double error = embedding_error(r);
    verdict(r, "embedding", error <= TOLERANCE, error);
    compare_resized(r);
    run_prompts(r);
    close_model(r);
    r->kind = " (plain)";
    open_model(r, "f32", WSAM_LOWERING_PLAIN);
    run_prompts(r);
    release(r);
    if (failures)
        explain(r, "f32");
}

/* The encoder's error; returns it. Then the decoder's alone. */
static double run_small_type(run *r, const char *type, const char *kind, double limit)
{
    const int before = failures;
    encode(r, type);
    const double error = embedding_error(r);
    r->kind = kind;
    verdict(r, "embedding", error <= limit, error);
    give_golden_embedding(r);
    run_prompts(r);
    release(r);
    if (failures > before)
        explain(r, type);
    return error;
}

static void run_small_types(run *r)
{
    const double limit = r->outlier ? r->family->int8_outlier_limit : r->family->int8_limit;
    r->tolerance = SMALL_TOLERANCE;
    run_small_type(r, "bf16", " (bf16)", 1e-2);
    const double int8 = run_small_type(r, "int8", " (int8)", limit > 0 ? limit : 1.0);
    if (!wants_w8a8(r))
        return;
    encode(r, file_names[W8A8]);
    const double simulated = embedding_error(r);
    r->kind = " (simulated W8A8)";
    verdict(r, "embedding", simulated < 1.0, simulated);
    r->kind = " (int8 / simulated W8A8)";
    verdict(r, "embedding's error", int8 <= W8A8_RATIO * simulated, int8 / simulated);
    release(r);
}

static const family *family_of(const st_file *golden)
{
    const char *model = st_note(golden, "model");
    for (size_t i = 0; model && i < sizeof families / sizeof families[0]; i++)
        if (strcmp(model, families[i].golden) == 0)
            return &families[i];
    return NULL;
}

/* fn(r) in a child process; 1 when it went well. */
static int in_child(run *r, void (*fn)(run *r))
{
    int status = 1;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        fn(r);
        fflush(stdout);
        _exit(failures != 0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void child_models(run *r)
{
    make_models(r);
}

static void run_file(const char *folder, const char *file, const char *work)
{
    char path[1200], photos[1200];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(photos, sizeof photos, "%s/../photos", folder);
    run r = {.photos = photos,
             .work = work,
             .kind = "",
             .tolerance = TOLERANCE,
             .golden = st_open(path)};
    snprintf(r.id, sizeof r.id, "%.*s", (int)(strlen(file) - strlen(".safetensors")), file);
    r.family = r.golden ? family_of(r.golden) : NULL;
    if (r.family) {
        r.outlier = strcmp(st_note(r.golden, "variant"), "outlier") == 0;
        load_picture(&r);
        const int ok = in_child(&r, child_models);
        if (!ok || !in_child(&r, run_f32) || !in_child(&r, run_small_types))
            failures++;
        wsam_picture_free(&r.picture);
    }
    st_close(r.golden);
}

static int is_safetensors(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && strcmp(dot, ".safetensors") == 0;
}

int main(int argc, char **argv)
{
    struct dirent **files;
    if (argc != 3) {
        fprintf(stderr, "usage: golden_run GOLDEN WORK\n");
        return 2;
    }
    const int n = scandir(argv[1], &files, is_safetensors, alphasort);
    if (n <= 0) {
        printf("ok - golden # SKIP no golden tensors in %s\n", argv[1]);
        return 0;
    }
    for (int i = 0; i < n; i++) {
        run_file(argv[1], files[i]->d_name, argv[2]);
        free(files[i]);
    }
    free(files);
    return failures != 0;
}
