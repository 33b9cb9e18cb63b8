/* Checkpoint containers: what is read, and that nothing damaged, absurd or hostile is. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/suite_import.h"

/* ---- what is read ---- */

Test(import, zip)
{
    ws_bytes b = {0};
    zip_of(&b, plain, 2, TORCH_BUILD);
    ws_source *s = must_open(&b);
    cr_expect_eq(s->n_tensors, 2);
    expect_values(s, "layer.weight", six, 6);
    expect_values(s, "layer.bias", three, 3);
    ws_source_close(s);
    free(b.data);
}

Test(import, zip64)
{
    ws_bytes b = {0}, pickle = {0};
    torch_pickle(&pickle, plain, 2, 0);
    const zip_member members[] = {{"a/data.pkl", pickle.data, pickle.size, 0},
                                  {"a/data/0", six, sizeof six, 0},
                                  {"a/data/1", three, sizeof three, 0},
                                  {"a/byteorder", "little", 6, 0}};
    zip_write(&b, members, 4, 1);
    ws_source *s = must_open(&b);
    expect_values(s, "layer.weight", six, 6);
    expect_values(s, "layer.bias", three, 3);
    ws_source_close(s);
    free(b.data);
    free(pickle.data);
}

Test(import, legacy)
{
    ws_bytes b = {0}, object = {0};
    const legacy_storage storages[] = {{"1", three, sizeof three, 3}, {"0", six, sizeof six, 6}};
    torch_pickle(&object, plain, 2, TORCH_LEGACY);
    legacy_write(&b, &object, storages, 2);
    ws_source *s = must_open(&b);
    expect_values(s, "layer.weight", six, 6);
    expect_values(s, "layer.bias", three, 3);
    ws_source_close(s);
    free(b.data);
    free(object.data);
}

/* Views of one storage: an offset, a transposed matrix, every other element. */
Test(import, strides)
{
    static const torch_tensor views[] = {
        {"tail", "FloatStorage", "0", 6, 3, 1, {3}, {1}},
        {"transposed", "FloatStorage", "0", 6, 0, 2, {3, 2}, {1, 3}},
        {"channels_last", "FloatStorage", "0", 6, 0, 4, {1, 2, 3, 1}, {6, 1, 2, 2}},
        {"even", "FloatStorage", "0", 6, 0, 1, {3}, {2}}};
    static const float transposed[] = {0.5f, 3.25f, -1.0f, -4.0f, 2.0f, 5.5f};
    static const float last[] = {0.5f, 2.0f, -4.0f, -1.0f, 3.25f, 5.5f};
    static const float even[] = {0.5f, 2.0f, -4.0f};
    ws_bytes b = {0};
    zip_of(&b, views, 4, 0);
    ws_source *s = must_open(&b);
    expect_values(s, "tail", six + 3, 3);
    expect_values(s, "transposed", transposed, 6);
    expect_values(s, "channels_last", last, 6);
    expect_values(s, "even", even, 3);
    ws_source_close(s);
    free(b.data);
}

/* f16, bf16 and f64 come out as f32; integers are known and not read. */
Test(import, types)
{
    static const uint16_t half[] = {0x3800, 0xbc00, 0x0001, 0x7bff}, bfloat[] = {0x3f00, 0xc000};
    static const double wide[] = {0.1, -3.0};
    static const int64_t counter[] = {7};
    static const float from_half[] = {0.5f, -1.0f, 0x1p-24f, 65504.0f},
                       from_bfloat[] = {0.5f, -2.0f}, from_wide[] = {0.1f, -3.0f};
    static const torch_tensor tensors[] = {{"half", "HalfStorage", "h", 4, 0, 1, {4}, {1}},
                                           {"bfloat", "BFloat16Storage", "b", 2, 0, 1, {2}, {1}},
                                           {"wide", "DoubleStorage", "d", 2, 0, 1, {2}, {1}},
                                           {"count", "LongStorage", "l", 1, 0, 0, {0}, {0}}};
    ws_bytes b = {0}, pickle = {0};
    torch_pickle(&pickle, tensors, 4, 0);
    const zip_member members[] = {{"a/data.pkl", pickle.data, pickle.size, 0},
                                  {"a/data/h", half, sizeof half, 0},
                                  {"a/data/b", bfloat, sizeof bfloat, 0},
                                  {"a/data/d", wide, sizeof wide, 0},
                                  {"a/data/l", counter, sizeof counter, 0}};
    zip_write(&b, members, 5, 0);
    ws_source *s = must_open(&b);
    expect_values(s, "half", from_half, 4);
    expect_values(s, "bfloat", from_bfloat, 2);
    expect_values(s, "wide", from_wide, 2);
    const ws_source_tensor *count = ws_source_find(s, "count");
    cr_assert_not_null(count);
    cr_expect_eq(count->dtype, WS_DTYPE_INT);
    float none;
    cr_expect_eq(ws_source_read(s, count, &none, NULL), WSAM_ERR_UNSUPPORTED);
    ws_source_close(s);
    free(b.data);
    free(pickle.data);
}

