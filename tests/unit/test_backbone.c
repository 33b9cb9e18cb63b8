/* Frozen backbones: the graphs against a plain computation in double precision at many sizes, the
 * same bytes for any number of threads, names of other origin, and what is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_backbone.h"
#include "weaksam/weaksam.h"
#include "weights/export/safetensors_writer.h"
#include "weights/import/source.h"

static char folder[] = "/tmp/weaksam-backbone-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[4][256];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, 256, "%s/%s", folder, name);
    return p;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/weaksam-backbone-XXXXXX");
    if (!mkdtemp(folder))
        abort();
}

static void remove_folder(void)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        abort();
}

TestSuite(backbone, .init = make_folder, .fini = remove_folder);

static void must(wsam_status status, const wsam_error *error)
{
    cr_assert_eq(status, WSAM_OK, "%s", error->message);
}

static void twin(const char *family, const char *checkpoint)
{
    wsam_error error = {0};
    must(wsam_write_twin(family, path_of(checkpoint), 0, &error), &error);
}

static void convert(const char *checkpoint, const char *file, wsam_file_type type,
                    const char *positions, int simulated)
{
    wsam_convert_options o;
    wsam_error error = {0};
    wsam_convert_options_default(&o);
    o.type = type;
    o.positions = positions;
    o.exact_rest = simulated;
    o.smoothing = !simulated;
    must(wsam_convert(path_of(checkpoint), path_of(file), &o, &error), &error);
}

static wsam_model *open_model(const char *file, int threads, wsam_lowering lowering)
{
    wsam_options options;
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_options_default(&options);
    options.threads = threads;
    options.lowering = lowering;
    must(wsam_model_open(path_of(file), &options, &model, &error), &error);
    return model;
}

static wsam_backbone_result *run(wsam_model *model, const wsam_picture *picture, int long_side,
                                 int mirror)
{
    wsam_backbone *backbone = NULL;
    wsam_backbone_result *result = NULL;
    wsam_backbone_params params;
    wsam_error error = {0};
    must(wsam_backbone_create(model, &backbone, &error), &error);
    wsam_backbone_params_default(&params);
    params.long_side = long_side;
    params.mirror = mirror;
    must(wsam_backbone_run(backbone, picture, &params, &result, &error), &error);
    wsam_backbone_free(backbone);
    return result;
}

static size_t floats_of(const wsam_backbone_result *r)
{
    const size_t cells = (size_t)r->height * (size_t)r->width;
    return cells * (size_t)r->channels + (size_t)r->channels + (size_t)r->heads * cells;
}

/* ---- against double precision ---- */

static double relative(const double *want, const float *got, size_t n)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < n; i++) {
        difference += (want[i] - (double)got[i]) * (want[i] - (double)got[i]);
        norm += want[i] * want[i];
    }
    return sqrt(difference / norm);
}

/* The picture as the network gets it where its sides are whole patches. */
static float *normalised(const wsam_picture *p)
{
    static const double mean[3] = {0.485, 0.456, 0.406}, std[3] = {0.229, 0.224, 0.225};
    const size_t n = (size_t)p->height * (size_t)p->width;
    float *image = malloc(n * 3 * sizeof *image);
    cr_assert_not_null(image);
    for (size_t i = 0; i < n * 3; i++) {
        const size_t row = i / 3 / (size_t)p->width, column = i / 3 % (size_t)p->width;
        image[i] = (float)((p->pixels[row * p->stride + column * 3 + i % 3] / 255.0 - mean[i % 3]) /
                           std[i % 3]);
    }
    return image;
}

