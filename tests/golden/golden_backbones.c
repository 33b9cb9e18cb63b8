/* tests/golden/golden_backbones.c - frozen backbones of published size against tensors that the
 * official PyTorch modules gave (float32) on the same name-derived weights.
 *
 * usage: golden_backbones GOLDEN WORK
 *
 * Every GOLDEN/MODEL.*.safetensors of the families below: its picture (the test card, or
 * GOLDEN/../photos/FILE) at the golden's long side; the branches of the first and the last block by
 * a graph with further outputs. Of the first file of a family also what int8 costs. Output is TAP. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_safetensors.h"
#include "tests/util/util_trace.h"
#include "weaksam/weaksam.h"
#include "weights/family/family.h"
#include "weights/writer.h"

#define LIMIT 1e-5

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
    printf("not ok - golden backbones: %s\n", error->message);
    exit(1);
}

/* ---- the picture ---- */

static void draw_card(int w, int h, wsam_picture *picture)
{
    uint8_t *pixels = malloc((size_t)w * (size_t)h * 3), *to = pixels;
    if (!pixels)
        abort();
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++, to += 3) {
            const int dx = x - w / 3, dy = y - h / 2;
            int rgb[3] = {(5 * x + 3 * y) & 255, (x * x + y * y) >> 6 & 255, (x ^ y) & 255};
            if (dx * dx + dy * dy < (h / 5) * (h / 5))
                rgb[0] = 220, rgb[1] = 40, rgb[2] = 30;
            if (abs(x - 2 * w / 3) < w / 8 && abs(y - h / 2) < h / 4)
                rgb[0] = 30, rgb[1] = 60, rgb[2] = 200;
            for (int c = 0; c < 3; c++)
                to[c] = (uint8_t)rgb[c];
        }
    *picture = (wsam_picture){h, w, 3, (size_t)w * 3, pixels, pixels};
}

static void load_picture(const char *folder, st_file *golden, wsam_picture *picture)
{
    char path[1200];
    wsam_error error = {0};
    const char *image = st_note(golden, "image");
    if (strstr(image, ".jpg")) {
        snprintf(path, sizeof path, "%s/../photos/%s", folder, image);
        must(wsam_picture_load(path, NULL, picture, &error), &error);
    } else {
        draw_card(atoi(st_note(golden, "width")), atoi(st_note(golden, "height")), picture);
    }
}

/* ---- the model ---- */

/* The operator of this kind and name becomes an output. */
static void add_tap(ws_builder *b, const char *kind, const char *op, const char *name)
{
    const ws_graph_def *g = ws_builder_graph(b, ws_builder_graph_count(b) - 1);
    for (uint32_t i = 0; i < g->n_ops; i++)
        if (strcmp(g->ops[i].name, op) == 0 && strcmp(g->ops[i].kind, kind) == 0) {
            ws_output(b, name, g->n_inputs + i);
            return;
        }
    printf("not ok - golden backbones: no operator '%s'\n", op);
    exit(1);
}

static void make_tapped(const char *checkpoint, const char *out)
{
    wsam_convert_options options;
    wsam_error error = {0};
    ws_source *source = NULL;
    ws_family family;
    wsam_convert_options_default(&options);
    must(ws_source_open(checkpoint, &source, &error), &error);
    must(ws_family_detect(source, &options, &family, &error), &error);
    ws_builder *b = ws_builder_new(source, &options, &error);
    if (!b)
        must(error.status, &error);
    ws_family_describe(&family, b);
    add_tap(b, "reshape", "tokens", "tokens");
    for (int i = 0; i < 12; i++) {
        char op[64], name[64];
        snprintf(op, sizeof op, "blocks.%d.mlp.fc2", i);
        snprintf(name, sizeof name, "block%d", i);
        add_tap(b, "binary", op, name);
        if (i == 0 || i == 11) {
            snprintf(name, sizeof name, "block%d.mlp", i);
            add_tap(b, "linear", op, name);
            snprintf(op, sizeof op, "blocks.%d.attn.proj", i);
            snprintf(name, sizeof name, "block%d.attn", i);
            add_tap(b, "linear", op, name);
        }
    }
    must(ws_builder_status(b, &error), &error);
    must(ws_writer_write(b, out, &error), &error);
    ws_builder_free(b);
    ws_source_close(source);
}

static void make_model(const char *checkpoint, const char *out, wsam_file_type type, int simulated)
{
    wsam_convert_options options;
    wsam_error error = {0};
    wsam_convert_options_default(&options);
    options.type = type;
    options.exact_rest = simulated;
    options.smoothing = !simulated;
    must(wsam_convert(checkpoint, out, &options, &error), &error);
}

