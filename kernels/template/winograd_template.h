/* kernels/template/winograd_template.h - Winograd's F(2x2, 3x3) and F(4x4, 3x3) on the vector vocabulary: a tile
 * of (side + 2)^2 input pixels becomes as many points, whose products with the points of the weight
 * become side x side output pixels (Lavin and Gray 2015), interpolated at 0, 1, -1 and infinity, or at
 * 0, A, -A, B, -B and infinity.
 * Included once by each level's file, which says what winograd_act is. All functions are static;
 * `side` is a constant in all that are inlined. */
#include "kernels/winograd.h"

#define WINOGRAD_INLINE static inline __attribute__((always_inline))

/* One dimension: B^T d, and A^T m. */
WINOGRAD_INLINE void to_4_points(const vf d[6], vf p[6])
{
    p[0] = vf_sub(d[0], d[2]);
    p[1] = vf_add(d[1], d[2]);
    p[2] = vf_sub(d[2], d[1]);
    p[3] = vf_sub(d[1], d[3]);
}

WINOGRAD_INLINE void to_6_points(const vf d[6], vf p[6])
{
    const vf a = vf_set1(WS_WINOGRAD_A), aa = vf_set1(WS_WINOGRAD_A * WS_WINOGRAD_A);
    const vf b = vf_set1(WS_WINOGRAD_B), bb = vf_set1(WS_WINOGRAD_B * WS_WINOGRAD_B);
    const vf product = vf_mul(aa, bb), sum = vf_add(aa, bb);
    const vf even_a = vf_sub(d[4], vf_mul(bb, d[2]));
    const vf odd_a = vf_mul(a, vf_sub(d[3], vf_mul(bb, d[1])));
    const vf even_b = vf_sub(d[4], vf_mul(aa, d[2]));
    const vf odd_b = vf_mul(b, vf_sub(d[3], vf_mul(aa, d[1])));
    p[0] = vf_add(vf_sub(vf_mul(product, d[0]), vf_mul(sum, d[2])), d[4]);
    p[1] = vf_add(even_a, odd_a);
    p[2] = vf_sub(even_a, odd_a);
    p[3] = vf_add(even_b, odd_b);
    p[4] = vf_sub(even_b, odd_b);
    p[5] = vf_add(vf_sub(vf_mul(product, d[1]), vf_mul(sum, d[3])), d[5]);
}

WINOGRAD_INLINE void to_points(const int side, const vf d[6], vf p[6])
{
    if (side == 2)
        to_4_points(d, p);
    else
        to_6_points(d, p);
}

WINOGRAD_INLINE void from_4_points(const vf m[6], vf y[4])
{
    y[0] = vf_add(m[0], vf_add(m[1], m[2]));
    y[1] = vf_sub(vf_sub(m[1], m[2]), m[3]);
}

WINOGRAD_INLINE void from_6_points(const vf m[6], vf y[4])
{
    const vf aa = vf_set1(WS_WINOGRAD_A * WS_WINOGRAD_A);
    const vf bb = vf_set1(WS_WINOGRAD_B * WS_WINOGRAD_B);
    const vf s = vf_add(m[1], m[2]), d = vf_mul(vf_set1(WS_WINOGRAD_A), vf_sub(m[1], m[2]));
    const vf p = vf_add(m[3], m[4]), q = vf_mul(vf_set1(WS_WINOGRAD_B), vf_sub(m[3], m[4]));
    y[0] = vf_add(vf_add(m[0], s), p);
    y[1] = vf_add(d, q);
    y[2] = vf_add(vf_mul(aa, s), vf_mul(bb, p));
    y[3] = vf_add(vf_add(vf_mul(aa, d), vf_mul(bb, q)), m[5]);
}

WINOGRAD_INLINE void from_points(const int side, const vf m[6], vf y[4])
{
    if (side == 2)
        from_4_points(m, y);
    else
        from_6_points(m, y);
}

static inline vf load_lanes(const float *p, size_t n)
{
    return n < WS_VL ? vf_load_n(p, n) : vf_load(p);
}

static inline void store_lanes(float *p, vf v, size_t n)
{
    if (n < WS_VL)
        vf_store_n(p, v, n);
    else
        vf_store(p, v);
}

/* A map's values, all of a vector in bf16. */
WINOGRAD_INLINE vf load_value(const int narrow, const void *p, size_t i, size_t n)
{
    return narrow ? vf_from_bf16((const uint16_t *)p + i) : load_lanes((const float *)p + i, n);
}

