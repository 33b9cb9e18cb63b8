/* kernels/rle.c - run lengths from and to bits and bytes; area, box, validity. */
#include "kernels/rle.h"

#include "base/error.h"

#include <inttypes.h>
#include <string.h>

wsam_status wsam_rle_validate(const wsam_rle *rle, wsam_error *error)
{
    if (rle->height < 1 || rle->width < 1 || ws_rle_pixels(rle) > UINT32_MAX)
        return ws_fail(error, WSAM_ERR_LIMIT, "run lengths: size %d x %d is out of range",
                       rle->width, rle->height);
    /* Stops as soon as it is too much: untrusted counts cannot overflow 64 bits on the way. */
    uint64_t sum = 0;
    for (size_t i = 0; i < rle->n; i++) {
        sum += rle->counts[i];
        if (sum > ws_rle_pixels(rle))
            break;
    }
    if (sum != ws_rle_pixels(rle))
        return ws_fail(error, WSAM_ERR_FORMAT, "run lengths: sum %s than %d x %d pixels",
                       sum > ws_rle_pixels(rle) ? "greater" : "less", rle->width, rle->height);
    return WSAM_OK;
}

/* Where a mask stands in its picture, and which of its words can hold set pixels. */
typedef struct placement {
    int height, width; /* of the mask */
    int band0, band1;  /* bands [band0, band1) */
    int joined;        /* a run may go on from the last row of a column to the next column */
    uint64_t x, y;     /* of the mask in the picture */
    uint64_t column;   /* height of the picture */
} placement;

/* The changes of value, as positions in column-major order. */
typedef struct changes {
    wsam_rle *rle;
    uint64_t last;
    int value;
} changes;

/* Value and place of the last change are all that is kept: the length of a run is known when it
 * ends. */
static void change_at(changes *c, uint64_t position)
{
    ws_runs_push(c->rle, position - c->last);
    c->last = position;
    c->value = !c->value;
}

/* 64 rows at a time: a word and the same word one row further down differ where the value changes.
 * Words without a change, most of them, cost two operations. */
static void scan_column(const uint64_t *bits, const placement *p, int x, changes *c)
{
    const uint64_t origin = (p->x + (uint64_t)x) * p->column + p->y;
    for (int band = p->band0; band < p->band1; band++) {
        const uint64_t word = bits[(size_t)band * (size_t)p->width + (size_t)x];
        uint64_t edges = word ^ (word << 1 | (uint64_t)c->value);
        const int rows = p->height - band * 64;
        if (rows < 64) /* the last row's value lasts: the next column may go on with it */
            edges &= ((uint64_t)1 << rows) - 1;
        for (; edges; edges &= edges - 1)
            change_at(c, origin + (uint64_t)band * 64 + (uint64_t)__builtin_ctzll(edges));
    }
    if (c->value && !p->joined) {
        const int end = p->band1 * 64 < p->height ? p->band1 * 64 : p->height;
        change_at(c, origin + (uint64_t)end);
    }
}

wsam_status wsam_rle_from_bits(const uint64_t *bits, int height, int width, const int32_t *box,
                               int x, int y, wsam_rle *rle)
{
    const int32_t whole[4] = {0, 0, width - 1, height - 1};
    const int32_t *b = box ? box : whole;
    const int bands = (height + 63) / 64;
    placement p = {.height = height,
                   .width = width,
                   .band0 = b[1] / 64,
                   .band1 = b[3] < 0 ? 0 : b[3] / 64 + 1,
                   .x = (uint64_t)x,
                   .y = (uint64_t)y,
                   .column = (uint64_t)rle->height};
    p.joined = height == rle->height && p.band0 == 0 && p.band1 == bands;
    changes c = {.rle = rle};
    rle->n = 0;
    for (int i = b[0]; i <= b[2]; i++)
        scan_column(bits, &p, i, &c);
    /* With `joined`, a value that lasts to the end of the box has to end there. */
    const uint64_t end = (p.x + (uint64_t)(b[2] + 1)) * p.column;
    if (c.value && end < ws_rle_pixels(rle))
        change_at(&c, end);
    if (c.last < ws_rle_pixels(rle))
        ws_runs_push(rle, ws_rle_pixels(rle) - c.last);
    return rle->n > rle->capacity ? WSAM_ERR_LIMIT : WSAM_OK;
}

