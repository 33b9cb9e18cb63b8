/* pipeline/exchange/label_studio_rle.c - see label_studio_rle.h. */
#include "pipeline/exchange/label_studio_rle.h"

#include <string.h>

enum { CHANNELS = 4, VALUE_BITS = 8 };
static const int length_bits[4] = {3, 4, 8, 16}; /* as Label Studio's own encoder has them */

/* ---- writing ---- */

typedef struct bit_writer {
    ws_text *t;
    unsigned byte;
    int have, any;
} bit_writer;

static void put_bits(bit_writer *w, uint32_t value, int n)
{
    while (n-- > 0) {
        w->byte = w->byte << 1 | (value >> n & 1);
        if (++w->have == 8) {
            ws_text_printf(w->t, w->any ? ",%u" : "%u", w->byte);
            w->byte = 0;
            w->have = 0;
            w->any = 1;
        }
    }
}

static void put_run(bit_writer *w, size_t length, int value)
{
    while (length) {
        const size_t n = length < 65536 ? length : 65536;
        int size = 0;
        while (n - 1 >= (size_t)1 << length_bits[size])
            size++;
        put_bits(w, 1, 1);
        put_bits(w, (uint32_t)size, 2);
        put_bits(w, (uint32_t)(n - 1), length_bits[size]);
        put_bits(w, value ? 255 : 0, VALUE_BITS);
        length -= n;
    }
}

void ws_label_studio_rle_put(ws_text *t, const uint8_t *rows, size_t pixels)
{
    bit_writer w = {.t = t};
    ws_text_put(t, "[", 1);
    put_bits(&w, (uint32_t)(CHANNELS * pixels), 32);
    put_bits(&w, VALUE_BITS - 1, 5);
    for (int k = 0; k < 4; k++)
        put_bits(&w, (uint32_t)length_bits[k] - 1, 4);
    for (size_t from = 0, to; from < pixels; from = to) {
        for (to = from + 1; to < pixels && !rows[to] == !rows[from]; to++)
            ;
        put_run(&w, CHANNELS * (to - from), rows[from] != 0);
    }
    while (w.have)
        put_bits(&w, 0, 1);
    ws_text_put(t, "]", 1);
}

/* ---- reading ---- */

typedef struct bit_reader {
    const uint8_t *bytes;
    size_t n, at; /* at: in bits */
    int failed;
} bit_reader;

static uint32_t get_bits(bit_reader *r, int n)
{
    uint32_t value = 0;
    for (; n > 0; n--, r->at++) {
        if (r->at / 8 >= r->n) {
            r->failed = 1;
            return 0;
        }
        value = value << 1 | (r->bytes[r->at / 8] >> (7 - r->at % 8) & 1);
    }
    return value;
}

wsam_status ws_label_studio_rle_read(const uint8_t *bytes, size_t n, uint8_t *rows, size_t pixels,
                                     wsam_error *error)
{
    bit_reader r = {.bytes = bytes, .n = n};
    int bits[4];
    const size_t total = get_bits(&r, 32);
    const int value_bits = (int)get_bits(&r, 5) + 1;
    for (int k = 0; k < 4; k++)
        bits[k] = (int)get_bits(&r, 4) + 1;
    if (r.failed || total != CHANNELS * pixels)
        return ws_fail(error, WSAM_ERR_FORMAT, "a brush mask of %zu values for %zu pixels", total,
                       pixels);
    for (size_t i = 0; i < total && !r.failed;) {
        const int run = (int)get_bits(&r, 1);
        const size_t size = get_bits(&r, 2), length = (size_t)get_bits(&r, bits[size]) + 1;
        uint32_t value = run ? get_bits(&r, value_bits) : 0;
        if (length > total - i)
            r.failed = 1;
        for (const size_t end = i + length; i < end && !r.failed; i++) {
            if (!run)
                value = get_bits(&r, value_bits);
            if (i % CHANNELS == CHANNELS - 1)
                rows[i / CHANNELS] = value != 0;
        }
    }
    return r.failed ? ws_fail(error, WSAM_ERR_FORMAT, "a damaged brush mask") : WSAM_OK;
}