WINOGRAD_INLINE void store_value(const int narrow, void *p, size_t i, vf v, size_t n)
{
    if (narrow)
        vf_to_bf16((uint16_t *)p + i, v);
    else
        store_lanes((float *)p + i, v, n);
}

/* The input pixels of a tile; NULL where they are padding. */
WINOGRAD_INLINE void tile_pixels(const int side, const wsam_conv_shape *s, const void *x,
                                 size_t value_bytes, size_t tile, const void *pixel[36])
{
    const size_t across = ws_winograd_across(side, s);
    const int y0 = (int)(tile / across) * side - 1, x0 = (int)(tile % across) * side - 1;
    const int d = side + 2;
    for (int i = 0; i < d * d; i++) {
        const int y = y0 + i / d, xx = x0 + i % d;
        const int inside = y >= 0 && y < s->in_h && xx >= 0 && xx < s->in_w;
        pixel[i] =
            inside ? (const char *)x + value_bytes * (((size_t)y * (size_t)s->in_w + (size_t)xx) *
                                                      (size_t)s->channels)
                   : NULL;
    }
}

/* Channels [ch, ch + n) of a tile. */
WINOGRAD_INLINE void tile_points(const int side, const int narrow, const void *const pixel[36],
                                 size_t ch, size_t n, float *points, size_t apart)
{
    const int d = side + 2;
    vf rows[6][6], in[6], p[6];
    for (int i = 0; i < d; i++) {
        for (int j = 0; j < d; j++)
            in[j] = pixel[d * i + j] ? load_value(narrow, pixel[d * i + j], ch, n) : vf_set1(0.0f);
        to_points(side, in, rows[i]);
    }
    for (int j = 0; j < d; j++) {
        for (int i = 0; i < d; i++)
            in[i] = rows[i][j];
        to_points(side, in, p);
        for (int i = 0; i < d; i++)
            store_lanes(points + (size_t)(d * i + j) * apart + ch, p[i], n);
    }
}

/* Asks for what the next tile reads in the place of these channels, and this one has not: the two
 * last columns of its pixels. They lie in as many rows of the map as a tile has, which no processor
 * foresees. */
WINOGRAD_INLINE void fetch_pixels(const int side, const void *const pixel[36], size_t byte)
{
    const int d = side + 2;
    for (int i = 0; i < d; i++)
        for (int j = 2; j < d; j++)
            if (pixel[d * i + j])
                __builtin_prefetch((const char *)pixel[d * i + j] + byte, 0, 2);
}

WINOGRAD_INLINE void tiles_in(const int side, const int narrow, const wsam_conv_shape *s,
                              const void *x, size_t t0, size_t t1, float *points)
{
    const size_t c = (size_t)s->channels, apart = ws_winograd_stride(side, c);
    const size_t value_bytes = narrow ? sizeof(uint16_t) : sizeof(float);
    const size_t all = ws_winograd_tiles(side, s);
    const void *pixel[2][36];
    tile_pixels(side, s, x, value_bytes, t0, pixel[t0 % 2]);
    for (size_t t = t0; t < t1; t++, points += apart) {
        const void *const *now = pixel[t % 2];
        tile_pixels(side, s, x, value_bytes, t + 1 < all ? t + 1 : t, pixel[(t + 1) % 2]);
        size_t ch = 0;
        for (; ch + WS_VL <= c; ch += WS_VL) {
            if (ch * value_bytes % 64 == 0)
                fetch_pixels(side, pixel[(t + 1) % 2], ch * value_bytes);
            tile_points(side, narrow, now, ch, WS_VL, points, c);
        }
        if (ch < c)
            tile_points(side, narrow, now, ch, c - ch, points, c);
    }
}

static void winograd_in(int side, const wsam_conv_shape *s, const void *x, int narrow, size_t t0,
                        size_t t1, float *points)
{
    if (side == 4 && narrow)
        tiles_in(4, 1, s, x, t0, t1, points);
    else if (side == 4)
        tiles_in(4, 0, s, x, t0, t1, points);
    else if (narrow)
        tiles_in(2, 1, s, x, t0, t1, points);
    else
        tiles_in(2, 0, s, x, t0, t1, points);
}

/* Where a tile goes. */
typedef struct winograd_place {
    const wsam_epilogue *e;
    wsam_act after;
    int height, width; /* of the tile: less than its side at the far edges */
    size_t pixel, row; /* floats from pixel to pixel, and from row to row */
    const float *residual;
    void *out;
} winograd_place;