static wsam_backbone_result *run(const char *model_path, const wsam_picture *picture, int long_side)
{
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_backbone *backbone = NULL;
    wsam_backbone_result *result = NULL;
    wsam_backbone_params params;
    wsam_backbone_params_default(&params);
    params.long_side = long_side;
    must(wsam_model_open(model_path, NULL, &model, &error), &error);
    must(wsam_backbone_create(model, &backbone, &error), &error);
    must(wsam_backbone_run(backbone, picture, &params, &result, &error), &error);
    wsam_backbone_free(backbone);
    wsam_model_close(model);
    return result;
}

/* ---- comparisons ---- */

/* Rows of `columns`, every n-th, against a golden tensor that is multiplied by `factor`. */
static double row_error(const double *want, size_t n, const float *got, size_t columns, size_t step,
                        const double *factor)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        const size_t row = i / columns * step, column = i % columns;
        const double w = want[i] * (factor ? factor[column] : 1.0);
        const double d = w - (double)got[row * columns + column];
        difference += d * d;
        norm += w * w;
    }
    return sqrt(difference / norm);
}

static void compare(st_file *golden, const char *file, const char *name, const float *got,
                    size_t columns, size_t step, const double *factor)
{
    size_t n;
    const double *want = st_values(golden, name, &n);
    if (want)
        verdict(file, name, row_error(want, n, got, columns, step, factor), LIMIT);
}

static void compare_result(st_file *golden, const char *file, const wsam_backbone_result *r)
{
    const size_t d = (size_t)r->channels, cells = (size_t)r->height * (size_t)r->width;
    float *mean = calloc(d, sizeof *mean), *norm = calloc(cells, sizeof *norm);
    if (!mean || !norm)
        abort();
    for (size_t c = 0; c < d; c++) {
        double sum = 0.0;
        for (size_t i = 0; i < cells; i++)
            sum += (double)r->patch_tokens[i * d + c];
        mean[c] = (float)(sum / (double)cells);
    }
    for (size_t i = 0; i < cells; i++) {
        double sum = 0.0;
        for (size_t c = 0; c < d; c++)
            sum += (double)r->patch_tokens[i * d + c] * (double)r->patch_tokens[i * d + c];
        norm[i] = (float)sqrt(sum);
    }
    compare(golden, file, "cls", r->class_token, d, 1, NULL);
    compare(golden, file, "patchtokens_sample", r->patch_tokens, d, 3, NULL);
    compare(golden, file, "patchtokens_mean", mean, d, 1, NULL);
    compare(golden, file, "patchtokens_norm", norm, 1, 1, NULL);
    compare(golden, file, "cls_attention", r->attention, cells, 1, NULL);
    compare(golden, file, "patch_tokens", r->patch_tokens, d, 1, NULL);
    compare(golden, file, "class_token", r->class_token, d, 1, NULL);
    free(mean);
    free(norm);
}

/* The factors of a branch's LayerScale, or NULL. */
static const double *scale_of(st_file *checkpoint, int block, const char *branch)
{
    char name[64];
    size_t n;
    snprintf(name, sizeof name, "blocks.%d.%s.gamma", block,
             strcmp(branch, "attn") == 0 ? "ls1" : "ls2");
    return st_values(checkpoint, name, &n);
}

/* The input as the network gets it, by the library's own resize (byte for byte Pillow's). */
static float *input_of(const wsam_picture *picture, int h, int w)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    wsam_picture sized = {0};
    wsam_error error = {0};
    must(wsam_picture_resize(picture, h, w, WSAM_FILTER_BICUBIC, 0, &sized, &error), &error);
    float *input = malloc((size_t)h * (size_t)w * 3 * sizeof *input);
    for (size_t i = 0; input && i < (size_t)h * (size_t)w * 3; i++)
        input[i] =
            ((float)sized.pixels[i / 3 / (size_t)w * sized.stride + i / 3 % (size_t)w * 3 + i % 3] /
                 255.0f -
             (float)mean[i % 3]) /
            (float)std[i % 3];
    wsam_picture_free(&sized);
    return input;
}

