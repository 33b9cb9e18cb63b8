/* Pictures: what PNG and JPEG files become, orientation, limits, and Pillow's resize. */
#include <criterion/criterion.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h> /* needs stdio.h before it */

#include "pipeline/picture/picture.h"

/* ---- PNG files in memory ---- */

typedef struct bytes {
    unsigned char data[1 << 16];
    size_t n;
} bytes;

static void on_write(png_structp png, png_bytep from, size_t n)
{
    bytes *b = png_get_io_ptr(png);
    cr_assert(b->n + n <= sizeof b->data);
    memcpy(b->data + b->n, from, n);
    b->n += n;
}

static void on_flush(png_structp png)
{
    (void)png;
}

typedef struct spec {
    int width, height, depth, color, interlace, orientation;
    const unsigned char *rows; /* of width * bytes per pixel */
    size_t row;
} spec;

static void make_png(const spec *s, bytes *out)
{
    static const png_color palette[4] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}, {1, 2, 3}};
    static png_byte transparent[2] = {0, 128};
    png_byte exif[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3,
                       0,   1,   0,  0, 0, 0, 0, 0, 0, 0, 0,    0, 0};
    exif[18] = (png_byte)s->orientation;
    out->n = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    cr_assert(setjmp(png_jmpbuf(png)) == 0);
    png_set_write_fn(png, out, on_write, on_flush);
    png_set_IHDR(png, info, (png_uint_32)s->width, (png_uint_32)s->height, s->depth, s->color,
                 s->interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (s->color == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, palette, 4);
        png_set_tRNS(png, info, transparent, 2, NULL);
    }
    if (s->orientation)
        png_set_eXIf_1(png, info, sizeof exif, exif);
    png_write_info(png, info);
    const int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < s->height; y++)
            png_write_row(png, s->rows + (size_t)y * s->row);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

static void expect_pixels(const spec *s, int height, int width, const char *want)
{
    static bytes file;
    wsam_picture p;
    wsam_error error = {0};
    make_png(s, &file);
    cr_assert_eq(wsam_picture_decode(file.data, file.n, NULL, &p, &error), WSAM_OK, "%s",
                 error.message);
    cr_assert(p.height == height && p.width == width && p.channels == 3);
    for (int y = 0; y < height; y++)
        cr_expect_arr_eq(p.pixels + (size_t)y * p.stride, want + 3 * width * y, 3 * (size_t)width,
                         "row %d", y);
    wsam_picture_free(&p);
}

Test(pictures, sixteen_bits_keep_the_high_byte)
{
    const unsigned char rows[] = {1, 255, 2, 255, 3, 255, 4, 0, 5, 0, 6, 0};
    expect_pixels(&(spec){2, 1, 16, PNG_COLOR_TYPE_RGB, 0, 0, rows, 12}, 1, 2, "\1\2\3\4\5\6");
}

Test(pictures, grey_of_two_bits_and_sixteen)
{
    const unsigned char two[] = {0x1b}, sixteen[] = {7, 200, 9, 1};
    expect_pixels(&(spec){4, 1, 2, PNG_COLOR_TYPE_GRAY, 0, 0, two, 1}, 1, 4,
                  "\0\0\0\x55\x55\x55\xaa\xaa\xaa\xff\xff\xff");
    expect_pixels(&(spec){2, 1, 16, PNG_COLOR_TYPE_GRAY, 0, 0, sixteen, 4}, 1, 2, "\7\7\7\t\t\t");
}

Test(pictures, alpha_is_dropped_not_blended)
{
    const unsigned char rgba[] = {9, 8, 7, 0, 6, 5, 4, 255}, grey[] = {50, 0, 60, 255};
    expect_pixels(&(spec){2, 1, 8, PNG_COLOR_TYPE_RGBA, 0, 0, rgba, 8}, 1, 2, "\t\b\7\6\5\4");
    expect_pixels(&(spec){2, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, 0, 0, grey, 4}, 1, 2, "222<<<");
}

Test(pictures, palette_with_transparency)
{
    const unsigned char rows[] = {0, 1, 2, 3};
    expect_pixels(&(spec){2, 2, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_ADAM7, 0, rows, 2}, 2, 2,
                  "\n\x14\x1e\x28\x32\x3c\x46\x50\x5a\1\2\3");
}