/* Columns [ch, ch + n) of a tile. */
WINOGRAD_INLINE void tile_values(const int side, const int narrow, const winograd_place *w,
                                 const float *sums, size_t apart, size_t ch, size_t n)
{
    const int d = side + 2;
    const vf bias = w->e->bias ? load_lanes(w->e->bias + ch, n) : vf_set1(0.0f);
    vf rows[4][6], m[6], y[4];
    for (int j = 0; j < d; j++) {
        for (int i = 0; i < d; i++)
            m[i] = load_lanes(sums + (size_t)(d * i + j) * apart + ch, n);
        from_points(side, m, y);
        for (int i = 0; i < side; i++)
            rows[i][j] = y[i];
    }
    for (int i = 0; i < w->height; i++) {
        from_points(side, rows[i], y);
        for (int j = 0; j < w->width; j++) {
            const size_t at = (size_t)i * w->row + (size_t)j * w->pixel + ch;
            vf v = winograd_act(w->e->act, vf_add(y[j], bias));
            if (w->residual)
                v = vf_add(v, load_lanes(w->residual +
                                             (size_t)i * w->row / w->pixel * w->e->ld_residual +
                                             (size_t)j * w->e->ld_residual + ch,
                                         n));
            store_value(narrow, w->out, at, winograd_act(w->after, v), n);
        }
    }
}

/* The tile `t`, whose values are `value_bytes` long. */
static inline winograd_place place_of(int side, const wsam_conv_shape *s, size_t columns, size_t t,
                                      const wsam_epilogue *e, wsam_act after, void *out,
                                      size_t value_bytes)
{
    const size_t across = ws_winograd_across(side, s);
    const int y = (int)(t / across) * side, x = (int)(t % across) * side;
    const size_t at = (size_t)y * (size_t)s->out_w + (size_t)x;
    const winograd_place w = {e,
                              after,
                              s->out_h - y < side ? s->out_h - y : side,
                              s->out_w - x < side ? s->out_w - x : side,
                              columns,
                              (size_t)s->out_w * columns,
                              e->residual ? e->residual + at * e->ld_residual : NULL,
                              (char *)out + at * columns * value_bytes};
    return w;
}

/* Asks for the lines that a tile will write in the place of these channels. */
WINOGRAD_INLINE void fetch_place(const int side, const winograd_place *w, size_t value_bytes,
                                 size_t byte)
{
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++)
            if (i < w->height && j < w->width)
                __builtin_prefetch((const char *)w->out +
                                       ((size_t)i * w->row + (size_t)j * w->pixel) * value_bytes +
                                       byte,
                                   1, 2);
}

WINOGRAD_INLINE void tiles_out(const int side, const int narrow, const wsam_conv_shape *s,
                               int columns, const float *sums, size_t t0, size_t t1,
                               const wsam_epilogue *e, wsam_act after, void *out)
{
    const size_t o = (size_t)columns, value_bytes = narrow ? sizeof(uint16_t) : sizeof(float);
    winograd_place w = place_of(side, s, o, t0, e, after, out, value_bytes);
    for (size_t t = t0; t < t1; t++, sums += ws_winograd_stride(side, o)) {
        const winograd_place next =
            place_of(side, s, o, t + 1 < t1 ? t + 1 : t, e, after, out, value_bytes);
        size_t ch = 0;
        for (; ch + WS_VL <= o; ch += WS_VL) {
            if (ch * value_bytes % 64 == 0)
                fetch_place(side, &next, value_bytes, ch * value_bytes);
            tile_values(side, narrow, &w, sums, o, ch, WS_VL);
        }
        if (ch < o)
            tile_values(side, narrow, &w, sums, o, ch, o - ch);
        w = next;
    }
}

static void winograd_out(int side, const wsam_conv_shape *s, int columns, const float *sums,
                         size_t t0, size_t t1, const wsam_epilogue *e, wsam_act after, void *out,
                         int narrow)
{
    if (side == 4 && narrow)
        tiles_out(4, 1, s, columns, sums, t0, t1, e, after, out);
    else if (side == 4)
        tiles_out(4, 0, s, columns, sums, t0, t1, e, after, out);
    else if (narrow)
        tiles_out(2, 1, s, columns, sums, t0, t1, e, after, out);
    else
        tiles_out(2, 0, s, columns, sums, t0, t1, e, after, out);
}