Test(import, nested_and_prefixed)
{
    static const torch_tensor tensors[] = {
        {"module.layer.weight", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}}};
    ws_bytes b = {0};
    zip_of(&b, tensors, 1, TORCH_NESTED | TORCH_BUILD);
    ws_source *s = must_open(&b);
    expect_values(s, "layer.weight", six, 6);
    ws_source_close(s);
    free(b.data);
}

/* ---- Hugging Face names ---- */

Test(import, published_names)
{
    static const char *const pairs[][2] = {
        {"vision_encoder.pos_embed", "image_encoder.pos_embed"},
        {"vision_encoder.patch_embed.projection.bias", "image_encoder.patch_embed.proj.bias"},
        {"vision_encoder.layers.11.layer_norm2.weight", "image_encoder.blocks.11.norm2.weight"},
        {"vision_encoder.layers.0.attn.rel_pos_h", "image_encoder.blocks.0.attn.rel_pos_h"},
        {"vision_encoder.layers.3.mlp.lin1.bias", "image_encoder.blocks.3.mlp.lin1.bias"},
        {"vision_encoder.neck.conv2.weight", "image_encoder.neck.2.weight"},
        {"vision_encoder.neck.layer_norm2.bias", "image_encoder.neck.3.bias"},
        {"shared_image_embedding.positional_embedding",
         "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"},
        {"prompt_encoder.point_embed.2.weight", "prompt_encoder.point_embeddings.2.weight"},
        {"prompt_encoder.mask_embed.conv3.bias", "prompt_encoder.mask_downscaling.6.bias"},
        {"prompt_encoder.mask_embed.layer_norm2.weight",
         "prompt_encoder.mask_downscaling.4.weight"},
        {"prompt_encoder.no_mask_embed.weight", "prompt_encoder.no_mask_embed.weight"},
        {"mask_decoder.transformer.layers.1.layer_norm4.bias",
         "mask_decoder.transformer.layers.1.norm4.bias"},
        {"mask_decoder.transformer.layers.0.self_attn.q_proj.weight",
         "mask_decoder.transformer.layers.0.self_attn.q_proj.weight"},
        {"mask_decoder.transformer.layer_norm_final_attn.weight",
         "mask_decoder.transformer.norm_final_attn.weight"},
        {"mask_decoder.upscale_conv2.bias", "mask_decoder.output_upscaling.3.bias"},
        {"mask_decoder.upscale_layer_norm.bias", "mask_decoder.output_upscaling.1.bias"},
        {"mask_decoder.output_hypernetworks_mlps.3.proj_in.weight",
         "mask_decoder.output_hypernetworks_mlps.3.layers.0.weight"},
        {"mask_decoder.output_hypernetworks_mlps.3.layers.0.weight",
         "mask_decoder.output_hypernetworks_mlps.3.layers.1.weight"},
        {"mask_decoder.iou_prediction_head.proj_out.bias",
         "mask_decoder.iou_prediction_head.layers.2.bias"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char name[WS_SOURCE_NAME + 1];
        strcpy(name, pairs[i][0]);
        ws_names_published(name);
        cr_expect_str_eq(name, pairs[i][1]);
    }
}

/* ---- damage: every container ---- */

/* A container may only be read whole: every shorter file is refused. */
static void refuse_all_prefixes(const ws_bytes *b, const char *what)
{
    for (size_t n = 0; n < b->size; n++) {
        ws_source *s = NULL;
        wsam_error error;
        const wsam_status status = open_bytes(b->data, n, &s, &error);
        cr_assert_neq(status, WSAM_OK, "%s: %zu of %zu bytes were accepted", what, n, b->size);
        cr_assert(error.message[0] && !strchr(error.message, '\n'));
    }
}

/* No flipped byte may do more than give another tensor or an error. */
static void survive_all_flips(const ws_bytes *b)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    float values[64];
    for (size_t i = 0; i < 3 * b->size; i++) {
        ws_source *s = NULL;
        wsam_error error;
        b->data[i / 3] ^= flips[i % 3];
        if (open_bytes(b->data, b->size, &s, &error) == WSAM_OK)
            for (size_t t = 0; t < s->n_tensors; t++)
                if (ws_source_elements(&s->tensors[t]) <= 64)
                    ws_source_read(s, &s->tensors[t], values, NULL);
        ws_source_close(s);
        b->data[i / 3] ^= flips[i % 3];
    }
}