Test(pictures, every_orientation)
{
    /* abc / def, as the viewer should see it */
    static const char *const want[] = {"abc/def",  "abc/def",  "cba/fed",  "fed/cba", "def/abc",
                                       "ad/be/cf", "da/eb/fc", "fc/eb/da", "cf/be/ad"};
    unsigned char rows[18];
    for (int i = 0; i < 18; i++)
        rows[i] = (unsigned char)('a' + i / 3);
    for (int o = 1; o <= 8; o++) {
        char flat[19];
        size_t n = 0;
        for (const char *c = want[o]; *c; c++)
            if (*c != '/') {
                memset(flat + n, *c, 3);
                n += 3;
            }
        const int height = o < 5 ? 2 : 3;
        expect_pixels(&(spec){3, 2, 8, PNG_COLOR_TYPE_RGB, 0, o, rows, 9}, height, 6 / height,
                      flat);
    }
}

Test(pictures, every_truncation_is_an_error)
{
    static bytes file;
    static unsigned char rows[64 * 64 * 3];
    wsam_picture p;
    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (unsigned char)(i * i >> 3);
    make_png(&(spec){64, 64, 8, PNG_COLOR_TYPE_RGB, 0, 0, rows, 192}, &file);
    for (size_t n = 0; n < file.n; n += n < 100 ? 1 : 97) {
        wsam_error error = {0};
        cr_expect_neq(wsam_picture_decode(file.data, n, NULL, &p, &error), WSAM_OK, "%zu bytes", n);
        cr_expect_neq(error.message[0], 0);
        cr_expect_null(p.memory);
    }
}

Test(pictures, limits)
{
    static bytes file;
    static unsigned char rows[64 * 64 * 3];
    wsam_picture p;
    wsam_error error = {0};
    const wsam_picture_limits limits = {.max_pixels = 64 * 64 - 1};
    make_png(&(spec){64, 64, 8, PNG_COLOR_TYPE_RGB, 0, 0, rows, 192}, &file);
    cr_expect_eq(wsam_picture_decode(file.data, file.n, &limits, &p, &error), WSAM_ERR_LIMIT);
    cr_expect_not_null(strstr(error.message, "64 x 64"));
}

/* ---- JPEG ---- */

enum { JPEG_W = 48, JPEG_H = 32 };

