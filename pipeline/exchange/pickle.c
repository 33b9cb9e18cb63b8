/* pipeline/exchange/pickle.c - Python's pickles of proposals and labels, there and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "kernels/float_scope.h"
#include "pipeline/exchange/pickle_shared.h"

enum { MOST_BYTES = 1 << 30 };

/* Protocol 2 and later begin with PROTO; lines of objects with a brace. */
static int is_pickle(const char *bytes, size_t n)
{
    return n > 1 && (unsigned char)bytes[0] == 0x80;
}

static int is_lines(const char *bytes, size_t n)
{
    size_t i = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (i < n && strchr(" \t\r\n", bytes[i]) && bytes[i])
        i++;
    return i < n && bytes[i] == '{';
}

/* The first bytes of a file, which may be fewer. */
static wsam_status read_head(const char *path, char *head, size_t room, size_t *n,
                             wsam_error *error)
{
    FILE *f = fopen(path, "rb");
    *n = f ? fread(head, 1, room, f) : 0;
    const int failed = !f || ferror(f);
    if (failed)
        ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    if (f)
        fclose(f);
    return failed ? WSAM_ERR_IO : WSAM_OK;
}

wsam_status wsam_import_pickle(const char *path, const wsam_pickle_options *options,
                               const char *output, wsam_pickle_counts *counts, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_pickle_names names = {0};
    wsam_pickle_counts own;
    char head[64], *bytes = NULL;
    size_t n = 0;
    if (!counts)
        counts = &own;
    *counts = (wsam_pickle_counts){0};
    wsam_status status = read_head(path, head, sizeof head, &n, error);
    if (!status && is_lines(head, n))
        return ws_lines_to_pickle(path, options ? options->form : WSAM_PICKLE_USUAL, output, counts,
                                  error);
    if (!status && !is_pickle(head, n))
        status = ws_fail(error, WSAM_ERR_FORMAT,
                         "%s: neither a pickle of protocol 2 or later nor JSON lines", path);
    if (!status)
        status = ws_file_read_whole(path, MOST_BYTES, &bytes, &n, error);
    if (!status)
        status = ws_pickle_names_open(options, &names, error);
    if (!status)
        status = ws_pickle_to_lines(path, (const unsigned char *)bytes, n, &names, output, counts,
                                    error);
    ws_pickle_names_close(&names);
    free(bytes);
    return status;
}
