/* pipeline/picture/picture_tiff.c - TIFF through libtiff: one page, from memory.
 *
 * libtiff has codecs within codecs. Those that bring other decoders of untrusted bytes (WebP, LERC,
 * JBIG, LZMA, zstd, old JPEG) are refused by their tag before any pixel is read; JPEG is ours anyway.
 * No allocation of libtiff exceeds what the largest allowed picture needs. */
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#include "pipeline/picture/picture.h"

typedef struct tiff_job {
    const uint8_t *bytes;
    uint64_t size, at;
    char message[160]; /* the first */
} tiff_job;

/* ---- a file in memory ---- */

static tmsize_t read_bytes(thandle_t handle, void *to, tmsize_t n)
{
    tiff_job *j = (tiff_job *)handle;
    const uint64_t left = j->at < j->size ? j->size - j->at : 0;
    const uint64_t take = n < 0 ? 0 : (uint64_t)n < left ? (uint64_t)n : left;
    memcpy(to, j->bytes + (j->at < j->size ? j->at : 0), (size_t)take);
    j->at += take;
    return (tmsize_t)take;
}

static tmsize_t write_bytes(thandle_t handle, void *from, tmsize_t n)
{
    (void)handle, (void)from, (void)n;
    return -1;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence)
{
    tiff_job *j = (tiff_job *)handle;
    const uint64_t from = whence == SEEK_CUR ? j->at : whence == SEEK_END ? j->size : 0;
    j->at = from + offset; /* beyond the end there is nothing to read */
    return j->at;
}

static int close_file(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle)
{
    return ((tiff_job *)handle)->size;
}

/* ---- messages ---- */

__attribute__((format(printf, 4, 0))) static int
on_error(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    tiff_job *j = user;
    (void)tiff, (void)module;
    if (!*j->message)
        vsnprintf(j->message, sizeof j->message, format, args);
    return 1;
}

__attribute__((format(printf, 4, 0))) static int
on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args)
{
    (void)tiff, (void)user, (void)module, (void)format, (void)args;
    return 1;
}

static wsam_status failed(const tiff_job *j, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT, "TIFF: %s",
                   *j->message ? j->message : "damaged or truncated");
}

/* ---- the page ---- */

static int codec_allowed(uint16_t codec)
{
    static const uint16_t allowed[] = {
        COMPRESSION_NONE,          COMPRESSION_LZW,       COMPRESSION_PACKBITS,
        COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,   COMPRESSION_JPEG,
        COMPRESSION_CCITTRLE,      COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (allowed[i] == codec)
            return 1;
    return 0;
}

/* A reduced copy of the first page, as cameras write it, is no page of its own. */
static int has_other_page(TIFF *tiff)
{
    uint32_t kind = 0;
    if (!TIFFReadDirectory(tiff))
        return 0;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SUBFILETYPE, &kind);
    return !(kind & FILETYPE_REDUCEDIMAGE);
}

static wsam_status check_page(TIFF *tiff, const wsam_picture_limits *limits, uint32_t *width,
                              uint32_t *height, int *orientation, wsam_error *error)
{
    uint16_t codec = COMPRESSION_NONE, turned = ORIENTATION_TOPLEFT;
    TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &codec);
    if (!codec_allowed(codec))
        return ws_fail(
            error, WSAM_ERR_UNSUPPORTED,
            "TIFF: compression %u; expected none, LZW, PackBits, deflate, JPEG or a fax's",
            (unsigned)codec);
    if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, width) ||
        !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, height))
        return ws_fail(error, WSAM_ERR_FORMAT, "TIFF: no width or height");
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &turned);
    *orientation = turned >= 1 && turned <= 8 ? turned : 1;
    return ws_picture_check(*height, *width, limits, error);
}

/* libtiff's pixels are ABGR words. */
static void take_pixels(const uint32_t *raster, size_t n, uint8_t *to)
{
    for (size_t i = 0; i < n; i++) {
        *to++ = (uint8_t)TIFFGetR(raster[i]);
        *to++ = (uint8_t)TIFFGetG(raster[i]);
        *to++ = (uint8_t)TIFFGetB(raster[i]);
    }
}

/* Rows as the file has them: who turns a picture by its orientation turns all formats. */
static wsam_status read_page(const tiff_job *j, TIFF *tiff, uint32_t width, uint32_t height,
                             int orientation, wsam_picture *picture, wsam_error *error)
{
    uint8_t *pixels;
    const size_t n = (size_t)width * height;
    uint32_t *raster = malloc(n * sizeof *raster);
    if (!raster)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an image of %u x %u", width, height);
    wsam_status status = TIFFReadRGBAImageOriented(tiff, width, height, raster, orientation, 1)
                             ? WSAM_OK
                             : failed(j, error);
    if (!status)
        status = ws_picture_new((int)height, (int)width, picture, &pixels, error);
    if (!status)
        take_pixels(raster, n, pixels);
    free(raster);
    return status;
}

static TIFF *open_file(tiff_job *j, const wsam_picture_limits *limits)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return NULL;
    const uint64_t most = 8 * limits->max_pixels + (1 << 20); /* 16 bits of four channels */
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)most);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, j);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, j);
    TIFF *tiff = TIFFClientOpenExt("TIFF", "rm", (thandle_t)j, read_bytes, write_bytes, seek,
                                   close_file, size_of, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

wsam_status ws_tiff_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                           wsam_picture *picture, int *orientation, wsam_error *error)
{
    tiff_job j = {.bytes = bytes, .size = size};
    uint32_t width = 0, height = 0;
    TIFF *tiff = open_file(&j, limits);
    if (!tiff)
        return failed(&j, error);
    wsam_status status = check_page(tiff, limits, &width, &height, orientation, error);
    if (!status)
        status = read_page(&j, tiff, width, height, *orientation, picture, error);
    if (!status && has_other_page(tiff))
        status = ws_fail(error, WSAM_ERR_UNSUPPORTED, "TIFF: several pages; expected one");
    TIFFClose(tiff);
    return status;
}
