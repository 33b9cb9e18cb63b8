/* tests/scripts/pictures.c - writes the pictures that the tests of the command use.
 *
 * usage: pictures DIR
 *
 * card.png: the golden test card, 640 x 480; card.jpg: the same; rotated.jpg: with EXIF orientation
 * 6; cmyk.jpg; truncated.jpg: its first half; thin.png: 1 x 3000; bomb.png: 60000 x 60000 in a few
 * bytes */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <jpeglib.h> /* needs stdio.h before it */

enum { W = 640, H = 480 };

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

static void card_pixel(int x, int y, unsigned char *rgb)
{
    const int dx = x - W / 3, dy = y - H / 2;
    rgb[0] = (unsigned char)(5 * x + 3 * y);
    rgb[1] = (unsigned char)((x * x + y * y) >> 6);
    rgb[2] = (unsigned char)(x ^ y);
    if (dx * dx + dy * dy < (H / 5) * (H / 5))
        rgb[0] = 220, rgb[1] = 40, rgb[2] = 30;
    if (abs(x - 2 * W / 3) < W / 8 && abs(y - H / 2) < H / 4)
        rgb[0] = 30, rgb[1] = 60, rgb[2] = 200;
}

static void write_png(const char *folder, const char *name, int w, int h)
{
    unsigned char row[W * 3];
    FILE *f = create(folder, name);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    if (!png || !info || setjmp(png_jmpbuf(png))) {
        fprintf(stderr, "pictures: libpng refuses %s\n", name);
        exit(1);
    }
    png_init_io(png, f);
    png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++)
            card_pixel(x, y, row + 3 * x);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

static void put_chunk(FILE *f, const char *type, const unsigned char *data, unsigned n)
{
    unsigned char bytes[64] = {0};
    memcpy(bytes, type, 4);
    memcpy(bytes + 4, data, n);
    const unsigned long crc = crc32(0, bytes, n + 4);
    const unsigned char head[4] = {0, 0, 0, (unsigned char)n};
    const unsigned char tail[4] = {(unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
                                   (unsigned char)(crc >> 8), (unsigned char)crc};
    fwrite(head, 1, 4, f);
    fwrite(bytes, 1, n + 4, f);
    fwrite(tail, 1, 4, f);
}

static void write_bomb(const char *folder)
{
    static const unsigned char ihdr[13] = {0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 8, 2, 0, 0, 0};
    unsigned char zeros[32] = {0}, packed[64];
    uLongf n = sizeof packed;
    compress(packed, &n, zeros, sizeof zeros);
    FILE *f = create(folder, "bomb.png");
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, f);
    put_chunk(f, "IHDR", ihdr, sizeof ihdr);
    put_chunk(f, "IDAT", packed, (unsigned)n);
    put_chunk(f, "IEND", ihdr, 0);
    fclose(f);
}

/* An EXIF block with one entry: orientation 6, the top of the scene is on the right. */
static const unsigned char exif[] = {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                                     0x12, 1,   3,   0,   1, 0, 0,   0,   6,  0, 0, 0, 0, 0, 0, 0};

static unsigned char *jpeg(int components, int with_exif, unsigned long *size)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr errors;
    unsigned char row[W * 4] = {0}, *data = NULL;
    JSAMPROW rows[1] = {row};
    *size = 0;
    c.err = jpeg_std_error(&errors);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &data, size);
    c.image_width = W;
    c.image_height = H;
    c.input_components = components;
    c.in_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 95, TRUE);
    jpeg_start_compress(&c, TRUE);
    if (with_exif)
        jpeg_write_marker(&c, JPEG_APP0 + 1, exif, sizeof exif);
    while (c.next_scanline < c.image_height) {
        for (int x = 0; x < W; x++)
            card_pixel(x, (int)c.next_scanline, row + components * x);
        jpeg_write_scanlines(&c, rows, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return data;
}

static void write_jpeg(const char *folder, const char *name, int components, int with_exif,
                       int halves)
{
    unsigned long size;
    unsigned char *data = jpeg(components, with_exif, &size);
    FILE *f = create(folder, name);
    fwrite(data, 1, size * (unsigned long)halves / 2, f);
    fclose(f);
    free(data);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: pictures DIR\n");
        return 2;
    }
    write_png(argv[1], "card.png", W, H);
    write_png(argv[1], "thin.png", 1, 3000);
    write_bomb(argv[1]);
    write_jpeg(argv[1], "card.jpg", 3, 0, 2);
    write_jpeg(argv[1], "rotated.jpg", 3, 1, 2);
    write_jpeg(argv[1], "cmyk.jpg", 4, 0, 2);
    write_jpeg(argv[1], "truncated.jpg", 3, 0, 1);
    return 0;
}
