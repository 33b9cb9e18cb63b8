/* weights/import/pickle_values.c - the numbers of numpy's arrays in a pickle, whatever their type. */
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "weights/import/pickle_machine.h"

/* An array's bytes, and those that were decoded for it. */
typedef struct array_bytes {
    const unsigned char *at;
    size_t n;
    unsigned char *owned;
} array_bytes;

static wsam_status bad(const ws_pickle *p, const char *why, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT, "%s: %s", p->path, why);
}

size_t ws_pickle_decode_latin(const ws_node *text, unsigned char *to, int *good)
{
    const unsigned char *from = (const unsigned char *)text->text, *end = from + text->length;
    size_t n = 0;
    *good = 1;
    while (from < end) {
        unsigned char byte = *from++;
        if (byte >= 0x80) {
            if ((byte != 0xc2 && byte != 0xc3) || from == end || (*from & 0xc0) != 0x80) {
                *good = 0;
                return n;
            }
            byte = (unsigned char)((byte & 3) << 6 | (*from++ & 0x3f));
        }
        to[n++] = byte;
    }
    return n;
}

static wsam_status open_bytes(const ws_pickle *p, const ws_node *storage, array_bytes *b,
                              wsam_error *error)
{
    int good = 1;
    *b = (array_bytes){(const unsigned char *)storage->text, storage->text ? storage->length : 0,
                       NULL};
    if (!storage->latin || !storage->text)
        return WSAM_OK;
    b->at = b->owned = malloc(b->n + 1);
    if (!b->owned)
        return ws_no_memory(error, p->path);
    b->n = ws_pickle_decode_latin(storage, b->owned, &good);
    return good ? WSAM_OK : bad(p, "an array's text has characters that are no bytes", error);
}

/* A little-endian number of `bytes` bytes; `kind` is f, i, u or b. */
static double number_of(uint64_t bits, char kind, size_t bytes)
{
    float f;
    double d;
    const uint32_t low = (uint32_t)bits;
    const int unused = (int)(64 - 8 * bytes);
    if (kind != 'f')
        return kind == 'i' ? (double)((int64_t)(bits << unused) >> unused) : (double)bits;
    if (bytes == 2)
        return (double)ws_half_to_float((uint16_t)bits);
    if (bytes == 4) {
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    memcpy(&d, &bits, sizeof d);
    return d;
}

static double element(const unsigned char *at, char kind, size_t bytes, int swapped)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < bytes; i++)
        bits = bits << 8 | at[swapped ? i : bytes - 1 - i];
    return number_of(bits, kind, bytes);
}

/* Sizes, strides in elements, and the number of elements; strides fill the storage exactly. */
static int read_shape(const ws_pickle *p, const ws_node *array, size_t most, ws_pickle_numbers *out,
                      uint64_t strides[WS_SOURCE_RANK])
{
    uint32_t a = p->nodes[array->size].first, b = p->nodes[array->stride].first;
    int none = 0;
    out->n = 1;
    for (; a && b; a = p->cells[a].next, b = p->cells[b].next) {
        const uint64_t size = (uint64_t)p->nodes[p->cells[a].node].number;
        if (out->rank == WS_SOURCE_RANK)
            return 0;
        strides[out->rank] = (uint64_t)p->nodes[p->cells[b].node].number;
        out->dims[out->rank++] = size;
        none |= !size;
        if (size && out->n > SIZE_MAX / size)
            return 0;
        out->n *= size ? size : 1;
    }
    if (none)
        out->n = 0;
    return !a && !b && out->n <= most;
}

static void copy(const ws_node *array, const unsigned char *bytes, size_t each,
                 const uint64_t strides[WS_SOURCE_RANK], ws_pickle_numbers *out)
{
    uint64_t at[WS_SOURCE_RANK] = {0};
    for (size_t i = 0; i < out->n; i++) {
        uint64_t offset = 0;
        for (int d = 0; d < out->rank; d++)
            offset += at[d] * strides[d];
        out->values[i] = element(bytes + offset * each, array->text[0], each, array->swapped);
        for (int d = out->rank - 1; d >= 0 && ++at[d] == out->dims[d]; d--)
            at[d] = 0;
    }
}

wsam_status ws_pickle_numbers_read(const ws_pickle *p, uint32_t node, ws_pickle_numbers *out,
                                   wsam_error *error)
{
    const ws_node *array = &p->nodes[node];
    const size_t each = array->storage ? p->nodes[array->storage].bytes : 0;
    uint64_t strides[WS_SOURCE_RANK];
    array_bytes bytes = {NULL, 0, NULL};
    *out = (ws_pickle_numbers){0};
    if (!array->storage || array->objects)
        return bad(p, "an array of Python objects, not of numbers", error);
    wsam_status status = open_bytes(p, &p->nodes[array->storage], &bytes, error);
    if (!status && !read_shape(p, array, bytes.n / each, out, strides))
        status = bad(p, "an array is larger than its bytes", error);
    else if (!status && !(out->values = malloc((out->n + 1) * sizeof *out->values)))
        status = ws_no_memory(error, p->path);
    if (!status)
        copy(array, bytes.at, each, strides, out);
    out->whole = array->text[0] != 'f';
    out->digits = each == 8 ? 17 : 9;
    free(bytes.owned);
    return status;
}