Test(import, damaged_zip)
{
    ws_bytes b = {0};
    zip_of(&b, plain, 2, TORCH_BUILD);
    refuse_all_prefixes(&b, "zip");
    survive_all_flips(&b);
    free(b.data);
}

Test(import, damaged_legacy)
{
    ws_bytes b = {0}, object = {0};
    const legacy_storage storages[] = {{"0", six, sizeof six, 6}, {"1", three, sizeof three, 3}};
    torch_pickle(&object, plain, 2, TORCH_LEGACY);
    legacy_write(&b, &object, storages, 2);
    refuse_all_prefixes(&b, "legacy");
    survive_all_flips(&b);
    free(b.data);
    free(object.data);
}

Test(import, no_checkpoint)
{
    static const char text[] = "Dear reader, this is a letter and no checkpoint at all.\n";
    ws_source *s = NULL;
    wsam_error error;
    ws_bytes b = {0};
    must_refuse(&b, "empty", "an empty file");
    ws_bytes_put(&b, text, sizeof text - 1);
    must_refuse(&b, "not a checkpoint", "a letter");
    free(b.data);
    cr_expect_eq(ws_source_open("/tmp", &s, &error), WSAM_ERR_IO);
    cr_expect(strstr(error.message, "directory"), "%s", error.message);
    cr_expect_eq(ws_source_open("/nowhere/at/all", &s, &error), WSAM_ERR_IO);
    cr_expect(strstr(error.message, "No such file"), "%s", error.message);
    cr_expect_eq(ws_source_open("/dev/null", &s, &error), WSAM_ERR_IO);
}

/* A file that shrinks while it is open gives an error, no signal. */
Test(import, shrinking_file)
{
    ws_bytes b = {0};
    char path[64];
    float values[16];
    ws_source *s = NULL;
    wsam_error error;
    zip_of(&b, plain, 2, 0);
    temporary_file(path, b.data, b.size);
    cr_assert_eq(ws_source_open(path, &s, &error), WSAM_OK);
    cr_assert_eq(truncate(path, 100), 0);
    cr_expect_eq(ws_source_read(s, ws_source_find(s, "layer.weight"), values, &error), WSAM_ERR_IO);
    cr_expect(strstr(error.message, "shrank"), "%s", error.message);
    ws_source_close(s);
    unlink(path);
    free(b.data);
}

/* ---- zip ---- */

typedef struct zip_case {
    const char *what, *mention;
    zip_member members[5];
    int n;
} zip_case;