/* A picture of h x w patches, none of it resized. */
static void compare_direct(const char *family, const char *mode, int patch, int h, int w)
{
    wsam_picture picture = {0};
    wsam_error error = {0};
    twin(family, "a.safetensors");
    convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    must(wsam_picture_draw(h * patch < 16 ? 16 : h * patch, w * patch < 16 ? 16 : w * patch,
                           &picture, &error),
         &error);
    picture.height = h * patch;
    picture.width = w * patch;
    float *image = normalised(&picture);
    st_file *file = st_open(path_of("a.safetensors"));
    cr_assert_not_null(file);
    direct_backbone *want =
        direct_backbone_run(file, mode, patch, image, picture.height, picture.width);
    for (int plain = 0; plain < 2; plain++) {
        wsam_model *model =
            open_model("a.wsam", 2, plain ? WSAM_LOWERING_PLAIN : WSAM_LOWERING_AUTO);
        wsam_backbone_result *got = run(model, &picture, (h > w ? h : w) * patch, 0);
        const size_t cells = (size_t)(h * w);
        cr_assert_eq(got->height, h);
        cr_assert_eq(got->width, w);
        cr_assert_eq(got->channels, want->width);
        cr_expect_lt(relative(want->patch_tokens, got->patch_tokens, cells * 64), 1e-5,
                     "%s %d x %d: patch tokens", family, h, w);
        cr_expect_lt(relative(want->class_token, got->class_token, 64), 1e-5, "%s %d x %d", family,
                     h, w);
        cr_expect_lt(relative(want->attention, got->attention, cells), 1e-5,
                     "%s %d x %d: attention", family, h, w);
        wsam_backbone_result_free(got);
        wsam_model_close(model);
    }
    direct_backbone_free(want);
    st_close(file);
    free(image);
    wsam_picture_free(&picture);
}

/* The stored grid, larger and smaller ones, square and not, and a single patch. */
Test(backbone, offset_positions)
{
    compare_direct("dinov2_mini", "offset", 14, 5, 5);
    compare_direct("dinov2_mini", "offset", 14, 3, 9);
    compare_direct("dinov2_mini", "offset", 14, 1, 1);
    compare_direct("dino_mini", "offset", 8, 11, 4);
}

Test(backbone, antialiased_positions)
{
    compare_direct("dinov2_reg_mini", "antialias", 14, 5, 5);
    compare_direct("dinov2_reg_mini", "antialias", 14, 2, 7);
    compare_direct("dinov2_reg_mini", "antialias", 14, 1, 3);
}

Test(backbone, size_positions)
{
    compare_direct("deit_mini", "size", 16, 4, 4);
    compare_direct("deit_mini", "size", 16, 7, 2);
    compare_direct("deit_mini", "size", 16, 2, 8);
}

/* ---- sizes, threads, mirror ---- */

Test(backbone, size_rule)
{
    static const struct {
        const char *family;
        int height, width, long_side, want_height, want_width;
    } cases[] = {
        {"dinov2_mini", 1200, 1800, 518, 350, 518}, {"dinov2_mini", 519, 333, 518, 518, 336},
        {"deit_mini", 374, 501, 448, 336, 448},     {"dinov2_mini", 480, 640, 640, 476, 644},
        {"deit_mini", 480, 640, 518, 384, 512},     {"deit_mini", 1, 60000, 160, 16, 160}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int size[2];
        wsam_backbone *backbone = NULL;
        wsam_error error = {0};
        twin(cases[i].family, "a.safetensors");
        convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
        wsam_model *model = open_model("a.wsam", 1, WSAM_LOWERING_AUTO);
        must(wsam_backbone_create(model, &backbone, &error), &error);
        must(wsam_backbone_size(backbone, cases[i].height, cases[i].width, cases[i].long_side, size,
                                &error),
             &error);
        cr_expect_eq(size[0], cases[i].want_height);
        cr_expect_eq(size[1], cases[i].want_width);
        cr_expect_eq(wsam_backbone_size(backbone, 0, 5, 100, size, &error), WSAM_ERR_ARGUMENT);
        cr_expect_eq(wsam_backbone_size(backbone, 5, 70000, 100, size, &error), WSAM_ERR_ARGUMENT);
        cr_expect_eq(wsam_backbone_size(backbone, 5, 5, 0, size, &error), WSAM_ERR_ARGUMENT);
        cr_expect_eq(wsam_backbone_size(backbone, 5, 5, 9000, size, &error), WSAM_ERR_ARGUMENT);
        wsam_backbone_free(backbone);
        wsam_model_close(model);
    }
}

