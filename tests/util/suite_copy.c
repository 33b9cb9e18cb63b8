/* tests/util/suite_copy.c - see suite_copy.h. */
#include "tests/util/suite_copy.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/suite_folder.h"
#include "tests/util/util_torch.h"
#include "weights/import/source.h"

/* The Hugging Face name of a published one. */
static void hugging_face_name(const char *name, char out[256])
{
    static const char *const rules[][2] = {
        {"image_encoder.", "vision_encoder."},
        {"vision_encoder.blocks.", "vision_encoder.layers."},
        {"patch_embed.proj.", "patch_embed.projection."},
        {"neck.0.", "neck.conv1."},
        {"neck.1.", "neck.layer_norm1."},
        {"neck.2.", "neck.conv2."},
        {"neck.3.", "neck.layer_norm2."},
        {".norm1.", ".layer_norm1."},
        {".norm2.", ".layer_norm2."},
        {".norm3.", ".layer_norm3."},
        {".norm4.", ".layer_norm4."},
        {".norm_final_attn.", ".layer_norm_final_attn."},
        {"prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
         "shared_image_embedding.positional_embedding"},
        {".point_embeddings.", ".point_embed."},
        {".mask_downscaling.0.", ".mask_embed.conv1."},
        {".mask_downscaling.1.", ".mask_embed.layer_norm1."},
        {".mask_downscaling.3.", ".mask_embed.conv2."},
        {".mask_downscaling.4.", ".mask_embed.layer_norm2."},
        {".mask_downscaling.6.", ".mask_embed.conv3."},
        {".output_upscaling.0.", ".upscale_conv1."},
        {".output_upscaling.1.", ".upscale_layer_norm."},
        {".output_upscaling.3.", ".upscale_conv2."}};
    static const char *const heads[][2] = {
        {".layers.0.", ".proj_in."}, {".layers.1.", ".layers.0."}, {".layers.2.", ".proj_out."}};
    const int head = strstr(name, "_mlps.") || strstr(name, "iou_prediction_head.");
    const size_t n = head ? 3 : sizeof rules / sizeof rules[0];
    strcpy(out, name);
    for (size_t i = 0; i < n; i++) {
        const char *from = head ? heads[i][0] : rules[i][0], *to = head ? heads[i][1] : rules[i][1];
        char rest[256], *at = strstr(out, from);
        if (!at)
            continue;
        strcpy(rest, at + strlen(from));
        strcpy(at, to);
        strcat(at, rest);
        if (head)
            break;
    }
}

static int is(const char *name, const char *which)
{
    return which && strcmp(name, which) == 0;
}

/* A half of a value whose lower mantissa bits are zero. */
static uint16_t half_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    const int exponent = (int)(u >> 23 & 255) - 112;
    if (exponent <= 0)
        return (uint16_t)(u >> 16 & 0x8000);
    return (uint16_t)((u >> 16 & 0x8000) | (uint32_t)exponent << 10 | (u >> 13 & 1023));
}

static void put_values(ws_bytes *data, float *values, uint64_t n, int half)
{
    if (!half) {
        ws_bytes_put(data, values, n * sizeof *values);
        return;
    }
    for (uint64_t i = 0; i < n; i++)
        ws_bytes_put_u16(data, half_of(values[i]));
}

