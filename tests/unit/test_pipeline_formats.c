/* tests/unit/test_pipeline_formats.c - WebP and TIFF: the pixels, the limits, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <unistd.h>
#include <webp/encode.h>

#include "weaksam/picture.h"

enum { W = 24, H = 16 };

static void draw(unsigned char *rgb)
{
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            rgb[3 * (y * W + x)] = (unsigned char)(10 * x);
            rgb[3 * (y * W + x) + 1] = (unsigned char)(15 * y);
            rgb[3 * (y * W + x) + 2] = (unsigned char)(x * y);
        }
}

static int same(const wsam_picture *p, const unsigned char *rgb)
{
    int good = p->width == W && p->height == H && p->channels == 3;
    for (int y = 0; y < H && good; y++)
        good = memcmp(p->pixels + (size_t)y * p->stride, rgb + 3 * y * W, 3 * W) == 0;
    return good;
}

/* ---- WebP ---- */

static size_t make_webp(uint8_t **bytes, int lossless)
{
    unsigned char rgb[3 * W * H];
    draw(rgb);
    return lossless ? WebPEncodeLosslessRGB(rgb, W, H, 3 * W, bytes)
                    : WebPEncodeRGB(rgb, W, H, 3 * W, 95, bytes);
}

Test(formats, webp)
{
    unsigned char rgb[3 * W * H];
    uint8_t *bytes;
    wsam_picture p;
    wsam_error error;
    draw(rgb);
    for (int lossless = 0; lossless < 2; lossless++) {
        const size_t n = make_webp(&bytes, lossless);
        cr_assert_eq(wsam_picture_decode(bytes, n, NULL, &p, &error), WSAM_OK, "%s", error.message);
        cr_expect(!lossless || same(&p, rgb));
        cr_expect(p.width == W && p.height == H);
        wsam_picture_free(&p);
        for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 29)
            cr_expect_neq(wsam_picture_decode(bytes, cut, NULL, &p, &error), WSAM_OK, "%zu", cut);
        const wsam_picture_limits few = {.max_pixels = W * H - 1};
        cr_expect_eq(wsam_picture_decode(bytes, n, &few, &p, &error), WSAM_ERR_LIMIT);
        WebPFree(bytes);
    }
}

static void put_u32(unsigned char *to, size_t v)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(v >> 8 * i);
}

/* An extended file: flags, then the chunks of a plain one, then EXIF with orientation 6. */
static size_t extend(const uint8_t *plain, size_t n, unsigned flags, unsigned char *out)
{
    static const unsigned char exif[] = {'E', 'X', 'I', 'F', 26, 0, 0,    0, 'I', 'I', 42, 0,
                                         8,   0,   0,   0,   1,  0, 0x12, 1, 3,   0,   1,  0,
                                         0,   0,   6,   0,   0,  0, 0,    0, 0,   0};
    memcpy(out, plain, 12);
    memcpy(out + 12, "VP8X\12\0\0\0", 8);
    memset(out + 20, 0, 10);
    out[20] = (unsigned char)flags;
    out[24] = W - 1;
    out[27] = H - 1;
    memcpy(out + 30, plain + 12, n - 12);
    memcpy(out + n + 18, exif, sizeof exif);
    put_u32(out + 4, n + 18 + sizeof exif - 8);
    return n + 18 + sizeof exif;
}

Test(formats, webp_orientation_and_animation)
{
    unsigned char file[8192];
    uint8_t *bytes;
    wsam_picture p;
    wsam_error error;
    const size_t n = make_webp(&bytes, 1);
    cr_assert(n + 64 < sizeof file);
    size_t all = extend(bytes, n, 0x08, file);
    cr_assert_eq(wsam_picture_decode(file, all, NULL, &p, &error), WSAM_OK, "%s", error.message);
    cr_expect(p.width == H && p.height == W, "turned: %d x %d", p.width, p.height);
    wsam_picture_free(&p);
    all = extend(bytes, n, 0x02, file);
    cr_expect_eq(wsam_picture_decode(file, all, NULL, &p, &error), WSAM_ERR_UNSUPPORTED);
    cr_expect(strstr(error.message, "animation"), "%s", error.message);
    WebPFree(bytes);
}

/* ---- TIFF ---- */

typedef struct page {
    int codec, orientation, depth, reduced;
} page;

static void put_page(TIFF *t, const page *p)
{
    unsigned char rgb[3 * W * H], deep[6 * W * H];
    draw(rgb);
    for (size_t i = 0; i < sizeof rgb; i++)
        deep[2 * i] = deep[2 * i + 1] = rgb[i];
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 3);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, p->depth);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
    TIFFSetField(t, TIFFTAG_COMPRESSION, p->codec);
    TIFFSetField(t, TIFFTAG_ORIENTATION, p->orientation);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 4);
    if (p->reduced)
        TIFFSetField(t, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    const size_t row = (size_t)3 * W * (size_t)p->depth / 8;
    for (uint32_t y = 0; y < H; y++) {
        unsigned char *from = (p->depth == 16 ? deep : rgb) + y * row;
        cr_assert(TIFFWriteScanline(t, from, y, 0) >= 0);
    }
    cr_assert(TIFFWriteDirectory(t));
}

