/* tests/fuzz/seeds.c - writes the first inputs of the harnesses whose seeds are not in tests/data:
 * weight files and pictures.
 *
 * usage: seeds DIR    (DIR/weights, DIR/png, DIR/jpeg, DIR/webp and DIR/tiff must exist) */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* needs stdio.h before it */
#include <tiffio.h>
#include <webp/encode.h>

#include "tests/util/util_toy.h"

enum { SIDE = 6 };

static FILE *create(const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

/* An even size is opened as it is; an odd one gets its checksums corrected first (fuzz_weights.c).
 */
static void write_weights(const char *folder)
{
    toy t;
    size_t size;
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    FILE *f = create(folder, "weights/toy");
    fwrite(file, 1, size, f);
    fputc(0, f);
    fclose(f);
    free(file);
}

static void write_png(const char *folder, const char *name, int depth, int color, int interlace)
{
    static const png_color palette[4] = {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {0, 0, 255}};
    unsigned char row[SIDE * 8];
    FILE *f = create(folder, name);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    if (!png || !info || setjmp(png_jmpbuf(png))) {
        fprintf(stderr, "seeds: libpng refuses %s\n", name);
        exit(1);
    }
    png_init_io(png, f);
    png_set_IHDR(png, info, SIDE, SIDE, depth, color, interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (color == PNG_COLOR_TYPE_PALETTE)
        png_set_PLTE(png, info, palette, 4);
    png_write_info(png, info);
    const int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < SIDE; y++) {
            for (size_t i = 0; i < sizeof row; i++)
                row[i] = color == PNG_COLOR_TYPE_PALETTE ? (unsigned char)(i % 4)
                                                         : (unsigned char)(37 * (i + (size_t)y));
            png_write_row(png, row);
        }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

/* An EXIF block with one entry: orientation 6. */
static const unsigned char exif[] = {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                                     0x12, 1,   3,   0,   1, 0, 0,   0,   6,  0, 0, 0, 0, 0, 0, 0};

static void write_jpeg(const char *folder, const char *name, J_COLOR_SPACE space, int components,
                       int progressive, int with_exif)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char row[SIDE * 4];
    JSAMPROW rows[1] = {row};
    FILE *f = create(folder, name);
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_stdio_dest(&c, f);
    c.image_width = c.image_height = SIDE;
    c.input_components = components;
    c.in_color_space = space;
    jpeg_set_defaults(&c);
    if (progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    if (with_exif)
        jpeg_write_marker(&c, JPEG_APP0 + 1, exif, sizeof exif);
    while (c.next_scanline < c.image_height) {
        for (size_t i = 0; i < sizeof row; i++)
            row[i] = (unsigned char)(29 * (i + c.next_scanline));
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    fclose(f);
}

static void fill(unsigned char *rgb)
{
    for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++)
        rgb[i] = (unsigned char)(31 * i + i / (3 * SIDE));
}

static void write_webp(const char *folder, const char *name, int lossless)
{
    unsigned char rgb[SIDE * SIDE * 3];
    uint8_t *bytes = NULL;
    fill(rgb);
    const size_t n = lossless ? WebPEncodeLosslessRGB(rgb, SIDE, SIDE, 3 * SIDE, &bytes)
                              : WebPEncodeRGB(rgb, SIDE, SIDE, 3 * SIDE, 50, &bytes);
    FILE *f = create(folder, name);
    fwrite(bytes, 1, n, f);
    fclose(f);
    WebPFree(bytes);
}

static void write_tiff(const char *folder, const char *name, int codec, int tiled, const char *mode)
{
    unsigned char rgb[SIDE * SIDE * 3];
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    fclose(create(folder, name));
    TIFF *t = TIFFOpen(path, mode);
    fill(rgb);
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, SIDE);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, SIDE);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 3);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
    TIFFSetField(t, TIFFTAG_ORIENTATION, ORIENTATION_RIGHTTOP);
    TIFFSetField(t, TIFFTAG_COMPRESSION, codec);
    if (tiled) {
        unsigned char tile[16 * 16 * 3] = {0};
        TIFFSetField(t, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(t, TIFFTAG_TILELENGTH, 16);
        for (uint32_t i = 0; i < TIFFNumberOfTiles(t); i++)
            TIFFWriteEncodedTile(t, i, tile, sizeof tile);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, SIDE);
        TIFFWriteEncodedStrip(t, 0, rgb, sizeof rgb);
    }
    TIFFClose(t);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIR\n");
        return 2;
    }
    const char *folder = argv[1];
    write_weights(folder);
    write_png(folder, "png/rgb8", 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE);
    write_png(folder, "png/rgba16-interlaced", 16, PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_ADAM7);
    write_png(folder, "png/grey1", 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE);
    write_png(folder, "png/grey-alpha8", 8, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_INTERLACE_NONE);
    write_png(folder, "png/palette", 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE);
    write_jpeg(folder, "jpeg/rgb", JCS_RGB, 3, 0, 1);
    write_jpeg(folder, "jpeg/grey-progressive", JCS_GRAYSCALE, 1, 1, 0);
    write_jpeg(folder, "jpeg/cmyk", JCS_CMYK, 4, 0, 0);
    write_webp(folder, "webp/lossy", 0);
    write_webp(folder, "webp/lossless", 1);
    write_tiff(folder, "tiff/raw", COMPRESSION_NONE, 0, "wl");
    write_tiff(folder, "tiff/lzw-big-endian", COMPRESSION_LZW, 0, "wb");
    write_tiff(folder, "tiff/deflate-tiled", COMPRESSION_ADOBE_DEFLATE, 1, "wl");
    write_tiff(folder, "tiff/jpeg", COMPRESSION_JPEG, 0, "wl");
    return 0;
}