void copy_edited(const char *from, const char *to, const edit *e)
{
    ws_source *s = NULL;
    wsam_error error;
    ws_bytes head = {0}, data = {0}, size = {0};
    cr_assert_eq(ws_source_open(in_folder(from), &s, &error), WSAM_OK, "%s", error.message);
    ws_bytes_put(&head, "{", 1);
    for (size_t i = 0; i < s->n_tensors; i++) {
        const ws_source_tensor *t = &s->tensors[i];
        char text[512], name[256];
        uint64_t n = ws_source_elements(t);
        float *values = malloc(n * sizeof *values);
        cr_assert_eq(ws_source_read(s, t, values, &error), WSAM_OK);
        if (is(t->name, e->spoil))
            values[0] = INFINITY;
        uint32_t first = t->dims[0];
        if (is(t->name, e->reshape)) {
            n -= n / first;
            first--;
        }
        snprintf(name, sizeof name, "%s", t->name);
        if (e->hugging_face)
            hugging_face_name(t->name, name);
        if (!is(t->name, e->drop)) {
            const size_t begin = data.size;
            put_values(&data, values, n, e->half);
            snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%u",
                     head.size > 1 ? "," : "", name, e->half ? "F16" : "F32", first);
            ws_bytes_put(&head, text, strlen(text));
            for (int d = 1; d < t->rank; d++) {
                snprintf(text, sizeof text, ",%u", t->dims[d]);
                ws_bytes_put(&head, text, strlen(text));
            }
            snprintf(text, sizeof text, "],\"data_offsets\":[%zu,%zu]}", begin, data.size);
            ws_bytes_put(&head, text, strlen(text));
        }
        free(values);
    }
    if (e->add) {
        char text[256];
        const size_t begin = data.size;
        ws_bytes_put_u64(&data, 0);
        snprintf(text, sizeof text,
                 ",\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[%zu,%zu]}", e->add,
                 begin, data.size);
        ws_bytes_put(&head, text, strlen(text));
    }
    ws_bytes_put(&head, "}", 1);
    ws_bytes_put_u64(&size, head.size);
    FILE *f = fopen(in_folder(to), "wb");
    cr_assert(f && fwrite(size.data, 1, size.size, f) == size.size);
    cr_assert_eq(fwrite(head.data, 1, head.size, f), head.size);
    cr_assert_eq(fwrite(data.data, 1, data.size, f), data.size);
    fclose(f);
    free(head.data);
    free(data.data);
    free(size.data);
    ws_source_close(s);
}

void copy_torch(const char *from, const char *to, int legacy)
{
    enum { MOST = 300 };
    ws_source *s = NULL;
    wsam_error error;
    static torch_tensor tensors[MOST];
    static zip_member members[2];
    ws_bytes pickle = {0}, out = {0}, data = {0};
    cr_assert_eq(ws_source_open(in_folder(from), &s, &error), WSAM_OK, "%s", error.message);
    cr_assert_leq(s->n_tensors, MOST);
    for (size_t i = 0; i < s->n_tensors; i++) { /* all are views of one storage */
        const ws_source_tensor *t = &s->tensors[i];
        const uint64_t n = ws_source_elements(t);
        const int turned = t->rank == 2 && strncmp(t->name, "image_encoder.", 14) == 0;
        float *values = malloc(n * sizeof *values);
        cr_assert_eq(ws_source_read(s, t, values, &error), WSAM_OK);
        tensors[i] = (torch_tensor){.name = t->name,
                                    .type = "FloatStorage",
                                    .key = "0",
                                    .offset = (uint32_t)(data.size / 4),
                                    .rank = t->rank};
        for (int d = 0; d < t->rank; d++) {
            tensors[i].dims[d] = t->dims[d];
            tensors[i].strides[d] = (uint32_t)t->strides[d];
        }
        if (turned) {
            tensors[i].strides[0] = 1;
            tensors[i].strides[1] = t->dims[0];
        }
        for (uint64_t j = 0; turned && j < n; j++)
            ws_bytes_put(&data, &values[j % t->dims[0] * t->dims[1] + j / t->dims[0]],
                         sizeof *values);
        if (!turned)
            ws_bytes_put(&data, values, n * sizeof *values);
        free(values);
    }
    for (size_t i = 0; i < s->n_tensors; i++)
        tensors[i].elements = (uint32_t)(data.size / 4);
    torch_pickle(&pickle, tensors, (int)s->n_tensors, legacy ? TORCH_LEGACY : TORCH_NESTED);
    if (legacy) {
        const legacy_storage storage = {"0", data.data, data.size, data.size / 4};
        legacy_write(&out, &pickle, &storage, 1);
    } else {
        members[0] = (zip_member){"x/data.pkl", pickle.data, pickle.size, 0};
        members[1] = (zip_member){"x/data/0", data.data, data.size, 0};
        zip_write(&out, members, 2, 1);
    }
    FILE *f = fopen(in_folder(to), "wb");
    cr_assert(f && fwrite(out.data, 1, out.size, f) == out.size);
    fclose(f);
    free(pickle.data);
    free(out.data);
    free(data.data);
    ws_source_close(s);
}