Test(backbone, equal_bytes_with_any_threads)
{
    static const wsam_file_type types[] = {WSAM_FILE_F32, WSAM_FILE_BF16, WSAM_FILE_INT8};
    static const int threads[] = {1, 2, 3, 7};
    wsam_picture picture = {0};
    wsam_error error = {0};
    must(wsam_picture_draw(70, 123, &picture, &error), &error);
    twin("dinov2_reg_mini", "a.safetensors");
    for (int t = 0; t < 3; t++) {
        wsam_backbone_result *first = NULL;
        convert("a.safetensors", "a.wsam", types[t], NULL, 0);
        must(wsam_verify(path_of("a.wsam"), &error), &error);
        for (int i = 0; i < 4; i++) {
            wsam_model *model = open_model("a.wsam", threads[i], WSAM_LOWERING_AUTO);
            wsam_backbone_result *r = run(model, &picture, 200, 0);
            if (first)
                cr_expect_arr_eq(r->patch_tokens, first->patch_tokens,
                                 floats_of(r) * sizeof(float));
            wsam_backbone_result_free(i ? r : NULL);
            if (!i)
                first = r;
            wsam_model_close(model);
        }
        wsam_backbone_result_free(first);
    }
    wsam_picture_free(&picture);
}

/* A picture mirrored by hand, against the option: the same cells in mirrored order. */
Test(backbone, mirror)
{
    wsam_picture picture = {0};
    wsam_error error = {0};
    must(wsam_picture_draw(56, 84, &picture, &error), &error);
    twin("dinov2_mini", "a.safetensors");
    convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    wsam_model *model = open_model("a.wsam", 2, WSAM_LOWERING_AUTO);
    wsam_backbone_result *want = run(model, &picture, 84, 1);
    uint8_t *pixels = malloc((size_t)(56 * 84 * 3));
    cr_assert_not_null(pixels);
    for (int i = 0; i < 56 * 84; i++)
        memcpy(pixels + i * 3,
               picture.pixels + (size_t)(i / 84) * picture.stride + (83 - i % 84) * 3, 3);
    const wsam_picture turned = {56, 84, 3, 84 * 3, pixels, NULL};
    wsam_backbone_result *got = run(model, &turned, 84, 0);
    for (int cell = 0; cell < 4 * 6; cell++)
        cr_expect_arr_eq(want->patch_tokens + cell * 64,
                         got->patch_tokens + (cell / 6 * 6 + 5 - cell % 6) * 64,
                         64 * sizeof(float));
    cr_expect_arr_eq(want->class_token, got->class_token, 64 * sizeof(float));
    wsam_backbone_result_free(want);
    wsam_backbone_result_free(got);
    wsam_model_close(model);
    wsam_picture_free(&picture);
    free(pixels);
}

/* ---- types ---- */

static double distance(const wsam_backbone_result *want, const wsam_backbone_result *got)
{
    double difference = 0.0, norm = 0.0;
    for (size_t i = 0; i < (size_t)(want->height * want->width * want->channels); i++) {
        const double d = (double)want->patch_tokens[i] - (double)got->patch_tokens[i];
        difference += d * d;
        norm += (double)want->patch_tokens[i] * (double)want->patch_tokens[i];
    }
    return sqrt(difference / norm);
}

/* int8 stays within 1.25 times of W8A8 as papers simulate it, bf16 near f32. */
Test(backbone, types)
{
    static const char *const families[] = {"dinov2_mini", "dinov2_reg_mini", "deit_mini"};
    wsam_picture picture = {0};
    wsam_error error = {0};
    must(wsam_picture_draw(224, 160, &picture, &error), &error);
    for (int f = 0; f < 3; f++) {
        wsam_backbone_result *r[4];
        twin(families[f], "a.safetensors");
        for (int i = 0; i < 4; i++) {
            static const wsam_file_type types[] = {WSAM_FILE_F32, WSAM_FILE_BF16, WSAM_FILE_INT8,
                                                   WSAM_FILE_INT8};
            convert("a.safetensors", "a.wsam", types[i], NULL, i == 3);
            wsam_model *model = open_model("a.wsam", 2, WSAM_LOWERING_AUTO);
            r[i] = run(model, &picture, 224, 0);
            wsam_model_close(model);
        }
        cr_expect_lt(distance(r[0], r[1]), 5e-3, "%s: bf16", families[f]);
        cr_expect_leq(distance(r[0], r[2]), 1.25 * distance(r[0], r[3]),
                      "%s: int8 %g, simulated %g", families[f], distance(r[0], r[2]),
                      distance(r[0], r[3]));
        for (int i = 0; i < 4; i++)
            wsam_backbone_result_free(r[i]);
    }
    wsam_picture_free(&picture);
}

