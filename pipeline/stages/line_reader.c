/* pipeline/stages/line_reader.c - files of JSON lines, a line in memory at a time. */
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "kernels/float_scope.h"
#include "pipeline/stages/lines.h"

struct wsam_line_reader {
    ws_text_lines *lines;
    char *path;
    int any; /* a line with something in it was there */
};

wsam_status wsam_line_reader_open(const char *path, wsam_line_reader **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_line_reader *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r)
        r->path = strdup(path);
    const wsam_status status = r && r->path
                                   ? ws_input_lines_open(path, WS_LINE_MAX, &r->lines, error)
                                   : ws_no_memory(error, path);
    if (status)
        wsam_line_reader_close(r);
    else
        *out = r;
    return status;
}

void wsam_line_reader_close(wsam_line_reader *r)
{
    if (!r)
        return;
    ws_input_lines_close(r->lines);
    free(r->path);
    free(r);
}

wsam_status ws_line_reader_next(wsam_line_reader *r, char **text, size_t *n, ws_line *line,
                                wsam_error *error)
{
    const wsam_status status = ws_input_lines_next(r->lines, text, n, error);
    if (!status && !*text && !r->any)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the file is empty", r->path);
    r->any = 1;
    *line = (ws_line){r->path, ws_input_lines_number(r->lines), error};
    return status;
}
