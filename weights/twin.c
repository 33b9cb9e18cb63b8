/* weights/twin.c - checkpoints whose values are derived from tensor names: stand-ins for tests,
 * benchmarks and demonstrations. Needs come from the family's own description. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "weights/bytes.h"
#include "weights/family/family.h"

static uint64_t fnv1a64(const char *s)
{
    uint64_t h = 14695981039346656037u;
    for (; *s; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    return h;
}

/* Element i of the uniform stream of a name, in [-1, 1), exact in f32 (SplitMix64's finaliser). */
static float uniform(uint64_t h, uint64_t i)
{
    uint64_t z = h + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (float)((double)(z >> 40) / 8388608.0 - 1.0);
}

static int is_table(const char *last)
{
    static const char *const tables[] = {"pos_embed", "rel_pos_h", "rel_pos_w", "attention_biases",
                                         "positional_encoding_gaussian_matrix"};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(last, tables[i]) == 0)
            return 1;
    return 0;
}

/* value = offset + factor*u, by the name's last part and the rank. */
static void rule(const ws_need *n, float *offset, float *factor)
{
    const char *dot = strrchr(n->name, '.'), *last = dot ? dot + 1 : n->name;
    double fan = 1.0;
    for (int d = 1; d < n->rank; d++)
        fan *= n->dims[d];
    *offset = 0.0f;
    if (is_table(last)) {
        *factor = 0.5f;
    } else if (n->rank >= 2) {
        *factor = (float)(1.0 / sqrt(fan));
    } else if (strcmp(last, "weight") == 0) {
        *offset = 1.0f;
        *factor = 0.25f;
    } else if (strcmp(last, "running_var") == 0) {
        *offset = 1.0f;
        *factor = 0.5f;
    } else {
        *factor = 0.1f;
    }
}

static uint64_t elements(const ws_need *n)
{
    uint64_t e = 1;
    for (int d = 0; d < n->rank; d++)
        e *= n->dims[d];
    return e;
}

static int write_values(FILE *f, const ws_need *n, int outliers)
{
    float chunk[4096], offset, factor;
    const uint64_t h = fnv1a64(n->name), count = elements(n);
    const char *dot = strrchr(n->name, '.');
    const int weight = n->rank == 1 && dot && strcmp(dot, ".weight") == 0;
    rule(n, &offset, &factor);
    for (uint64_t i = 0; i < count;) {
        size_t used = 0;
        for (; used < 4096 && i < count; used++, i++) {
            chunk[used] = offset + factor * uniform(h, i);
            if (outliers && weight && i % 61 == 7)
                chunk[used] *= 10.0f;
        }
        if (fwrite(chunk, sizeof chunk[0], used, f) != used)
            return 1;
    }
    return 0;
}

static void put_text(ws_bytes *b, const char *text)
{
    ws_bytes_put(b, text, strlen(text));
}

/* The safetensors header: names are plain ASCII, nothing to escape. `notes` carries what shapes do
 * not. */
static void put_header(ws_bytes *b, const ws_builder *needs, const ws_family *f)
{
    char text[512];
    uint64_t offset = 0;
    snprintf(text, sizeof text,
             "{\"__metadata__\":{\"weaksam.heads\":\"%u\",\"weaksam.image_size\":\"%u\"}",
             f->vit.heads, f->kind == WS_FAMILY_TINY ? f->tiny.image : f->vit.image);
    put_text(b, text);
    for (size_t i = 0; i < ws_need_count(needs); i++) {
        const ws_need *n = ws_need_at(needs, i);
        snprintf(text, sizeof text, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[", n->name);
        put_text(b, text);
        for (int d = 0; d < n->rank; d++) {
            snprintf(text, sizeof text, "%s%u", d ? "," : "", n->dims[d]);
            put_text(b, text);
        }
        snprintf(text, sizeof text, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)offset,
                 (unsigned long long)(offset + 4 * elements(n)));
        put_text(b, text);
        offset += 4 * elements(n);
    }
    put_text(b, "}");
    while (b->size % 8)
        put_text(b, " ");
}

static wsam_status write_file(const ws_builder *needs, const ws_family *f, int outliers,
                              const char *path, wsam_error *error)
{
    ws_bytes head = {0}, length = {0};
    ws_outputs files = {0};
    put_header(&head, needs, f);
    ws_bytes_put_u64(&length, head.size);
    FILE *out = NULL;
    wsam_status status = WSAM_OK;
    if (head.failed || length.failed)
        status = ws_no_memory(error, path);
    else if (!(out = ws_outputs_open(&files, path, error)))
        status = WSAM_ERR_IO;
    int failed = status || fwrite(length.data, 1, length.size, out) != length.size ||
                 fwrite(head.data, 1, head.size, out) != head.size;
    for (size_t i = 0; i < ws_need_count(needs) && !failed; i++)
        failed = write_values(out, ws_need_at(needs, i), outliers);
    if (out) /* tells of a failed write, too */
        status = ws_outputs_close(&files, error);
    status = ws_outputs_finish(&files, status, error);
    free(head.data);
    free(length.data);
    return status;
}

wsam_status wsam_write_twin(const char *family, const char *out, int outliers, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_convert_options options;
    ws_family f;
    if (!family || !out)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_write_twin: no family or no path given");
    wsam_convert_options_default(&options);
    wsam_status status = ws_family_by_name(family, &f, error);
    if (status)
        return status;
    ws_builder *needs = ws_builder_new(NULL, &options, error);
    if (!needs)
        return WSAM_ERR_MEMORY;
    ws_family_describe(&f, needs);
    status = ws_builder_status(needs, error);
    if (!status)
        status = write_file(needs, &f, outliers, out, error);
    ws_builder_free(needs);
    return status;
}