/* ---- names of other origin ---- */

typedef struct renaming {
    const char *prefix;            /* in front of every name */
    const char *from[16], *to[16]; /* each in turn, once */
    int split_qkv;
    const char *extra[3]; /* further tensors of 4 values */
} renaming;

static void renamed(const renaming *r, const char *name, char out[256])
{
    char text[256];
    snprintf(text, sizeof text, "%s", name);
    for (int i = 0; i < 16 && r->from[i]; i++) {
        char *at = strstr(text, r->from[i]), rest[256];
        if (!at)
            continue;
        snprintf(rest, sizeof rest, "%s", at + strlen(r->from[i]));
        snprintf(at, (size_t)(text + sizeof text - at), "%s%s", r->to[i], rest);
    }
    snprintf(out, 256, "%s%.200s", r->prefix ? r->prefix : "", text);
}

/* One tensor under its new name, or q, k and v under three. */
static void add_renamed(ws_tensors *t, const renaming *r, const ws_source_tensor *from,
                        const float *values)
{
    int dims[4] = {0};
    char name[256], part[256];
    renamed(r, from->name, name);
    for (int d = 0; d < from->rank; d++)
        dims[d] = (int)from->dims[d];
    char *qkv = strstr(name, ".qkv.");
    if (!r->split_qkv || !qkv) {
        ws_tensors_add(t, name, from->rank, dims, values);
        return;
    }
    dims[0] /= 3;
    const size_t n = ws_source_elements(from) / 3;
    static const char *const names[] = {"query", "key", "value"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(part, sizeof part, "%.*s.%s.%s", (int)(qkv - name), name, names[i], qkv + 5);
        ws_tensors_add(t, part, from->rank, dims, values + i * n);
    }
}

static void rename_checkpoint(const renaming *r, const char *from, const char *to)
{
    static const float four[4] = {1, 2, 3, 4};
    ws_source *s = NULL;
    ws_tensors t = {0};
    wsam_error error = {0};
    must(ws_source_open(path_of(from), &s, &error), &error);
    ws_tensors_note(&t, "format", "pt");
    float **values = calloc(s->n_tensors, sizeof *values);
    cr_assert_not_null(values);
    for (size_t i = 0; i < s->n_tensors; i++) {
        values[i] = malloc(ws_source_elements(&s->tensors[i]) * sizeof **values);
        cr_assert_not_null(values[i]);
        must(ws_source_read(s, &s->tensors[i], values[i], &error), &error);
        add_renamed(&t, r, &s->tensors[i], values[i]);
    }
    for (int i = 0; i < 3 && r->extra[i]; i++)
        ws_tensors_add(&t, r->extra[i], 1, (const int[]){4}, four);
    must(ws_tensors_save(&t, path_of(to), &error), &error);
    for (size_t i = 0; i < s->n_tensors; i++)
        free(values[i]);
    free(values);
    ws_source_close(s);
}

static void expect_equal_files(const char *a, const char *b, const char *what)
{
    char command[600];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", path_of(a), path_of(b));
    cr_expect_eq(system(command), 0, "%s: another file", what);
}

static const renaming hugging_face = {
    .prefix = "dinov2_with_registers.",
    .split_qkv = 1,
    .from = {"cls_token", "register_tokens", "mask_token", "pos_embed", "patch_embed.proj",
             "blocks.", "attn.qkv", "attn.proj", "ls1.gamma", "ls2.gamma", "norm."},
    .to = {"embeddings.cls_token", "embeddings.register_tokens", "embeddings.mask_token",
           "embeddings.position_embeddings", "embeddings.patch_embeddings.projection",
           "encoder.layer.", "attention.attention.qkv", "attention.output.dense",
           "layer_scale1.lambda1", "layer_scale2.lambda1", "layernorm."},
    .extra = {"classifier.bias"}};