/* Sets rows [y0, y1) of column x. */
static void set_column(uint64_t *bits, int width, uint64_t x, uint64_t y0, uint64_t y1)
{
    for (uint64_t band = y0 / 64; band * 64 < y1; band++) {
        const uint64_t from = y0 > band * 64 ? y0 - band * 64 : 0;
        const uint64_t to = y1 < band * 64 + 64 ? y1 - band * 64 : 64;
        bits[band * (uint64_t)width + x] |= ~(uint64_t)0 >> (64 - (to - from)) << from;
    }
}

void wsam_rle_to_bits(const wsam_rle *rle, uint64_t *bits)
{
    const uint64_t h = (uint64_t)rle->height;
    uint64_t at = 0;
    memset(bits, 0, wsam_bits_words(rle->height, rle->width) * sizeof *bits);
    for (size_t i = 0; i < rle->n; i++) {
        const uint64_t end = at + rle->counts[i];
        for (; i % 2 && at < end;) {
            const uint64_t x = at / h, column_end = (x + 1) * h,
                           stop = end < column_end ? end : column_end;
            set_column(bits, rle->width, x, at - x * h, stop - x * h);
            at = stop;
        }
        at = end;
    }
}

wsam_status wsam_rle_encode(const uint8_t *bytes, size_t stride, wsam_rle *rle)
{
    ws_run_writer w = ws_runs_begin(rle);
    for (size_t x = 0; x < (size_t)rle->width; x++)
        for (size_t y = 0; y < (size_t)rle->height; y++)
            ws_runs_put(&w, bytes[y * stride + x] != 0, 1);
    return ws_runs_end(&w);
}

void wsam_rle_decode(const wsam_rle *rle, uint8_t value, uint8_t *bytes, size_t stride)
{
    const size_t h = (size_t)rle->height;
    size_t x = 0, y = 0;
    for (size_t i = 0; i < rle->n; i++) {
        const uint8_t v = i % 2 ? value : 0;
        for (uint32_t left = rle->counts[i]; left; left--) {
            bytes[y * stride + x] = v;
            if (++y == h)
                y = 0, x++;
        }
    }
}

uint64_t wsam_rle_area(const wsam_rle *rle)
{
    uint64_t area = 0;
    for (size_t i = 1; i < rle->n; i += 2)
        area += rle->counts[i];
    return area;
}

int wsam_rle_box(const wsam_rle *rle, int32_t box[4])
{
    const uint64_t h = (uint64_t)rle->height;
    uint64_t at = 0, x0 = UINT64_MAX, x1 = 0, y0 = UINT64_MAX, y1 = 0;
    for (size_t i = 0; i < rle->n; at += rle->counts[i++]) {
        if (i % 2 == 0 || !rle->counts[i])
            continue;
        const uint64_t last = at + rle->counts[i] - 1, from = at / h, to = last / h;
        /* A run over a column's end touches the bottom of one column and the top of the next. */
        const uint64_t top = from == to ? at % h : 0, bottom = from == to ? last % h : h - 1;
        x0 = from < x0 ? from : x0;
        x1 = to > x1 ? to : x1;
        y0 = top < y0 ? top : y0;
        y1 = bottom > y1 ? bottom : y1;
    }
    const int any = x0 != UINT64_MAX;
    box[0] = any ? (int32_t)x0 : 0;
    box[1] = any ? (int32_t)y0 : 0;
    box[2] = any ? (int32_t)x1 : -1;
    box[3] = any ? (int32_t)y1 : -1;
    return any;
}