Test(import, bad_members)
{
    ws_bytes pickle = {0}, b = {0};
    torch_pickle(&pickle, plain, 2, 0);
    const zip_member p = {"a/data.pkl", pickle.data, pickle.size, 0},
                     d0 = {"a/data/0", six, sizeof six, 0},
                     d1 = {"a/data/1", three, sizeof three, 0};
    const zip_case cases[] = {
        {"a compressed member", "compressed", {p, d0, {"a/data/1", three, 12, 8}}, 3},
        {"a storage that is not there", "no data", {p, d0}, 2},
        {"a storage that is too short", "outside", {p, d0, {"a/data/1", three, 8, 0}}, 3},
        {"no pickle", "not of a PyTorch state dict", {d0, d1}, 2},
        {"two pickles", "not of a PyTorch state dict", {p, d0, d1, {"b/data.pkl", "x", 1, 0}}, 4},
        {"an ordinary zip", "unpack it and convert 'm.pt'", {{"m.pt", three, 12, 8}}, 1},
        {"TorchScript", "TorchScript program", {p, d0, d1, {"a/constants.pkl", "x", 1, 0}}, 4},
        {"big-endian tensors", "little-endian", {p, d0, d1, {"a/byteorder", "big", 3, 0}}, 4},
        {"two members of one name", "one name", {p, d0, d0, d1}, 4},
        {"an empty pickle", "pickle", {{"a/data.pkl", "", 0, 0}, d0, d1}, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        b.size = 0;
        zip_write(&b, cases[i].members, cases[i].n, 0);
        must_refuse(&b, cases[i].mention, cases[i].what);
    }
    free(b.data);
    free(pickle.data);
}

/* Both members' entries lead to the same local header. */
Test(import, overlapping_members)
{
    ws_bytes b = {0};
    zip_of(&b, plain, 2, 0);
    size_t first = 0, entry = 0;
    for (size_t i = b.size - 4; i-- > 0;)
        if (memcmp(b.data + i, "PK\1\2", 4) == 0) {
            if (!entry)
                entry = i;
            first = i;
        }
    memcpy(b.data + entry + 42, b.data + first + 42, 4);
    must_refuse(&b, "overlap", "overlapping members");
    free(b.data);
}

/* ---- legacy ---- */

/* Keys may be told again and again by one memoised string, each with an empty storage. */
Test(import, legacy_keys_again)
{
    enum { TIMES = 1000 };
    ws_bytes b = {0}, object = {0};
    const legacy_storage storages[] = {{"0", six, sizeof six, 6}, {"1", three, sizeof three, 3}};
    torch_pickle(&object, plain, 2, TORCH_LEGACY);
    legacy_write(&b, &object, storages, 0);
    b.size -= 6; /* the list of keys: written anew */
    ws_bytes_put(&b, "\x80\2](", 4);
    torch_put_text(&b, "0");
    ws_bytes_put(&b, "q\0", 2);
    for (int i = 0; i < TIMES; i++)
        ws_bytes_put(&b, "h\0", 2);
    ws_bytes_put(&b, "e.", 2);
    for (int i = 0; i <= TIMES; i++)
        ws_bytes_put_u64(&b, 0);
    must_refuse(&b, "storage", "a key told again");
    free(b.data);
    free(object.data);
}

Test(import, legacy_storages)
{
    static const float many[4] = {0};
    const legacy_storage unknown[] = {{"0", six, sizeof six, 6}, {"7", three, sizeof three, 3}},
                         too_long[] = {{"0", six, sizeof six, 6}, {"1", many, sizeof many, 5}},
                         absurd[] = {{"0", six, sizeof six, (size_t)-1}, {"1", three, 12, 3}},
                         too_short[] = {{"0", six, sizeof six, 6}, {"1", three, 8, 2}},
                         missing[] = {{"0", six, sizeof six, 6}};
    const struct {
        const char *what, *mention;
        const legacy_storage *storages;
        int n;
    } cases[] = {{"an unknown storage", "unknown", unknown, 2},
                 {"a truncated storage", "truncated", too_long, 2},
                 {"an absurd count", "truncated", absurd, 2},
                 {"a storage that is too short", "outside", too_short, 2},
                 {"a storage that is not there", "no data", missing, 1}};
    ws_bytes object = {0};
    torch_pickle(&object, plain, 2, TORCH_LEGACY);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ws_bytes b = {0};
        legacy_write(&b, &object, cases[i].storages, cases[i].n);
        must_refuse(&b, cases[i].mention, cases[i].what);
        free(b.data);
    }
    free(object.data);
}

