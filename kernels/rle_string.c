/* kernels/rle_string.c - the compressed text of COCO files.
 *
 * From the fourth number on the difference to the number two places before is stored, because runs
 * of neighbouring columns resemble each other. A number is written in groups of 5 bits, lowest
 * first, each as the character 48 + bits, 32 added when more follow; bit 4 of the last group is the
 * sign. */
#include "base/error.h"
#include "kernels/rle.h"

#include <inttypes.h>

/* A difference of two 32-bit numbers has 33 bits. */
enum { MAX_GROUPS = 7 };

size_t wsam_rle_to_string(const wsam_rle *rle, char *text, size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < rle->n; i++) {
        int64_t x = rle->counts[i];
        if (i > 2)
            x -= rle->counts[i - 2];
        for (int more = 1; more;) {
            const int64_t group = x & 31, rest = (x - group) / 32; /* rounds down */
            more = group & 16 ? rest != -1 : rest != 0;
            if (n < capacity)
                text[n] = (char)(group + (more ? 32 : 0) + 48);
            n++;
            x = rest;
        }
    }
    return n;
}

/* Reads one number; returns the characters used, 0 when it is not one. */
static size_t read_number(const char *text, size_t length, int64_t *number)
{
    int64_t x = 0;
    for (size_t i = 0; i < length && i < MAX_GROUPS; i++) {
        const int c = text[i] - 48;
        if (c < 0 || c > 63)
            return 0;
        x += (int64_t)(c & 31) * ((int64_t)1 << (5 * i));
        if (c & 32)
            continue;
        if (c & 16)
            x -= (int64_t)1 << (5 * (i + 1));
        *number = x;
        return i + 1;
    }
    return 0;
}

wsam_status wsam_rle_from_string(const char *text, size_t length, wsam_rle *rle, wsam_error *error)
{
    if (rle->height < 1 || rle->width < 1 || ws_rle_pixels(rle) > UINT32_MAX)
        return ws_fail(error, WSAM_ERR_LIMIT, "run lengths: size %d x %d is out of range",
                       rle->width, rle->height);
    const int64_t pixels = (int64_t)ws_rle_pixels(rle);
    int64_t before[2] = {0, 0}, sum = 0; /* the last two numbers; the buffer may hold none */
    rle->n = 0;
    for (size_t at = 0; at < length;) {
        int64_t x = 0;
        const size_t used = read_number(text + at, length - at, &x);
        if (!used)
            return ws_fail(error, WSAM_ERR_FORMAT, "run lengths: damaged text at character %zu",
                           at);
        if (rle->n > 2)
            x += before[0];
        if (x < 0 || x > pixels - sum)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "run lengths: run %zu of %" PRId64 " pixels does not fit %d x %d",
                           rle->n, x, rle->width, rle->height);
        sum += x;
        before[0] = before[1];
        before[1] = x;
        ws_runs_push(rle, (uint64_t)x);
        at += used;
    }
    if (sum != pixels)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "run lengths: %" PRId64 " pixels where %d x %d are described", sum,
                       rle->width, rle->height);
    if (rle->n > rle->capacity)
        return ws_fail(error, WSAM_ERR_LIMIT, "run lengths: %zu runs, room for %zu", rle->n,
                       rle->capacity);
    return WSAM_OK;
}
