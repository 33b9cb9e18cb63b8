/* demo/drawing/finish.c - the camera: blur, exposure, noise, JPEG. */
#include "demo/drawing/finish.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* One pass of the binomial 1 2 1 along a line of `n` pixels; two of them have a sigma of one pixel.
 */
static void blur_line(demo_color *line, int n, long step)
{
    demo_color before = line[0];
    for (int i = 0; i < n; i++) {
        demo_color *at = line + i * step;
        const demo_color old = *at, after = i + 1 < n ? at[step] : old;
        *at = (demo_color){0.25f * (before.r + after.r) + 0.5f * old.r,
                           0.25f * (before.g + after.g) + 0.5f * old.g,
                           0.25f * (before.b + after.b) + 0.5f * old.b};
        before = old;
    }
}

void demo_blur(demo_canvas *c, int passes)
{
    for (int k = 0; k < passes; k++) {
        for (int y = 0; y < c->height; y++)
            blur_line(c->pixels + (long)y * c->width, c->width, 1);
        for (int x = 0; x < c->width; x++)
            blur_line(c->pixels + x, c->height, c->width);
    }
}

static uint8_t to_byte(float v)
{
    return (uint8_t)(fminf(fmaxf(v, 0), 1) * 255 + 0.5f);
}

/* About normal: the sum of two uniform numbers. */
static float gaussian(demo_random *r)
{
    return 2.449f * (demo_unit(r) + demo_unit(r) - 1);
}

static void expose(const demo_canvas *c, demo_random *r, uint8_t *rgb)
{
    const float gain = demo_between(r, 0.75f, 1.2f), lift = demo_between(r, -0.05f, 0.06f);
    const float noise = demo_unit(r) * demo_between(r, 0, 0.05f),
                corner = demo_between(r, 0, 0.35f);
    const float red = demo_between(r, 0.94f, 1.06f), blue = demo_between(r, 0.94f, 1.06f);
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++) {
            const float dx = (float)x / (float)c->width - 0.5f,
                        dy = (float)y / (float)c->height - 0.5f;
            const float g = gain * (1 - corner * (dx * dx + dy * dy) * 2),
                        grain = noise * gaussian(r);
            const demo_color p = c->pixels[(long)y * c->width + x];
            *rgb++ = to_byte(p.r * g * red + lift + grain);
            *rgb++ = to_byte(p.g * g + lift + noise * 0.5f * gaussian(r) + grain);
            *rgb++ = to_byte(p.b * g * blue + lift + grain);
        }
}

static int compress(demo_scene *s, int quality)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &bytes, &size);
    j.image_width = (JDIMENSION)s->width;
    j.image_height = (JDIMENSION)s->height;
    j.input_components = 3;
    j.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, quality, TRUE);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = s->rgb + (size_t)j.next_scanline * (size_t)s->width * 3;
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    s->jpeg = bytes;
    s->jpeg_bytes = size;
    return bytes != NULL;
}

static void decompress(demo_scene *s)
{
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    j.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&j);
    jpeg_mem_src(&j, s->jpeg, s->jpeg_bytes);
    jpeg_read_header(&j, TRUE);
    jpeg_start_decompress(&j);
    while (j.output_scanline < j.output_height) {
        JSAMPROW row = s->rgb + (size_t)j.output_scanline * (size_t)s->width * 3;
        jpeg_read_scanlines(&j, &row, 1);
    }
    jpeg_finish_decompress(&j);
    jpeg_destroy_decompress(&j);
}

int demo_finish(demo_canvas *canvas, demo_random *r, demo_scene *scene)
{
    demo_blur(canvas, demo_below(r, 4));
    expose(canvas, r, scene->rgb);
    if (!compress(scene, 45 + demo_below(r, 51)))
        return 0;
    decompress(scene);
    return 1;
}