/* ---- safetensors ---- */

Test(import, safetensors)
{
    ws_bytes b = {0};
    safetensors_of(&b,
                   "{\"__metadata__\":{\"weaksam.heads\":\"3\"},"
                   "\"a\\u002eb\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                   "\"h\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[32,36]},"
                   "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}}  ",
                   36);
    memcpy(b.data + b.size - 36, six, sizeof six);
    ws_source *s = must_open(&b);
    cr_expect_eq(s->n_tensors, 3);
    expect_values(s, "a.b", six, 6);
    cr_expect_str_eq(ws_source_note_value(s, "weaksam.heads"), "3");
    ws_source_close(s);
    refuse_all_prefixes(&b, "safetensors");
    survive_all_flips(&b);
    free(b.data);
}

#define T(name, dtype, shape, from, to)                                                            \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" from "," to   \
    "]}"

Test(import, bad_safetensors)
{
    static const struct {
        const char *what, *mention, *header;
        size_t data;
    } cases[] = {
        {"no JSON", "JSON", "{\"a\":           ", 0},
        {"text behind the object", "JSON", "{}       {}", 0},
        {"a bare name", "JSON", "{a:1}      ", 0},
        {"notes in a list", "__metadata__", "{\"__metadata__\":[\"a\",\"b\"]}", 0},
        {"an unknown type", "type", "{" T("a", "F12", "2", "0", "8") "}", 8},
        {"a tensor that is a number", "type", "{\"a\":1}     ", 0},
        {"a shape of text", "shape",
         "{\"a\":{\"dtype\":\"F32\",\"shape\":\"2\",\"data_offsets\":[0,8]}}", 8},
        {"a fraction of an element", "shape", "{" T("a", "F32", "1.5", "0", "6") "}", 6},
        {"a negative dimension", "shape", "{" T("a", "F32", "-2", "0", "8") "}", 8},
        {"nine dimensions", "shape", "{" T("a", "F32", "1,1,1,1,1,1,1,1,2", "0", "8") "}", 8},
        {"a shape beyond the offsets", "offsets", "{" T("a", "F32", "3", "0", "8") "}", 8},
        {"offsets beyond the file", "offsets", "{" T("a", "F32", "4", "0", "16") "}", 8},
        {"offsets that go back", "offsets", "{" T("a", "F32", "2", "8", "0") "}", 8},
        {"a product beyond 64 bits", "large",
         "{" T("a", "U8", "4294967295,4294967295,4294967295,2", "0", "8") "}", 8},
        {"a product that wraps to the extent", "large",
         "{" T("a", "U8", "65536,131072,2147483648", "0", "0") "}", 0},
        {"a hole", "hole", "{" T("a", "F32", "1", "0", "4") "," T("b", "F32", "1", "8", "12") "}",
         12},
        {"an overlap", "overlap",
         "{" T("a", "F32", "2", "0", "8") "," T("b", "F32", "2", "4", "12") "}", 12},
        {"data that nothing names", "data", "{" T("a", "F32", "2", "0", "8") "}", 12},
        {"one name twice", "twice",
         "{" T("a", "F32", "1", "0", "4") "," T("a", "F32", "1", "4", "8") "}", 8},
        {"one name by a prefix", "twice",
         "{" T("a", "F32", "1", "0", "4") "," T("module.a", "F32", "1", "4", "8") "}", 8}};
    ws_bytes b = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        safetensors_of(&b, cases[i].header, cases[i].data);
        must_refuse(&b, cases[i].mention, cases[i].what);
    }
    safetensors_of(&b, "{}", 8);
    memset(b.data, 0xff, 7);
    must_refuse(&b, "header", "a header of 2^56 bytes");
    free(b.data);
}

Test(import, deep_json)
{
    enum { DEPTH = 100000 };
    ws_bytes b = {0};
    char *text = malloc(DEPTH + 7);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', DEPTH);
    text[DEPTH + 5] = 0;
    safetensors_of(&b, text, 0);
    must_refuse(&b, "JSON", "a hundred thousand brackets");
    free(text);
    free(b.data);
}
