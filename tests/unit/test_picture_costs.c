/* What the worst PNG of 100 kB costs, and texts that unpack to a gigabyte. Deflate packs at most 1032 to 1, so the most that
 * 100 kB can ask for are 98 million grey pixels, interlaced. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "pipeline/picture/picture.h"

enum { MOST = 2 << 20, PIECE = 1 << 20 };

typedef struct png_file {
    unsigned char *bytes;
    size_t n;
} png_file;

static void put_number(png_file *f, uint32_t v)
{
    for (int i = 3; i >= 0; i--)
        f->bytes[f->n++] = (unsigned char)(v >> (8 * i));
}

static void put_chunk(png_file *f, const char *name, const void *data, size_t n)
{
    cr_assert(f->n + n + 12 <= MOST);
    put_number(f, (uint32_t)n);
    const size_t from = f->n;
    memcpy(f->bytes + f->n, name, 4);
    if (n)
        memcpy(f->bytes + f->n + 4, data, n);
    f->n += n + 4;
    put_number(f, (uint32_t)crc32(0, f->bytes + from, (uInt)(f->n - from)));
}

/* `zeros` bytes, packed as well as it goes; behind `before` bytes of room. */
static unsigned char *pack(size_t zeros, size_t before, size_t *n)
{
    static unsigned char nothing[PIECE];
    unsigned char *to = malloc(MOST);
    z_stream z = {0};
    cr_assert(to && deflateInit(&z, 9) == Z_OK);
    z.next_out = to + before;
    z.avail_out = (uInt)(MOST - before);
    while (zeros) {
        z.next_in = nothing;
        z.avail_in = (uInt)(zeros < PIECE ? zeros : PIECE);
        zeros -= z.avail_in;
        cr_assert(deflate(&z, zeros ? Z_NO_FLUSH : Z_FINISH) == (zeros ? Z_OK : Z_STREAM_END));
    }
    *n = z.total_out + before;
    deflateEnd(&z);
    return to;
}

static void begin(png_file *f, uint32_t side, unsigned char color, unsigned char interlaced)
{
    png_file header = {.bytes = (unsigned char[13]){0}};
    put_number(&header, side);
    put_number(&header, side);
    memcpy(header.bytes + 8, (unsigned char[]){8, color, 0, 0, interlaced}, 5);
    f->bytes = malloc(MOST);
    cr_assert(f->bytes);
    memcpy(f->bytes, "\x89PNG\r\n\x1a\n", 8);
    f->n = 8;
    put_chunk(f, "IHDR", header.bytes, 13);
}

/* The pixels, and the end. */
static void finish(png_file *f, size_t zeros)
{
    size_t n;
    unsigned char *packed = pack(zeros, 0, &n);
    put_chunk(f, "IDAT", packed, n);
    put_chunk(f, "IEND", NULL, 0);
    free(packed);
}

/* Bytes of Adam7: each pass has whole rows with a byte in front. */
static size_t interlaced_bytes(size_t side, size_t channels)
{
    static const size_t x0[] = {0, 4, 0, 2, 0, 1, 0}, y0[] = {0, 0, 4, 0, 2, 0, 1},
                        dx[] = {8, 8, 4, 4, 2, 2, 1}, dy[] = {8, 8, 8, 4, 4, 2, 2};
    size_t sum = 0;
    for (int i = 0; i < 7; i++)
        sum += ((side - x0[i] + dx[i] - 1) / dx[i] * channels + 1) *
               ((side - y0[i] + dy[i] - 1) / dy[i]);
    return sum;
}

/* Processor seconds of decoding at the default limits. */
static double decode(const png_file *f, int side)
{
    const wsam_picture_limits limits = {.max_pixels = 100000000};
    wsam_picture picture = {0};
    wsam_error error = {0};
    int orientation = 0;
    const clock_t begin = clock();
    cr_assert_eq(ws_png_decode(f->bytes, f->n, &limits, &picture, &orientation, &error), WSAM_OK,
                 "%s", error.message);
    const double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    cr_expect_eq(picture.width, side);
    wsam_picture_free(&picture);
    free(f->bytes);
    return seconds;
}

/* 0.6 s, and half as many again under a sanitizer. */
Test(picture_costs, a_png_of_100_kb_takes_less_than_a_second)
{
    png_file f;
    begin(&f, 9900, 0, 1);
    finish(&f, interlaced_bytes(9900, 1));
    cr_expect(f.n > 90000 && f.n < 100000, "%zu bytes", f.n);
    const double seconds = decode(&f, 9900);
    cr_expect(seconds < 1, "%.2f s", seconds);
}

/* Before, 127 texts of 8 MB took 4 s of a processor. */
Test(picture_costs, texts_are_not_unpacked)
{
    png_file f;
    size_t n;
    unsigned char *packed = pack((8 << 20) - 4096, 3, &n);
    memcpy(packed, "a\0\0", 3);
    begin(&f, 8, 2, 0);
    for (int i = 0; i < 127; i++)
        put_chunk(&f, "zTXt", packed, n);
    finish(&f, (8 * 3 + 1) * 8);
    free(packed);
    const double seconds = decode(&f, 8);
    cr_expect(seconds < 0.2, "%.2f s", seconds);
}
