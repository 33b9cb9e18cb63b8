/* weights/import/safetensors.c - the safetensors container: u64 header length, JSON header, bytes.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parse.h"
#include "weights/import/source.h"

enum { HEADER_CAP = 16 << 20 }; /* published SAM headers are below 100 kB */

typedef struct range {
    uint64_t begin, end;
} range;

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* A JSON number that is a whole one within 2^53. */
static int whole(const cJSON *item, uint64_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0.0) ||
        item->valuedouble > 9007199254740992.0)
        return 0;
    *out = (uint64_t)item->valuedouble;
    return fabs(item->valuedouble - (double)*out) <= 0.0;
}

static int dtype_of(const char *text, ws_dtype *dtype, size_t *bytes)
{
    static const struct {
        const char *name;
        ws_dtype dtype;
        size_t bytes;
    } known[] = {{"F32", WS_DTYPE_F32, 4},   {"F64", WS_DTYPE_F64, 8}, {"F16", WS_DTYPE_F16, 2},
                 {"BF16", WS_DTYPE_BF16, 2}, {"I64", WS_DTYPE_INT, 8}, {"I32", WS_DTYPE_INT, 4},
                 {"U64", WS_DTYPE_INT, 8},   {"U32", WS_DTYPE_INT, 4}, {"I16", WS_DTYPE_INT, 2},
                 {"U16", WS_DTYPE_INT, 2},   {"I8", WS_DTYPE_INT, 1},  {"U8", WS_DTYPE_INT, 1},
                 {"BOOL", WS_DTYPE_INT, 1}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, text) == 0) {
            *dtype = known[i].dtype;
            *bytes = known[i].bytes;
            return 1;
        }
    return 0;
}

static wsam_status parse_shape(const ws_source *s, const cJSON *shape, ws_source_tensor *t,
                               uint64_t *elements, wsam_error *error)
{
    const cJSON *item;
    uint64_t dim;
    *elements = 1;
    if (!cJSON_IsArray(shape))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' has no shape", s->path, t->name);
    cJSON_ArrayForEach(item, shape)
    {
        if (t->rank == WS_SOURCE_RANK || !whole(item, &dim) || dim > UINT32_MAX)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: tensor '%s' has a bad shape", s->path,
                           t->name);
        if (dim && *elements > ((uint64_t)1 << 40) / dim)
            return ws_fail(error, WSAM_ERR_LIMIT, "%s: tensor '%s' is too large", s->path, t->name);
        t->dims[t->rank++] = (uint32_t)dim;
        *elements *= dim;
    }
    ws_source_contiguous_strides(t);
    return WSAM_OK;
}

static wsam_status parse_tensor(ws_source *s, const cJSON *item, uint64_t data, range *extent,
                                wsam_error *error)
{
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    ws_source_tensor *t;
    size_t bytes = 0;
    uint64_t elements;
    wsam_status status = ws_source_add(s, item->string, &t, error);
    if (status)
        return status;
    if (!cJSON_IsString(dtype) || !dtype_of(dtype->valuestring, &t->dtype, &bytes))
        return ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: tensor '%s' has an unknown type", s->path,
                       t->name);
    status = parse_shape(s, cJSON_GetObjectItemCaseSensitive(item, "shape"), t, &elements, error);
    if (status)
        return status;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !whole(cJSON_GetArrayItem(offsets, 0), &extent->begin) ||
        !whole(cJSON_GetArrayItem(offsets, 1), &extent->end) || extent->end < extent->begin ||
        extent->end > s->size - data || extent->end - extent->begin != elements * bytes)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: tensor '%s' has offsets that do not fit its shape", s->path, t->name);
    t->offset = data + extent->begin;
    return WSAM_OK;
}

static void parse_notes(ws_source *s, const cJSON *metadata)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, metadata)
    {
        ws_source_note *note = &s->notes[s->n_notes];
        if (s->n_notes == sizeof s->notes / sizeof s->notes[0])
            return;
        if (!cJSON_IsString(item) || strlen(item->string) >= sizeof note->key ||
            strlen(item->valuestring) >= sizeof note->value)
            continue;
        snprintf(note->key, sizeof note->key, "%s", item->string);
        snprintf(note->value, sizeof note->value, "%s", item->valuestring);
        s->n_notes++;
    }
}

/* The ranges must tile the buffer: no holes, no overlaps. */
static wsam_status check_ranges(const ws_source *s, range *ranges, size_t n, uint64_t bytes,
                                wsam_error *error)
{
    uint64_t at = 0;
    if (n)
        qsort(ranges, n, sizeof *ranges, by_begin);
    for (size_t i = 0; i < n; at = ranges[i++].end)
        if (ranges[i].begin != at)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "%s: tensor data has a hole or an overlap at %llu", s->path,
                           (unsigned long long)ranges[i].begin);
    if (at != bytes)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: %llu bytes of data, the header tells of %llu",
                       s->path, (unsigned long long)bytes, (unsigned long long)at);
    return WSAM_OK;
}

static wsam_status parse_header(ws_source *s, const cJSON *root, uint64_t data, wsam_error *error)
{
    if (!cJSON_IsObject(root))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the header is not a JSON object", s->path);
    const size_t n = (size_t)cJSON_GetArraySize(root);
    range *ranges = calloc(n + 1, sizeof *ranges);
    if (!ranges)
        return ws_no_memory(error, s->path);
    wsam_status status = WSAM_OK;
    size_t used = 0;
    for (const cJSON *item = root->child; item && !status; item = item->next) {
        if (strcmp(item->string, "__metadata__") != 0)
            status = parse_tensor(s, item, data, &ranges[used++], error);
        else if (cJSON_IsObject(item))
            parse_notes(s, item);
        else
            status =
                ws_fail(error, WSAM_ERR_FORMAT, "%s: __metadata__ is not a JSON object", s->path);
    }
    if (!status)
        status = check_ranges(s, ranges, used, s->size - data, error);
    free(ranges);
    return status;
}

wsam_status ws_safetensors_read(ws_source *s, wsam_error *error)
{
    unsigned char head[8];
    wsam_status status = ws_source_bytes(s, 0, head, sizeof head, error);
    if (status)
        return status;
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--)
        n = n << 8 | head[i];
    if (n > s->size - 8 || n > HEADER_CAP)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: a safetensors header of %llu bytes", s->path,
                       (unsigned long long)n);
    char *text = malloc((size_t)n);
    if (!text)
        return ws_no_memory(error, s->path);
    status = ws_source_bytes(s, 8, text, (size_t)n, error);
    if (!status) {
        cJSON *root;
        status = ws_json_parse(s->path, 0, text, (size_t)n, &root, error);
        if (!status)
            status = parse_header(s, root, 8 + n, error);
        cJSON_Delete(root);
    }
    free(text);
    return status;
}
