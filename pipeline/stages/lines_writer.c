/* pipeline/stages/lines_writer.c - text files that grow line by line under a temporary name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "weaksam/lines.h"

struct wsam_lines {
    ws_outputs out;
    FILE *file;
    char *path;
};

wsam_status wsam_lines_open(const char *path, wsam_lines **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    wsam_lines *l = calloc(1, sizeof *l);
    if (!l || !(l->path = strdup(path))) {
        free(l);
        return ws_no_memory(error, path);
    }
    l->file = ws_outputs_open(&l->out, path, error);
    if (l->file) {
        *out = l;
        return WSAM_OK;
    }
    const wsam_status status = ws_outputs_finish(&l->out, WSAM_ERR_IO, error);
    free(l->path);
    free(l);
    return status;
}

wsam_status wsam_lines_put(wsam_lines *l, const char *text, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    if (fputs(text, l->file) < 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", l->path, strerror(errno));
    return WSAM_OK;
}

wsam_status wsam_lines_finish(wsam_lines *l, wsam_status status, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    if (!status)
        status = ws_outputs_close(&l->out, error);
    status = ws_outputs_finish(&l->out, status, error);
    free(l->path);
    free(l);
    return status;
}
