/* pipeline/stages/lines.c - JSON lines of points and proposals: untrusted. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/stages/lines.h"

enum {
    MAX_LINE = 64 << 20,
    MAX_DEPTH = 16 /* a line needs five */
};

struct wsam_line_reader {
    FILE *file;
    char *path, *text;
    size_t capacity;
    uint64_t line;
    int any; /* a line with something in it was there */
};

/* ---- files ---- */

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
            char *text = capacity <= MAX_LINE ? realloc(r->text, capacity) : NULL;
            if (!text)
                return ws_fail(error, WSAM_ERR_LIMIT, "%s:%llu: a line of more than %d MiB",
                               r->path, (unsigned long long)r->line + 1, MAX_LINE >> 20);
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

static int is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return 0;
    return 1;
}

/* The next line that is not blank; *n is 0 at the end. */
static wsam_status next_line(wsam_line_reader *r, size_t *n, wsam_error *error)
{
    int end = 0;
    do {
        const wsam_status status = read_line(r, n, &end, error);
        if (status)
            return status;
    } while (!end && is_blank(r->text, *n));
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

/* ---- fields ---- */

wsam_status ws_line_bad(const ws_line *l, const char *field, const char *wants)
{
    return ws_fail(l->error, WSAM_ERR_FORMAT, "%s:%llu: '%s' is not %s", l->name,
                   (unsigned long long)l->number, field, wants);
}

wsam_status ws_line_no_memory(const ws_line *l)
{
    return ws_fail(l->error, WSAM_ERR_MEMORY, "%s:%llu: no memory", l->name,
                   (unsigned long long)l->number);
}

/* cJSON parses recursively, to a depth of its own that is a build option: count brackets first. */
static int too_deep(const char *text, size_t n)
{
    int depth = 0, in_string = 0;
    for (size_t i = 0; i < n; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && (text[i] == '[' || text[i] == '{') && ++depth > MAX_DEPTH)
            return 1;
        else if (!in_string && (text[i] == ']' || text[i] == '}'))
            depth--;
    }
    return 0;
}

wsam_status ws_line_parse(const ws_line *l, const char *text, size_t n, cJSON **root)
{
    const char *end = NULL;
    *root = NULL;
    if (n <= MAX_LINE && !memchr(text, 0, n) && !too_deep(text, n))
        *root = cJSON_ParseWithLengthOpts(text, n, &end, 0);
    if (*root && is_blank(end, (size_t)(text + n - end)) && cJSON_IsObject(*root))
        return WSAM_OK;
    cJSON_Delete(*root);
    *root = NULL;
    return ws_fail(l->error, WSAM_ERR_FORMAT, "%s:%llu: not a JSON object", l->name,
                   (unsigned long long)l->number);
}

wsam_status ws_line_picture(const ws_line *l, const cJSON *root, char **image, int *width,
                            int *height)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(root, "image");
    static const char *const sides[2] = {"width", "height"};
    int *const out[2] = {width, height};
    if (!cJSON_IsString(name) || !*name->valuestring)
        return ws_line_bad(l, "image", "a file name");
    for (int i = 0; i < 2; i++) {
        double v;
        if (!ws_line_number(root, sides[i], &v) || !(v >= 1 && v <= 65535) || v > floor(v))
            return ws_line_bad(l, sides[i], "a whole number from 1 to 65535");
        *out[i] = (int)v;
    }
    *image = strdup(name->valuestring);
    return *image ? WSAM_OK : ws_line_no_memory(l);
}

int ws_line_number(const cJSON *object, const char *field, double *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, field);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return 0;
    *out = item->valuedouble;
    return 1;
}

int ws_line_source(const cJSON *object, wsam_source *source)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "source");
    for (int s = 0; s < WSAM_SOURCES && cJSON_IsString(item); s++)
        if (strcmp(item->valuestring, wsam_source_name((wsam_source)s)) == 0) {
            *source = (wsam_source)s;
            return 1;
        }
    return 0;
}