/* Red above, blue below; orientation in an EXIF block when it is not 0. */
static unsigned char *make_jpeg(J_COLOR_SPACE space, int progressive, int orientation,
                                unsigned long *size)
{
    unsigned char exif[] = {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                            0x12, 1,   3,   0,   1, 0, 0,   0,   0,  0, 0, 0, 0, 0, 0, 0};
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL, row[JPEG_W * 4] = {0};
    JSAMPROW rows[1] = {row};
    exif[24] = (unsigned char)orientation;
    *size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, size);
    c.image_width = JPEG_W;
    c.image_height = JPEG_H;
    c.in_color_space = space;
    c.input_components = space == JCS_CMYK ? 4 : space == JCS_GRAYSCALE ? 1 : 3;
    jpeg_set_defaults(&c);
    if (progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    if (orientation)
        jpeg_write_marker(&c, JPEG_APP0 + 1, exif, sizeof exif);
    while (c.next_scanline < JPEG_H) {
        const int n = c.input_components, red = c.next_scanline < JPEG_H / 2;
        for (int x = 0; x < JPEG_W; x++) {
            row[x * n + n - 1] = red ? 0 : 250;
            row[x * n] = red ? 250 : 0;
        }
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return data;
}

static wsam_status decode_jpeg(J_COLOR_SPACE space, int progressive, int orientation,
                               const wsam_picture_limits *limits, wsam_picture *p,
                               wsam_error *error)
{
    unsigned long size;
    unsigned char *data = make_jpeg(space, progressive, orientation, &size);
    const wsam_status status = wsam_picture_decode(data, size, limits, p, error);
    free(data);
    return status;
}

Test(pictures, jpeg_orientation)
{
    wsam_picture p;
    wsam_error error = {0};
    cr_assert_eq(decode_jpeg(JCS_RGB, 0, 0, NULL, &p, &error), WSAM_OK, "%s", error.message);
    cr_expect(p.width == JPEG_W && p.height == JPEG_H && p.pixels[0] > 200 && p.pixels[2] < 50);
    wsam_picture_free(&p);
    /* 6: what is stored on top is seen on the right */
    cr_assert_eq(decode_jpeg(JCS_RGB, 1, 6, NULL, &p, &error), WSAM_OK, "%s", error.message);
    cr_expect(p.width == JPEG_H && p.height == JPEG_W);
    cr_expect(p.pixels[0] < 50 && p.pixels[2] > 200);
    cr_expect(p.pixels[3 * (JPEG_H - 1)] > 200 && p.pixels[3 * (JPEG_H - 1) + 2] < 50);
    wsam_picture_free(&p);
}

Test(pictures, jpeg_in_grey_and_cmyk_and_many_scans)
{
    wsam_picture p;
    wsam_error error = {0};
    const wsam_picture_limits limits = {.max_jpeg_scans = 2};
    cr_assert_eq(decode_jpeg(JCS_GRAYSCALE, 0, 0, NULL, &p, &error), WSAM_OK, "%s", error.message);
    cr_expect(p.channels == 3 && p.pixels[0] == p.pixels[1] && p.pixels[0] == p.pixels[2]);
    wsam_picture_free(&p);
    cr_assert_eq(decode_jpeg(JCS_CMYK, 0, 0, NULL, &p, &error), WSAM_OK, "%s", error.message);
    cr_expect(p.channels == 3 && p.height == JPEG_H && p.width == JPEG_W);
    wsam_picture_free(&p);
    cr_expect_eq(decode_jpeg(JCS_RGB, 1, 0, &limits, &p, &error), WSAM_ERR_LIMIT);
    cr_expect_not_null(strstr(error.message, "scans"));
}

Test(pictures, every_truncated_jpeg_is_an_error)
{
    unsigned long size;
    unsigned char *data = make_jpeg(JCS_RGB, 0, 0, &size);
    for (unsigned long n = 0; n + 2 < size; n += 3) {
        wsam_picture p;
        wsam_error error = {0};
        cr_expect_neq(wsam_picture_decode(data, n, NULL, &p, &error), WSAM_OK, "%lu bytes", n);
        cr_expect_null(p.memory);
    }
    free(data);
}

/* Inks as Adobe stores them (255: none), by the rule that Pillow has: K - (255 - C) * K / 255. */
Test(pictures, cmyk_as_pillow_has_it)
{
    enum { SIDE = 16 };
    static const unsigned char inks[4] = {200, 100, 50, 220};
    static const int want[3] = {173, 86, 43}; /* Image.open().convert("RGB") */
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL, row[SIDE * 4];
    unsigned long size = 0;
    JSAMPROW rows[1] = {row};
    wsam_picture p;
    wsam_error error = {0};
    for (int i = 0; i < SIDE * 4; i++)
        row[i] = inks[i % 4];
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, &size);
    c.image_width = c.image_height = SIDE;
    c.in_color_space = JCS_CMYK;
    c.input_components = 4;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, JCS_YCCK);
    jpeg_set_quality(&c, 100, TRUE);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < SIDE)
        jpeg_write_scanlines(&c, rows, 1);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    cr_assert_eq(wsam_picture_decode(data, size, NULL, &p, &error), WSAM_OK, "%s", error.message);
    for (int i = 0; i < 3; i++)
        cr_expect(abs(p.pixels[i] - want[i]) <= 2, "%d is %d", i, p.pixels[i]);
    wsam_picture_free(&p);
    free(data);
}

/* ---- EXIF ---- */

/* Some writers give the orientation as a byte or a long. */
Test(pictures, exif_orientation_of_every_integer_type)
{
    static const struct {
        int type, bytes;
    } types[] = {{1, 1}, {3, 2}, {4, 4}, {6, 1}, {8, 2}, {9, 4}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (int big = 0; big < 2; big++) {
            uint8_t big_tiff[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                                  0,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,    0};
            uint8_t tiff[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 0,
                              0,   1,   0,  0, 0, 0, 0, 0, 0, 0, 0,    0, 0};
            uint8_t *t = big ? big_tiff : tiff;
            t[big ? 13 : 12] = (uint8_t)types[i].type;
            t[big ? 17 + types[i].bytes : 18] = 6;
            cr_expect_eq(ws_picture_exif_orientation(t, sizeof tiff), 6, "type %d", types[i].type);
        }
}

Test(pictures, damaged_exif_means_upright)
{
    uint8_t tiff[] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0,
                      3,   0,   0, 0,  1, 0, 6, 0, 0, 0, 0, 0,    0};
    cr_expect_eq(ws_picture_exif_orientation(tiff, sizeof tiff), 6);
    for (size_t n = 0; n < 22; n++)
        cr_expect_eq(ws_picture_exif_orientation(tiff, n), 1, "%zu bytes", n);
    tiff[19] = 9;
    cr_expect_eq(ws_picture_exif_orientation(tiff, sizeof tiff), 1);
    memset(tiff + 4, 0xff, 4);
    cr_expect_eq(ws_picture_exif_orientation(tiff, sizeof tiff), 1);
}