static const renaming hugging_face_vit = {
    .prefix = "deit.",
    .split_qkv = 1,
    .from = {"cls_token", "pos_embed", "patch_embed.proj", "blocks.", "attn.qkv", "attn.proj",
             "norm1", "norm2", "mlp.fc1", "mlp.fc2", "norm.", "head."},
    .to = {"embeddings.cls_token", "embeddings.position_embeddings",
           "embeddings.patch_embeddings.projection", "encoder.layer.", "attention.attention.qkv",
           "attention.output.dense", "layernorm_before", "layernorm_after", "intermediate.dense",
           "output.dense", "layernorm.", "classifier."},
    .extra = {"deit.pooler.dense.bias"}};
static const renaming wrapped = {.prefix = "module.backbone.",
                                 .extra = {"head.mlp.0.bias", "head.last_layer.weight_g"}};
static const renaming chunked = {.from = {"blocks.0.", "blocks.1."},
                                 .to = {"blocks.0.0.", "blocks.0.1."}};

/* Whatever a checkpoint's names are, the file is the same. */
Test(backbone, names)
{
    static const struct {
        const char *family, *what;
        const renaming *names;
    } cases[] = {{"dinov2_reg_mini", "Hugging Face", &hugging_face},
                 {"deit_mini", "Hugging Face ViT", &hugging_face_vit},
                 {"dino_mini", "wrapped", &wrapped},
                 {"dinov2_mini", "chunks of blocks", &chunked}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        twin(cases[i].family, "a.safetensors");
        convert("a.safetensors", "a.wsam", WSAM_FILE_INT8, NULL, 0);
        rename_checkpoint(cases[i].names, "a.safetensors", "b.safetensors");
        convert("b.safetensors", "b.wsam", WSAM_FILE_INT8, NULL, 0);
        expect_equal_files("a.wsam", "b.wsam", cases[i].what);
    }
}

/* ---- other prefix tokens ---- */

typedef struct tensor_set {
    ws_source *source;
    float *values[64];
} tensor_set;

static tensor_set read_set(const char *checkpoint)
{
    tensor_set t = {NULL, {NULL}};
    wsam_error error = {0};
    must(ws_source_open(path_of(checkpoint), &t.source, &error), &error);
    cr_assert_lt(t.source->n_tensors, 64);
    for (size_t i = 0; i < t.source->n_tensors; i++) {
        t.values[i] = malloc(ws_source_elements(&t.source->tensors[i]) * sizeof(float));
        cr_assert_not_null(t.values[i]);
        must(ws_source_read(t.source, &t.source->tensors[i], t.values[i], &error), &error);
    }
    return t;
}

static float *values_of(const tensor_set *t, const char *name)
{
    const ws_source_tensor *at = ws_source_find(t->source, name);
    cr_assert_not_null(at, "%s", name);
    return t->values[at - t->source->tensors];
}

/* Writes the set; `skip_rows` of pos_embed and the tensor `without` are left out, `from` is called
 * `to`. */
static void write_set(const tensor_set *t, const char *file, int skip_rows, const char *without,
                      const char *from, const char *to, const char *added, const float *row)
{
    ws_tensors out = {0};
    wsam_error error = {0};
    ws_tensors_note(&out, "format", "pt");
    for (size_t i = 0; i < t->source->n_tensors; i++) {
        const ws_source_tensor *at = &t->source->tensors[i];
        int dims[4] = {0}, skip = strcmp(at->name, "pos_embed") == 0 ? skip_rows : 0;
        if (without && strcmp(at->name, without) == 0)
            continue;
        for (int d = 0; d < at->rank; d++)
            dims[d] = (int)at->dims[d];
        dims[1] -= skip;
        ws_tensors_add(&out, from && strcmp(at->name, from) == 0 ? to : at->name, at->rank, dims,
                       t->values[i] + skip * 64);
    }
    if (added)
        ws_tensors_add(&out, added, 3, (const int[]){1, 1, 64}, row);
    must(ws_tensors_save(&out, path_of(file), &error), &error);
}