/* Blocks and branches: small factors of LayerScale hide a wrong block from the tokens behind it. */
static void compare_taps(const char *model_path, st_file *checkpoint, st_file *golden,
                         const char *file, const wsam_picture *picture)
{
    static const char *const branches[] = {"attn", "mlp"};
    const int h = atoi(st_note(golden, "input_height")), w = atoi(st_note(golden, "input_width"));
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_session *session = NULL;
    wsam_image *state = NULL;
    wsam_tensor t;
    char name[64], sample[80];
    float *input = input_of(picture, h, w);
    const wsam_dim dims[] = {{"height", h}, {"width", w}};
    const wsam_tensor in = {"image", WSAM_F32, 3, {h, w, 3}, input};
    must(wsam_model_open(model_path, NULL, &model, &error), &error);
    must(wsam_session_create(model, "backbone", &session, &error), &error);
    must(wsam_session_reserve(session, dims, 2, &error), &error);
    must(wsam_image_create(model, "backbone", dims, 2, &state, &error), &error);
    must(wsam_session_bind(session, &in, 1, state, &error), &error);
    must(wsam_image_output(state, "tokens", &t, &error), &error);
    compare(golden, file, "tokens_sample", t.data, (size_t)t.shape[t.rank - 1], 31, NULL);
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "block%d", i);
        snprintf(sample, sizeof sample, "%s_sample", name);
        must(wsam_image_output(state, name, &t, &error), &error);
        compare(golden, file, sample, t.data, (size_t)t.shape[t.rank - 1], 31, NULL);
        for (int k = 0; k < 2 && (i == 0 || i == 11); k++) {
            snprintf(name, sizeof name, "block%d.%s", i, branches[k]);
            snprintf(sample, sizeof sample, "%s_sample", name);
            must(wsam_image_output(state, name, &t, &error), &error);
            compare(golden, file, sample, t.data, (size_t)t.shape[t.rank - 1], 31,
                    scale_of(checkpoint, i, branches[k]));
        }
    }
    wsam_image_free(state);
    wsam_session_free(session);
    wsam_model_close(model);
    free(input);
}

static double distance(const wsam_backbone_result *want, const wsam_backbone_result *got, int cls)
{
    const size_t d = (size_t)want->channels;
    const size_t n = cls ? d : (size_t)want->height * (size_t)want->width * d;
    const float *a = cls ? want->class_token : want->patch_tokens,
                *b = cls ? got->class_token : got->patch_tokens;
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        norm += (double)a[i] * (double)a[i];
    }
    return sqrt(difference / norm);
}

/* int8 against W8A8 quantization as papers simulate it. */
static void compare_int8(const char *checkpoint, const char *model, const char *file,
                         const wsam_picture *picture, int long_side,
                         const wsam_backbone_result *exact)
{
    double error[2][2];
    for (int simulated = 0; simulated < 2; simulated++) {
        make_model(checkpoint, model, WSAM_FILE_INT8, simulated);
        wsam_backbone_result *r = run(model, picture, long_side);
        for (int cls = 0; cls < 2; cls++)
            error[simulated][cls] = distance(exact, r, cls);
        wsam_backbone_result_free(r);
    }
    verdict(file, "patch tokens (int8)", error[0][0], 1.25 * error[1][0]);
    verdict(file, "class token (int8)", error[0][1], 1.25 * error[1][1]);
}

static void run_file(const char *folder, const char *file, const char *work, const char *family,
                     int with_int8)
{
    char path[1200], checkpoint[1200], model[1200];
    wsam_picture picture = {0};
    snprintf(path, sizeof path, "%s/%s", folder, file);
    snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", work, family);
    snprintf(model, sizeof model, "%s/%s.wsam", work, family);
    st_file *golden = st_open(path), *values = st_open(checkpoint);
    if (!golden || !values) {
        printf("not ok - golden %s: unreadable\n", file);
        exit(1);
    }
    const int long_side = atoi(st_note(golden, "long_side"));
    load_picture(folder, golden, &picture);
    make_model(checkpoint, model, WSAM_FILE_F32, 0);
    wsam_backbone_result *exact = run(model, &picture, long_side);
    const int before = failures;
    compare_result(golden, file, exact);
    if (failures > before)
        util_trace_explain(model, &picture, LIMIT);
    make_tapped(checkpoint, model);
    compare_taps(model, values, golden, file, &picture);
    if (with_int8)
        compare_int8(checkpoint, model, file, &picture, long_side, exact);
    unlink(model);
    wsam_backbone_result_free(exact);
    wsam_picture_free(&picture);
    st_close(values);
    st_close(golden);
}

/* All goldens of a family, whose names begin with it and a dot. */
static void run_family(const char *folder, const char *work, const char *family)
{
    struct dirent **entries;
    char checkpoint[1200];
    int done = 0;
    const size_t length = strlen(family);
    const int n = scandir(folder, &entries, NULL, alphasort);
    snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", work, family);
    for (int i = 0; i < n; i++) {
        const char *file = entries[i]->d_name;
        if (strncmp(file, family, length) == 0 && file[length] == '.' &&
            strstr(file, ".safetensors")) {
            wsam_error error = {0};
            if (!done)
                must(wsam_write_twin(family, checkpoint, 0, &error), &error);
            run_file(folder, file, work, family, !done++);
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    if (!done)
        printf("ok - golden %s # SKIP there is none\n", family);
    unlink(checkpoint);
}

int main(int argc, char **argv)
{
    static const char *const families[] = {
        "dinov2_vits14", "dinov2_vits14_reg", "dinov2_vitb14", "dinov2_vitb14_reg",
        "dino_vits16",   "deit_small",        "deit_tiny"};
    if (argc != 3) {
        fprintf(stderr, "usage: golden_backbones GOLDEN WORK\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        run_family(argv[1], argv[2], families[i]);
    return failures != 0;
}
