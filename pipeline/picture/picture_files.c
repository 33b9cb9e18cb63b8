/* pipeline/picture/picture_files.c - pictures from bytes and files, and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/picture/picture.h"

static wsam_status decode(const char *bytes, size_t size, const wsam_picture_limits *l,
                          wsam_picture *picture, int *orientation, wsam_error *error)
{
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0)
        return ws_png_decode(bytes, size, l, picture, orientation, error);
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0)
        return ws_jpeg_decode(bytes, size, l, picture, orientation, error);
    if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0)
        return ws_webp_decode(bytes, size, l, picture, orientation, error);
    if (size >= 8 && (memcmp(bytes, "II*\0", 4) == 0 || memcmp(bytes, "MM\0*", 4) == 0 ||
                      memcmp(bytes, "II+\0", 4) == 0 || memcmp(bytes, "MM\0+", 4) == 0))
        return ws_tiff_decode(bytes, size, l, picture, orientation, error);
    return ws_fail(error, WSAM_ERR_FORMAT, "neither PNG nor JPEG, WebP or TIFF");
}

/* The libraries report a failed allocation in words of their own, as they do a damaged file; but
 * malloc has left ENOMEM then. It must not pass for the file's fault: that would be kept as a result. */
wsam_status wsam_picture_decode(const void *bytes, size_t size, const wsam_picture_limits *limits,
                                wsam_picture *picture, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const wsam_picture_limits l = ws_picture_limits(limits);
    const int errno_before = errno;
    int orientation = 1;
    memset(picture, 0, sizeof *picture);
    errno = 0;
    wsam_status status = decode(bytes, size, &l, picture, &orientation, error);
    if (status == WSAM_ERR_FORMAT && errno == ENOMEM)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory to decode it");
    errno = errno_before;
    if (!status)
        status = ws_picture_orient(picture, orientation, error);
    if (status)
        wsam_picture_free(picture);
    return status;
}

wsam_status wsam_picture_load(const char *path, const wsam_picture_limits *limits,
                              wsam_picture *picture, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char *bytes;
    size_t size;
    wsam_error inner = {0};
    memset(picture, 0, sizeof *picture);
    const wsam_picture_limits l = ws_picture_limits(limits);
    wsam_status status = ws_file_read_whole(path, l.max_file_bytes, &bytes, &size, error);
    if (status)
        return status;
    status = wsam_picture_decode(bytes, size, &l, picture, &inner);
    free(bytes);
    return status ? ws_fail(error, status, "%s: %s", path, inner.message) : WSAM_OK;
}

wsam_status wsam_picture_save(const wsam_picture *picture, const char *path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_outputs out = {0};
    wsam_status status = ws_picture_valid(picture, error);
    FILE *f = status ? NULL : ws_outputs_open(&out, path, error);
    if (!f)
        return ws_outputs_finish(&out, status ? status : WSAM_ERR_IO, error);
    status = ws_png_write(picture, f, error);
    if (!status)
        status = ws_outputs_close(&out, error);
    return ws_outputs_finish(&out, status, error);
}