static void free_set(tensor_set *t)
{
    for (size_t i = 0; i < t->source->n_tensors; i++)
        free(t->values[i]);
    ws_source_close(t->source);
}

/* Equal tokens of two checkpoints. */
static void expect_equal_tokens(const char *a, const char *b, const char *positions_of_a)
{
    wsam_picture picture = {0};
    wsam_error error = {0};
    wsam_backbone_result *r[2];
    must(wsam_picture_draw(60, 100, &picture, &error), &error);
    convert(a, "x.wsam", WSAM_FILE_F32, positions_of_a, 0);
    convert(b, "y.wsam", WSAM_FILE_F32, NULL, 0);
    for (int i = 0; i < 2; i++) {
        wsam_model *model = open_model(i ? "y.wsam" : "x.wsam", 2, WSAM_LOWERING_AUTO);
        r[i] = run(model, &picture, 112, 0);
        wsam_model_close(model);
    }
    cr_assert_eq(floats_of(r[0]), floats_of(r[1]));
    cr_expect_arr_eq(r[0]->patch_tokens, r[1]->patch_tokens, floats_of(r[0]) * sizeof(float));
    wsam_backbone_result_free(r[0]);
    wsam_backbone_result_free(r[1]);
    wsam_picture_free(&picture);
}

/* timm keeps the class token's position in the token itself. */
Test(backbone, timm_registers)
{
    twin("dinov2_reg_mini", "a.safetensors");
    tensor_set t = read_set("a.safetensors");
    float *cls = values_of(&t, "cls_token"), *pos = values_of(&t, "pos_embed");
    for (int i = 0; i < 64; i++)
        cls[i] += pos[i];
    write_set(&t, "b.safetensors", 1, "mask_token", "register_tokens", "reg_token", NULL, NULL);
    expect_equal_tokens("a.safetensors", "b.safetensors", NULL);
    free_set(&t);
}

/* A distillation token is a register that has a position: the second row of the table. */
Test(backbone, distilled)
{
    enum { CELLS = 36 };
    float dist[64], summed[64];
    twin("dino_mini", "a.safetensors");
    tensor_set t = read_set("a.safetensors");
    const size_t at = (size_t)(ws_source_find(t.source, "pos_embed") - t.source->tensors);
    float *pos = t.values[at], *longer = malloc((CELLS + 2) * 64 * sizeof *longer);
    cr_assert_not_null(longer);
    memcpy(longer, pos, 64 * sizeof *longer);
    memcpy(longer + 2 * 64, pos + 64, CELLS * 64 * sizeof *longer);
    for (int i = 0; i < 64; i++) {
        longer[64 + i] = 0.01f * (float)i;
        dist[i] = 0.5f - 0.02f * (float)i;
        summed[i] = dist[i] + longer[64 + i];
    }
    write_set(&t, "a.safetensors", 0, NULL, NULL, NULL, "register_tokens", summed);
    free(pos);
    t.values[at] = longer;
    t.source->tensors[at].dims[1] = CELLS + 2;
    write_set(&t, "b.safetensors", 0, NULL, NULL, NULL, "dist_token", dist);
    expect_equal_tokens("a.safetensors", "b.safetensors", "size");
    free_set(&t);
}

/* ---- what is refused ---- */

static void expect_refusal(const char *checkpoint, const wsam_convert_options *o,
                           const char *mention)
{
    wsam_convert_options defaults;
    wsam_error error = {0};
    wsam_convert_options_default(&defaults);
    cr_expect_neq(wsam_convert(path_of(checkpoint), path_of("no.wsam"), o ? o : &defaults, &error),
                  WSAM_OK, "%s", mention);
    cr_expect(strstr(error.message, mention), "'%s' does not mention '%s'", error.message, mention);
    cr_expect_neq(access(path_of("no.wsam"), F_OK), 0, "%s: something is left", mention);
}

