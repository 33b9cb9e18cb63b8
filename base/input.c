/* base/input.c - see input.h. */
#include "base/input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum {
    CHUNK = 1 << 16,
    PATIENCE_MS = 10000 /* for a pipe whose writer says nothing */
};

struct ws_input {
    char *path;
    int fd, pipe;
    int begun, after_cr; /* past the byte order mark; the last byte was a CR */
    char chunk[CHUNK];
    size_t at, n;
};

static wsam_status wrong(const ws_input *in, wsam_status status, const char *why, wsam_error *error)
{
    return ws_fail(error, status, "%s: %s", in->path, why);
}

static wsam_status check_kind(ws_input *in, wsam_error *error)
{
    struct stat st;
    if (in->fd < 0 || fstat(in->fd, &st) != 0)
        return wrong(in, WSAM_ERR_IO, strerror(errno), error);
    in->pipe = S_ISFIFO(st.st_mode);
    if (S_ISDIR(st.st_mode))
        return wrong(in, WSAM_ERR_IO, "is a directory", error);
    if (!in->pipe && !S_ISREG(st.st_mode))
        return wrong(in, WSAM_ERR_IO, "is a device, not a file", error);
    return WSAM_OK;
}

wsam_status ws_input_open(const char *path, ws_input **out, wsam_error *error)
{
    ws_input *in = malloc(sizeof *in);
    *out = NULL;
    if (!in)
        return ws_no_memory(error, path);
    memset(in, 0, offsetof(ws_input, chunk));
    in->at = in->n = 0;
    in->fd = -1;
    in->path = strdup(path);
    wsam_status status = in->path ? WSAM_OK : ws_no_memory(error, path);
    if (!status) { /* not to wait for the other end of a pipe */
        in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        status = check_kind(in, error);
    }
    if (status)
        ws_input_close(in);
    else
        *out = in;
    return status;
}

void ws_input_close(ws_input *in)
{
    if (!in)
        return;
    if (in->fd >= 0)
        close(in->fd);
    free(in->path);
    free(in);
}

