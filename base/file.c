/* base/file.c - see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYNCED = 8 };

struct ws_output {
    char *path, *temporary;
    FILE *stream;
};

/* ---- reading ---- */

static wsam_status open_regular(const char *path, uint64_t limit, int *fd, size_t *size,
                                wsam_error *error)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path,
                       S_ISDIR(st.st_mode) ? "is a directory" : "is not a regular file");
    if (st.st_size == 0)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: the file is empty", path);
    if ((uint64_t)st.st_size > limit || (uint64_t)st.st_size > SIZE_MAX - 1)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s: %lld bytes; the limit is %llu", path,
                       (long long)st.st_size, (unsigned long long)limit);
    *size = (size_t)st.st_size;
    return WSAM_OK;
}

static wsam_status read_all(const char *path, int fd, char *to, size_t n, wsam_error *error)
{
    while (n) {
        const ssize_t got = read(fd, to, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
        if (got == 0)
            return ws_fail(error, WSAM_ERR_IO, "%s: the file shrank while it was read", path);
        to += got;
        n -= (size_t)got;
    }
    return WSAM_OK;
}

wsam_status ws_read_whole(const char *path, uint64_t limit, char **bytes, size_t *size,
                          wsam_error *error)
{
    int fd = -1;
    *bytes = NULL;
    wsam_status status = open_regular(path, limit, &fd, size, error);
    if (!status) {
        *bytes = malloc(*size + 1);
        if (!*bytes)
            status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for %zu bytes", path, *size);
    }
    if (!status)
        status = read_all(path, fd, *bytes, *size, error);
    if (fd >= 0)
        close(fd);
    if (status) {
        free(*bytes);
        *bytes = NULL;
        return status;
    }
    (*bytes)[*size] = 0;
    return WSAM_OK;
}

/* ---- writing ---- */

wsam_status ws_outputs_folder(ws_outputs *out, const char *path, wsam_error *error)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) {
        out->folder = strdup(path);
        return out->folder ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", path);
    }
    if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return ws_fail(error, WSAM_ERR_IO, "%s: is there, and not a directory", path);
    if (errno == EEXIST)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
}

static struct ws_output *append(ws_outputs *out)
{
    if (out->n == out->capacity) {
        const size_t capacity = out->capacity ? 2 * out->capacity : 8;
        struct ws_output *files = realloc(out->files, capacity * sizeof *files);
        if (!files)
            return NULL;
        out->files = files;
        out->capacity = capacity;
    }
    struct ws_output *f = &out->files[out->n++];
    memset(f, 0, sizeof *f);
    return f;
}

/* Fills in the name with one that no other thread or process uses. */
static FILE *open_temporary(const char *path, char *temporary, size_t size)
{
    static atomic_uint count;
    for (int attempt = 0; attempt < 100; attempt++) {
        snprintf(temporary, size, "%s.%ld-%u.tmp", path, (long)getpid(),
                 atomic_fetch_add(&count, 1));
        const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno == EEXIST)
            continue;
        FILE *stream = fd < 0 ? NULL : fdopen(fd, "wb");
        if (fd >= 0 && !stream) {
            close(fd);
            unlink(temporary);
        }
        return stream;
    }
    return NULL;
}

FILE *ws_outputs_open(ws_outputs *out, const char *path, wsam_error *error)
{
    const size_t size = strlen(path) + 40;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        ws_fail(error, WSAM_ERR_IO, "%s: is a directory", path);
        return NULL;
    }
    struct ws_output *f = append(out);
    if (f) {
        f->path = strdup(path);
        f->temporary = malloc(size);
    }
    if (!f || !f->path || !f->temporary) {
        ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", path);
        return NULL;
    }
    f->stream = open_temporary(path, f->temporary, size);
    if (!f->stream) {
        ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
        free(f->temporary);
        f->temporary = NULL;
    }
    return f->stream;
}

wsam_status ws_outputs_close(ws_outputs *out, wsam_error *error)
{
    struct ws_output *f = &out->files[out->n - 1];
    int failed = ferror(f->stream);
    errno = 0;
    /* To the disk before it gets its name: after a crash there is the old file or the whole new
     * one. Many files at once (a folder of masks) are left to the system: a wait for each would
     * cost more than they do. */
    if (!failed)
        failed = fflush(f->stream) ||
                 (out->n <= SYNCED && !out->brief && fsync(fileno(f->stream)) && errno != EINVAL);
    const int why = errno;
    if (fclose(f->stream) != 0 || failed) {
        errno = failed && why ? why : errno;
        f->stream = NULL;
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", f->path,
                       errno ? strerror(errno) : "writing failed");
    }
    f->stream = NULL;
    return WSAM_OK;
}

wsam_status ws_outputs_finish(ws_outputs *out, wsam_status status, wsam_error *error)
{
    size_t renamed = 0;
    for (; renamed < out->n && !status; renamed++) {
        const struct ws_output *f = &out->files[renamed];
        if (rename(f->temporary, f->path) != 0) {
            status = ws_fail(error, WSAM_ERR_IO, "%s: %s", f->path, strerror(errno));
            break;
        }
    }
    for (size_t i = 0; i < out->n; i++) {
        struct ws_output *f = &out->files[i];
        if (f->stream)
            fclose(f->stream);
        if (status && i >= renamed && f->temporary) /* what has its name is whole and stays */
            unlink(f->temporary);
        free(f->path);
        free(f->temporary);
    }
    if (status && out->folder)
        rmdir(out->folder);
    free(out->folder);
    free(out->files);
    memset(out, 0, sizeof *out);
    return status;
}