static size_t make_tiff(const page *pages, int n, const char *mode, unsigned char *file,
                        size_t room)
{
    char path[] = "/tmp/weaksam-tiff-XXXXXX";
    const int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
    TIFF *t = TIFFOpen(path, mode);
    cr_assert(t);
    for (int i = 0; i < n; i++)
        put_page(t, &pages[i]);
    TIFFClose(t);
    FILE *f = fopen(path, "rb");
    const size_t size = fread(file, 1, room, f);
    fclose(f);
    unlink(path);
    cr_assert(size > 8 && size < room);
    return size;
}

Test(formats, tiff)
{
    static const int codecs[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_PACKBITS,
                                 COMPRESSION_ADOBE_DEFLATE};
    static const char *const modes[] = {"wl", "wb", "w8"};
    unsigned char rgb[3 * W * H], file[1 << 14];
    wsam_picture p;
    wsam_error error;
    draw(rgb);
    for (size_t i = 0; i < 4 * 3 * 2; i++) {
        const page one = {codecs[i % 4], ORIENTATION_TOPLEFT, i / 12 ? 16 : 8, 0};
        const size_t n = make_tiff(&one, 1, modes[i / 4 % 3], file, sizeof file);
        cr_assert_eq(wsam_picture_decode(file, n, NULL, &p, &error), WSAM_OK, "%zu: %s", i,
                     error.message);
        cr_expect(same(&p, rgb), "%zu", i);
        wsam_picture_free(&p);
        for (size_t cut = 0; cut < n; cut += cut < 64 ? 1 : 71)
            cr_expect_neq(wsam_picture_decode(file, cut, NULL, &p, &error), WSAM_OK, "%zu", cut);
    }
    const page turned = {COMPRESSION_LZW, ORIENTATION_RIGHTTOP, 8, 0};
    const size_t n = make_tiff(&turned, 1, "wl", file, sizeof file);
    cr_assert_eq(wsam_picture_decode(file, n, NULL, &p, &error), WSAM_OK, "%s", error.message);
    cr_expect(p.width == H && p.height == W);
    cr_expect(memcmp(p.pixels + 3 * (H - 1), rgb, 3) == 0, "the first pixel is top right");
    wsam_picture_free(&p);
    const wsam_picture_limits few = {.max_pixels = W * H - 1};
    cr_expect_eq(wsam_picture_decode(file, n, &few, &p, &error), WSAM_ERR_LIMIT);
}

/* Pages are counted, codecs within codecs refused before a pixel of theirs is read. */
Test(formats, tiff_refusals)
{
    unsigned char file[1 << 14];
    wsam_picture p;
    wsam_error error;
    page pages[2] = {{COMPRESSION_LZW, 1, 8, 0}, {COMPRESSION_LZW, 1, 8, 0}};
    size_t n = make_tiff(pages, 2, "wl", file, sizeof file);
    cr_expect_eq(wsam_picture_decode(file, n, NULL, &p, &error), WSAM_ERR_UNSUPPORTED);
    cr_expect(strstr(error.message, "several pages"), "%s", error.message);
    pages[1].reduced = 1;
    n = make_tiff(pages, 2, "wl", file, sizeof file);
    cr_expect_eq(wsam_picture_decode(file, n, NULL, &p, &error), WSAM_OK, "a thumbnail is no page");
    wsam_picture_free(&p);
    static const unsigned bad[] = {COMPRESSION_WEBP, COMPRESSION_LERC, COMPRESSION_JBIG,
                                   COMPRESSION_LZMA, COMPRESSION_ZSTD, COMPRESSION_OJPEG};
    n = make_tiff(pages, 1, "wl", file, sizeof file);
    for (size_t i = 8; i + 12 <= n; i++) /* the entry of the compression: tag 259, type 3 */
        if (file[i] == 3 && file[i + 1] == 1 && file[i + 2] == 3 && file[i + 4] == 1)
            for (size_t k = 0; k < 6; k++) {
                file[i + 8] = (unsigned char)bad[k];
                file[i + 9] = (unsigned char)(bad[k] >> 8);
                cr_expect_eq(wsam_picture_decode(file, n, NULL, &p, &error), WSAM_ERR_UNSUPPORTED);
                cr_expect(strstr(error.message, "compression"), "%s", error.message);
            }
}

/* Every byte changed once: an error or a picture, and nothing else. */
Test(formats, damage, .timeout = 60)
{
    unsigned char file[1 << 14];
    const page one = {COMPRESSION_LZW, 1, 8, 0};
    const size_t n = make_tiff(&one, 1, "wl", file, sizeof file);
    const wsam_picture_limits limits = {.max_pixels = 1 << 16};
    wsam_picture p;
    wsam_error error;
    for (size_t i = 0; i < n; i++) {
        file[i] ^= 0xa5;
        if (!wsam_picture_decode(file, n, &limits, &p, &error))
            wsam_picture_free(&p);
        file[i] ^= 0xa5;
    }
    uint8_t *webp;
    const size_t m = make_webp(&webp, 0);
    for (size_t i = 0; i < m; i++) {
        webp[i] ^= 0xa5;
        if (!wsam_picture_decode(webp, m, &limits, &p, &error))
            wsam_picture_free(&p);
        webp[i] ^= 0xa5;
    }
    WebPFree(webp);
}