/* ---- resize ---- */

static void expect_resized(const wsam_picture *from, int height, int width, const uint8_t *want)
{
    for (int threads = 1; threads <= 3; threads++) {
        wsam_picture out;
        wsam_error error = {0};
        cr_assert_eq(
            wsam_picture_resize(from, height, width, WSAM_FILTER_BILINEAR, threads, &out, &error),
            WSAM_OK, "%s", error.message);
        cr_assert(out.height == height && out.width == width && out.channels == from->channels);
        for (int y = 0; y < height; y++)
            cr_expect_arr_eq(out.pixels + (size_t)y * out.stride,
                             want + (size_t)(y * width * from->channels),
                             (size_t)(width * from->channels));
        wsam_picture_free(&out);
    }
}

Test(pictures, resize_gives_pillows_bytes)
{
    const uint8_t row[] = {10, 20, 30, 40, 50, 60, 70};
    const uint8_t four[] = {15, 31, 49, 65}, ten[] = {10, 15, 23, 30, 37, 43, 50, 58, 65, 70};
    const wsam_picture line = {1, 7, 1, 7, row, NULL}, column = {7, 1, 1, 1, row, NULL};
    expect_resized(&line, 1, 4, four);
    expect_resized(&line, 1, 10, ten);
    expect_resized(&column, 4, 1, four);
    expect_resized(&column, 10, 1, ten);
    expect_resized(&line, 1, 7, row);
}

Test(pictures, resize_of_rows_with_a_stride)
{
    const uint8_t want[] = {20, 78, 146, 204, 25, 83, 151, 209, 30, 88, 156, 214};
    uint8_t pixels[5 * 16];
    memset(pixels, 99, sizeof pixels);
    for (int i = 0; i < 35; i++)
        pixels[i / 7 * 16 + i % 7] = (uint8_t)(37 * i);
    const wsam_picture p = {5, 7, 1, 16, pixels, NULL};
    expect_resized(&p, 3, 4, want);
}

Test(pictures, bad_arguments)
{
    const uint8_t row[8] = {0};
    wsam_picture out;
    wsam_error error;
    const wsam_picture two = {1, 2, 2, 4, row, NULL}, narrow = {1, 2, 3, 5, row, NULL};
    const wsam_picture good = {1, 2, 3, 6, row, NULL};
    cr_expect_eq(wsam_picture_resize(&two, 2, 2, WSAM_FILTER_BILINEAR, 1, &out, &error),
                 WSAM_ERR_ARGUMENT);
    cr_expect_eq(wsam_picture_resize(&narrow, 2, 2, WSAM_FILTER_BILINEAR, 1, &out, &error),
                 WSAM_ERR_ARGUMENT);
    cr_expect_eq(wsam_picture_resize(&good, 0, 2, WSAM_FILTER_BILINEAR, 1, &out, &error),
                 WSAM_ERR_ARGUMENT);
}

Test(pictures, a_written_picture_reads_back)
{
    char path[] = "/tmp/weaksam-picture-XXXXXX";
    wsam_picture drawn, back;
    wsam_error error = {0};
    close(mkstemp(path));
    cr_assert_eq(wsam_picture_draw(40, 60, &drawn, &error), WSAM_OK);
    cr_assert_eq(wsam_picture_save(&drawn, path, &error), WSAM_OK, "%s", error.message);
    cr_assert_eq(wsam_picture_load(path, NULL, &back, &error), WSAM_OK, "%s", error.message);
    cr_expect(back.height == 40 && back.width == 60);
    cr_expect_arr_eq(back.pixels, drawn.pixels, 40 * 60 * 3);
    wsam_picture_free(&drawn);
    wsam_picture_free(&back);
    unlink(path);
}

/* A type beyond those that TIFF has is passed over. */
Test(pictures, exif_types_that_there_are_not)
{
    uint8_t tiff[26] = {'I', 'I', '*', 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6};
    cr_expect_eq(ws_picture_exif_orientation(tiff, sizeof tiff), 6);
    for (int type = 5; type < 256; type++) {
        tiff[12] = (uint8_t)type;
        cr_expect_eq(ws_picture_exif_orientation(tiff, sizeof tiff),
                     type == 6 || type == 8 || type == 9 ? 6 : 1, "type %d", type);
    }
}