Test(backbone, refusals)
{
    static const struct {
        const char *extra, *mention;
    } cases[] = {{"blocks.0.mlp.w12.bias", "SwiGLU"},
                 {"decoder_blocks.0.norm1.bias", "masked autoencoder"},
                 {"rope_embed.periods", "DINOv3"},
                 {"blocks.1.attn.relative_position_bias", "extra blocks.1.attn.relative"},
                 {"blocks.2.norm1.bias", "extra blocks.2.norm1.bias"}};
    twin("dinov2_mini", "a.safetensors");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const renaming r = {.extra = {cases[i].extra}};
        rename_checkpoint(&r, "a.safetensors", "b.safetensors");
        expect_refusal("b.safetensors", NULL, cases[i].mention);
    }
    wsam_convert_options o;
    wsam_convert_options_default(&o);
    o.positions = "nearest";
    expect_refusal("a.safetensors", &o, "offset, size and antialias");
    wsam_convert_options_default(&o);
    o.arch = "deit_small";
    expect_refusal("a.safetensors", &o, "not of deit_small");
    wsam_convert_options_default(&o);
    o.positions = "size";
    twin("weaktr_mini", "w.safetensors");
    expect_refusal("w.safetensors", &o, "no backbone");
}

/* A DeiT without its classifier is DINO to look at: the name decides. */
Test(backbone, stripped_deit)
{
    twin("deit_mini", "a.safetensors");
    tensor_set t = read_set("a.safetensors");
    write_set(&t, "b.safetensors", 0, "head.weight", NULL, NULL, NULL, NULL);
    free_set(&t);
    t = read_set("b.safetensors");
    write_set(&t, "c.safetensors", 0, "head.bias", NULL, NULL, NULL, NULL);
    free_set(&t);
    wsam_convert_options o;
    wsam_error error = {0};
    wsam_convert_options_default(&o);
    must(wsam_convert(path_of("c.safetensors"), path_of("c.wsam"), &o, &error), &error);
    wsam_model *model = open_model("c.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_str_eq(wsam_model_string(model, "backbone.positions"), "offset");
    wsam_model_close(model);
    o.arch = "deit_x";
    must(wsam_convert(path_of("c.safetensors"), path_of("c.wsam"), &o, &error), &error);
    model = open_model("c.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_str_eq(wsam_model_string(model, "backbone.positions"), "size");
    wsam_model_close(model);
}

Test(backbone, wrong_kind)
{
    wsam_backbone *backbone = NULL;
    wsam_clues *clues = NULL;
    wsam_error error = {0};
    twin("weaktr_mini", "w.safetensors");
    convert("w.safetensors", "w.wsam", WSAM_FILE_F32, NULL, 0);
    wsam_model *model = open_model("w.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_eq(wsam_backbone_create(model, &backbone, &error), WSAM_ERR_MISMATCH);
    cr_expect_null(backbone);
    wsam_model_close(model);
    twin("dino_mini", "a.safetensors");
    convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    model = open_model("a.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_eq(wsam_clues_create(model, &clues, &error), WSAM_ERR_MISMATCH);
    wsam_model_close(model);
}

static int stop(void *user, double fraction)
{
    (void)user, (void)fraction;
    return 1;
}

Test(backbone, cancelled)
{
    wsam_backbone *backbone = NULL;
    wsam_backbone_result *result = NULL;
    wsam_backbone_params params;
    wsam_picture picture = {0};
    wsam_error error = {0};
    twin("dino_mini", "a.safetensors");
    convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    wsam_model *model = open_model("a.wsam", 1, WSAM_LOWERING_AUTO);
    must(wsam_backbone_create(model, &backbone, &error), &error);
    must(wsam_picture_draw(40, 40, &picture, &error), &error);
    wsam_backbone_params_default(&params);
    params.progress = stop;
    cr_expect_eq(wsam_backbone_run(backbone, &picture, &params, &result, &error),
                 WSAM_ERR_CANCELLED);
    cr_expect_null(result);
    wsam_picture_free(&picture);
    wsam_backbone_free(backbone);
    wsam_model_close(model);
}