/* read(), waiting for a pipe for a while. */
static wsam_status read_some(ws_input *in, char *to, size_t room, size_t *n, wsam_error *error)
{
    struct pollfd p = {.fd = in->fd, .events = POLLIN};
    for (;;) {
        const ssize_t got = read(in->fd, to, room);
        if (got >= 0) {
            *n = (size_t)got;
            return WSAM_OK;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return wrong(in, WSAM_ERR_IO, strerror(errno), error);
        const int ready = poll(&p, 1, PATIENCE_MS);
        if (ready == 0)
            return wrong(in, WSAM_ERR_IO, "a pipe that gave nothing for 10 seconds", error);
        if (ready < 0 && errno != EINTR)
            return wrong(in, WSAM_ERR_IO, strerror(errno), error);
    }
}

/* The mark at the beginning: of UTF-8, or of an encoding that is refused. Short reads of pipes are
 * put together first. */
static wsam_status begin(ws_input *in, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    size_t got = 1;
    while (!status && got && in->n < 4) {
        status = read_some(in, in->chunk + in->n, CHUNK - in->n, &got, error);
        in->n += status ? 0 : got;
    }
    if (status)
        return status;
    if (in->n >= 2 &&
        (memcmp(in->chunk, "\xff\xfe", 2) == 0 || memcmp(in->chunk, "\xfe\xff", 2) == 0))
        return wrong(in, WSAM_ERR_FORMAT, "is UTF-16 text: save it as UTF-8", error);
    if (in->n >= 3 && memcmp(in->chunk, "\xef\xbb\xbf", 3) == 0)
        in->at = 3;
    in->begun = 1;
    return WSAM_OK;
}

static wsam_status refill(ws_input *in, wsam_error *error)
{
    if (!in->begun)
        return begin(in, error);
    in->at = 0;
    return read_some(in, in->chunk, CHUNK, &in->n, error);
}

wsam_status ws_input_read(ws_input *in, char *to, size_t room, size_t *n, wsam_error *error)
{
    *n = 0;
    while (!*n) {
        if (in->at == in->n) {
            const wsam_status status = refill(in, error);
            if (status || in->at == in->n)
                return status;
        }
        for (; in->at < in->n && *n < room; in->at++) {
            const char c = in->chunk[in->at];
            if (!c)
                return wrong(in, WSAM_ERR_FORMAT, "a zero byte: not a text file, or one in UTF-16",
                             error);
            if (c != '\n' || !in->after_cr)
                to[(*n)++] = c == '\r' ? '\n' : c;
            in->after_cr = c == '\r';
        }
    }
    return WSAM_OK;
}

wsam_status ws_input_whole(const char *path, uint64_t limit, char **text, size_t *n,
                           wsam_error *error)
{
    ws_text all = {0};
    ws_input *in;
    size_t got = 1;
    *text = NULL;
    *n = 0;
    wsam_status status = ws_input_open(path, &in, error);
    if (status)
        return status;
    while (!status && got) {
        char *to = ws_text_room(&all, CHUNK);
        status = to ? ws_input_read(in, to, CHUNK, &got, error) : ws_no_memory(error, path);
        all.n += status ? 0 : got;
        if (!status && all.n > limit)
            status = ws_fail(error, WSAM_ERR_LIMIT, "%s: more than %llu bytes", path,
                             (unsigned long long)limit);
    }
    ws_input_close(in);
    if (!status && !all.n)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: the file is empty", path);
    if (status) {
        free(all.text);
        return status;
    }
    all.text[all.n] = 0;
    *text = all.text;
    *n = all.n;
    return WSAM_OK;
}

/* ---- line by line ---- */

struct ws_text_lines {
    ws_input *in;
    size_t longest;
    uint64_t number;
    ws_text line;
    size_t at, n;
    char bytes[CHUNK];
};

wsam_status ws_input_lines_open(const char *path, size_t longest, ws_text_lines **out,
                                wsam_error *error)
{
    ws_text_lines *l = malloc(sizeof *l);
    *out = NULL;
    if (!l)
        return ws_no_memory(error, path);
    *l = (ws_text_lines){.longest = longest};
    const wsam_status status = ws_input_open(path, &l->in, error);
    if (status)
        ws_input_lines_close(l);
    else
        *out = l;
    return status;
}

void ws_input_lines_close(ws_text_lines *l)
{
    if (!l)
        return;
    ws_input_close(l->in);
    free(l->line.text);
    free(l);
}

uint64_t ws_input_lines_number(const ws_text_lines *l)
{
    return l->number;
}

static wsam_status add(ws_text_lines *l, size_t n, wsam_error *error)
{
    if (n > l->longest - l->line.n)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s:%llu: a line of more than %zu bytes", l->in->path,
                       (unsigned long long)l->number + 1, l->longest);
    ws_text_put(&l->line, l->bytes + l->at, n);
    return l->line.failed ? ws_no_memory(error, l->in->path) : WSAM_OK;
}

/* One line without its end; *end says that there is none. */
static wsam_status whole_line(ws_text_lines *l, int *end, wsam_error *error)
{
    l->line.n = 0;
    *end = 0;
    for (int any = 0;; any = 1) {
        if (l->at == l->n) {
            l->at = 0;
            wsam_status status = ws_input_read(l->in, l->bytes, CHUNK, &l->n, error);
            if (status)
                return status;
            if (!l->n) {
                *end = !any;
                l->number += (uint64_t)any;
                return WSAM_OK;
            }
        }
        const char *from = l->bytes + l->at, *stop = memchr(from, '\n', l->n - l->at);
        const size_t n = stop ? (size_t)(stop - from) : l->n - l->at;
        const wsam_status status = add(l, n, error);
        if (status)
            return status;
        l->at += n + (stop != NULL);
        if (stop) {
            l->number++;
            return WSAM_OK;
        }
    }
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

wsam_status ws_input_lines_next(ws_text_lines *l, char **line, size_t *n, wsam_error *error)
{
    int end;
    *line = NULL;
    *n = 0;
    for (;;) {
        const wsam_status status = whole_line(l, &end, error);
        if (status || end)
            return status;
        char *from = l->line.text, *to = from + l->line.n;
        while (from < to && is_blank(*from))
            from++;
        while (to > from && is_blank(to[-1]))
            to--;
        if (from == to)
            continue;
        *to = 0;
        *line = from;
        *n = (size_t)(to - from);
        return WSAM_OK;
    }
}
