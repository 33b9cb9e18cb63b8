/* kernels/template/resize_template.h - vertical resampling of bytes, and the float rows for several
 * channels, on plain C loops that the compiler vectorises at the level's width; included once by
 * each resize_<level>.c. Integer arithmetic and the order of float operations are those of
 * kernels/resize.c, so results are equal. */
#include "kernels/resize.h"

enum { CHUNK = 256 };

/* A chunk of bytes at a time, accumulated tap by tap: the inner loops have no dependencies. */
static void vertical_u8(const wsam_resample *axis, int y, size_t bytes, const uint8_t *const *rows,
                        uint8_t *out)
{
    const int32_t *q = axis->q + (size_t)y * (size_t)axis->max_taps;
    int32_t acc[CHUNK];
    for (size_t at = 0; at < bytes; at += CHUNK) {
        const size_t n = bytes - at < CHUNK ? bytes - at : CHUNK;
        for (size_t i = 0; i < n; i++)
            acc[i] = 1 << 21;
        for (int j = 0; j < axis->n[y]; j++) {
            const uint8_t *row = rows[j] + at;
            const int32_t w = q[j];
            for (size_t i = 0; i < n; i++)
                acc[i] += w * row[i];
        }
        for (size_t i = 0; i < n; i++) {
            const int32_t v = acc[i] >> 22;
            out[at + i] = (uint8_t)(v < 0 ? 0 : (v > 255 ? 255 : v));
        }
    }
}

static inline uint8_t clamped(int32_t v)
{
    v >>= 22;
    return (uint8_t)(v < 0 ? 0 : (v > 255 ? 255 : v));
}

/* Three channels side by side share the weight loads. */
static void horizontal_u8(const wsam_resample *axis, int channels, const uint8_t *in, uint8_t *out)
{
    for (int i = 0; i < axis->n_out; i++) {
        const int32_t *q = axis->q + (size_t)i * (size_t)axis->max_taps;
        const uint8_t *from = in + (size_t)axis->lo[i] * (size_t)channels;
        const int n = axis->n[i];
        if (channels == 3) {
            int32_t r = 1 << 21, g = 1 << 21, b = 1 << 21;
            for (int j = 0; j < n; j++) {
                r += q[j] * from[3 * j];
                g += q[j] * from[3 * j + 1];
                b += q[j] * from[3 * j + 2];
            }
            out[0] = clamped(r);
            out[1] = clamped(g);
            out[2] = clamped(b);
        } else {
            for (int c = 0; c < channels; c++) {
                int32_t acc = 1 << 21;
                for (int j = 0; j < n; j++)
                    acc += q[j] * from[j * channels + c];
                out[c] = clamped(acc);
            }
        }
        out += channels;
    }
}

static void fill(wsam_resize_kernels *k)
{
    k->name = "resize_" WS_LEVEL;
    k->horizontal_u8 = horizontal_u8;
    k->vertical_u8 = vertical_u8;
}
