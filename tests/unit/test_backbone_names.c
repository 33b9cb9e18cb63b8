/* Frozen backbones under names of other origin, and with other prefix tokens, and what is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/suite_backbone.h"
#include "tests/util/suite_folder.h"
#include "weaksam/weaksam.h"
#include "weights/export/safetensors_writer.h"
#include "weights/import/source.h"

TestSuite(backbone_names, .init = make_folder, .fini = remove_folder);

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
    must(ws_source_open(in_folder(from), &s, &error), &error);
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
    must(ws_tensors_save(&t, in_folder(to), &error), &error);
    for (size_t i = 0; i < s->n_tensors; i++)
        free(values[i]);
    free(values);
    ws_source_close(s);
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
Test(backbone_names, names)
{
    static const struct {
        const char *family, *what;
        const renaming *names;
    } cases[] = {{"dinov2_reg_mini", "Hugging Face", &hugging_face},
                 {"deit_mini", "Hugging Face ViT", &hugging_face_vit},
                 {"dino_mini", "wrapped", &wrapped},
                 {"dinov2_mini", "chunks of blocks", &chunked}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        backbone_twin(cases[i].family, "a.safetensors");
        backbone_convert("a.safetensors", "a.wsam", WSAM_FILE_INT8, NULL, 0);
        rename_checkpoint(cases[i].names, "a.safetensors", "b.safetensors");
        backbone_convert("b.safetensors", "b.wsam", WSAM_FILE_INT8, NULL, 0);
        cr_expect(equal_files("a.wsam", "b.wsam"), "%s: another file", cases[i].what);
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
    must(ws_source_open(in_folder(checkpoint), &t.source, &error), &error);
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
    must(ws_tensors_save(&out, in_folder(file), &error), &error);
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
    backbone_convert(a, "x.wsam", WSAM_FILE_F32, positions_of_a, 0);
    backbone_convert(b, "y.wsam", WSAM_FILE_F32, NULL, 0);
    for (int i = 0; i < 2; i++) {
        wsam_model *model = backbone_open(i ? "y.wsam" : "x.wsam", 2, WSAM_LOWERING_AUTO);
        r[i] = backbone_run(model, &picture, 112, 0);
        wsam_model_close(model);
    }
    cr_assert_eq(backbone_floats(r[0]), backbone_floats(r[1]));
    cr_expect_arr_eq(r[0]->patch_tokens, r[1]->patch_tokens, backbone_floats(r[0]) * sizeof(float));
    wsam_backbone_result_free(r[0]);
    wsam_backbone_result_free(r[1]);
    wsam_picture_free(&picture);
}

/* timm keeps the class token's position in the token itself. */
Test(backbone_names, timm_registers)
{
    backbone_twin("dinov2_reg_mini", "a.safetensors");
    tensor_set t = read_set("a.safetensors");
    float *cls = values_of(&t, "cls_token"), *pos = values_of(&t, "pos_embed");
    for (int i = 0; i < 64; i++)
        cls[i] += pos[i];
    write_set(&t, "b.safetensors", 1, "mask_token", "register_tokens", "reg_token", NULL, NULL);
    expect_equal_tokens("a.safetensors", "b.safetensors", NULL);
    free_set(&t);
}

/* A distillation token is a register that has a position: the second row of the table. */
Test(backbone_names, distilled)
{
    enum { CELLS = 36 };
    float dist[64], summed[64];
    backbone_twin("dino_mini", "a.safetensors");
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
    cr_expect_neq(
        wsam_convert(in_folder(checkpoint), in_folder("no.wsam"), o ? o : &defaults, &error),
        WSAM_OK, "%s", mention);
    cr_expect(strstr(error.message, mention), "'%s' does not mention '%s'", error.message, mention);
    cr_expect_neq(access(in_folder("no.wsam"), F_OK), 0, "%s: something is left", mention);
}

Test(backbone_names, refusals)
{
    static const struct {
        const char *extra, *mention;
    } cases[] = {{"blocks.0.mlp.w12.bias", "SwiGLU"},
                 {"decoder_blocks.0.norm1.bias", "masked autoencoder"},
                 {"rope_embed.periods", "DINOv3"},
                 {"blocks.1.attn.relative_position_bias", "extra blocks.1.attn.relative"},
                 {"blocks.2.norm1.bias", "extra blocks.2.norm1.bias"}};
    backbone_twin("dinov2_mini", "a.safetensors");
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
    backbone_twin("weaktr_mini", "w.safetensors");
    expect_refusal("w.safetensors", &o, "no backbone");
}

/* A DeiT without its classifier is DINO to look at: the name decides. */
Test(backbone_names, stripped_deit)
{
    backbone_twin("deit_mini", "a.safetensors");
    tensor_set t = read_set("a.safetensors");
    write_set(&t, "b.safetensors", 0, "head.weight", NULL, NULL, NULL, NULL);
    free_set(&t);
    t = read_set("b.safetensors");
    write_set(&t, "c.safetensors", 0, "head.bias", NULL, NULL, NULL, NULL);
    free_set(&t);
    wsam_convert_options o;
    wsam_error error = {0};
    wsam_convert_options_default(&o);
    must(wsam_convert(in_folder("c.safetensors"), in_folder("c.wsam"), &o, &error), &error);
    wsam_model *model = backbone_open("c.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_str_eq(wsam_model_string(model, "backbone.positions"), "offset");
    wsam_model_close(model);
    o.arch = "deit_x";
    must(wsam_convert(in_folder("c.safetensors"), in_folder("c.wsam"), &o, &error), &error);
    model = backbone_open("c.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_str_eq(wsam_model_string(model, "backbone.positions"), "size");
    wsam_model_close(model);
}

Test(backbone_names, wrong_kind)
{
    wsam_backbone *backbone = NULL;
    wsam_clues *clues = NULL;
    wsam_error error = {0};
    backbone_twin("weaktr_mini", "w.safetensors");
    backbone_convert("w.safetensors", "w.wsam", WSAM_FILE_F32, NULL, 0);
    wsam_model *model = backbone_open("w.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_eq(wsam_backbone_create(model, &backbone, &error), WSAM_ERR_MISMATCH);
    cr_expect_null(backbone);
    wsam_model_close(model);
    backbone_twin("dino_mini", "a.safetensors");
    backbone_convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    model = backbone_open("a.wsam", 1, WSAM_LOWERING_AUTO);
    cr_expect_eq(wsam_clues_create(model, &clues, &error), WSAM_ERR_MISMATCH);
    wsam_model_close(model);
}

static int stop(void *user, double fraction)
{
    (void)user, (void)fraction;
    return 1;
}

Test(backbone_names, cancelled)
{
    wsam_backbone *backbone = NULL;
    wsam_backbone_result *result = NULL;
    wsam_backbone_params params;
    wsam_picture picture = {0};
    wsam_error error = {0};
    backbone_twin("dino_mini", "a.safetensors");
    backbone_convert("a.safetensors", "a.wsam", WSAM_FILE_F32, NULL, 0);
    wsam_model *model = backbone_open("a.wsam", 1, WSAM_LOWERING_AUTO);
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
