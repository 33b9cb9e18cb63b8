/* pipeline/stages/line_reader.c - files of JSON lines, a line in memory at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/stages/lines.h"

struct wsam_line_reader {
    FILE *file;
    char *path, *text;
    size_t capacity;
    uint64_t line;
    int any; /* a line with something in it was there */
};

wsam_status wsam_line_reader_open(const char *path, wsam_line_reader **out, wsam_error *error)
{
    struct stat st;
    *out = NULL;
    if (stat(path, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path,
                       S_ISDIR(st.st_mode) ? "is a directory" : "is not a regular file");
    wsam_line_reader *r = calloc(1, sizeof *r);
    if (r && (r->path = strdup(path)))
        r->file = fopen(path, "rb");
    if (r && r->file) {
        *out = r;
        return WSAM_OK;
    }
    const wsam_status status = r && r->path
                                   ? ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno))
                                   : ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", path);
    wsam_line_reader_close(r);
    return status;
}

void wsam_line_reader_close(wsam_line_reader *r)
{
    if (!r)
        return;
    if (r->file)
        fclose(r->file);
    free(r->path);
    free(r->text);
    free(r);
}

/* One line without its end into r->text; *n is its length, *end says that there is none. */
static wsam_status read_line(wsam_line_reader *r, size_t *n, int *end, wsam_error *error)
{
    int c;
    *n = 0;
    while ((c = getc_unlocked(r->file)) != EOF && c != '\n') {
        if (*n == r->capacity) {
            const size_t capacity = r->capacity ? 2 * r->capacity : 4096;
            char *text = capacity <= WS_LINE_MAX ? realloc(r->text, capacity) : NULL;
            if (!text)
                return ws_fail(error, WSAM_ERR_LIMIT, "%s:%llu: a line of more than %d MiB",
                               r->path, (unsigned long long)r->line + 1, WS_LINE_MAX >> 20);
            r->text = text;
            r->capacity = capacity;
        }
        r->text[(*n)++] = (char)c;
    }
    if (ferror(r->file))
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", r->path, strerror(errno));
    *end = c == EOF && !*n;
    r->line += !*end;
    return WSAM_OK;
}

/* The next line that is not blank; *n is 0 at the end. */
static wsam_status next_line(wsam_line_reader *r, size_t *n, wsam_error *error)
{
    int end = 0;
    do {
        const wsam_status status = read_line(r, n, &end, error);
        if (status)
            return status;
    } while (!end && ws_line_blank(r->text, *n));
    if (end && !r->any)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the file is empty", r->path);
    r->any = 1;
    *n = end ? 0 : *n;
    return WSAM_OK;
}

wsam_status wsam_points_next(wsam_line_reader *r, wsam_clue_points **points, wsam_error *error)
{
    size_t n;
    *points = NULL;
    const wsam_status status = next_line(r, &n, error);
    if (status || !n)
        return status;
    return wsam_points_parse(r->text, n, r->path, r->line, points, error);
}

wsam_status wsam_proposals_next(wsam_line_reader *r, wsam_proposals **proposals, wsam_error *error)
{
    size_t n;
    *proposals = NULL;
    const wsam_status status = next_line(r, &n, error);
    if (status || !n)
        return status;
    return wsam_proposals_parse(r->text, n, r->path, r->line, proposals, error);
}
