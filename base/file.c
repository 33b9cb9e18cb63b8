/* base/file.c - see file.h. */
#include "base/file.h"
#include "base/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/output.h"
#include "base/text.h"

enum { SYNCED = 8 };

struct ws_output_item {
    ws_outfile file;
    FILE *stream;
};

/* ---- reading ---- */

int ws_open_part(const char *path, struct stat *st)
{
    ws_member m;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 || errno != ENOTDIR || !ws_archive_find(path, &m)) {
        if (fd >= 0 && fstat(fd, st) != 0) {
            close(fd);
            fd = -1;
        }
        return fd;
    }
    fd = open(m.file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    free(m.file);
    if (fd >= 0 && (fstat(fd, st) != 0 || lseek(fd, (off_t)m.offset, SEEK_SET) < 0)) {
        close(fd);
        fd = -1;
    }
    if (fd >= 0)
        st->st_size = (off_t)m.size;
    return fd;
}

static wsam_status open_regular(const char *path, uint64_t limit, int *fd, size_t *size,
                                wsam_error *error)
{
    struct stat st;
    *fd = ws_open_part(path, &st);
    if (*fd < 0)
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

static wsam_status look(const char *path, struct stat *st, int *there, wsam_error *error)
{
    *there = stat(path, st) == 0;
    if (*there || errno == ENOENT || errno == ENOTDIR)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
}

wsam_status ws_file_there(const char *path, int *there, wsam_error *error)
{
    struct stat st;
    return look(path, &st, there, error);
}

wsam_status ws_folder_there(const char *path, int *there, wsam_error *error)
{
    struct stat st;
    const wsam_status status = look(path, &st, there, error);
    *there = *there && S_ISDIR(st.st_mode);
    return status;
}

int ws_errno_stays(int why)
{
    return why == ENOENT || why == ENOTDIR || why == EACCES || why == EPERM || why == ELOOP ||
           why == ENAMETOOLONG || why == ENXIO || why == ENODEV;
}

int ws_failure_passes(wsam_status status, const char *path)
{
    struct stat st;
    if (status != WSAM_ERR_IO)
        return status == WSAM_ERR_MEMORY;
    const int fd = ws_open_part(path, &st);
    if (fd < 0)
        return !ws_errno_stays(errno);
    const int regular = S_ISREG(st.st_mode);
    close(fd);
    return regular;
}

/* ---- writing ---- */

wsam_status ws_outputs_folder(ws_outputs *out, const char *path, wsam_error *error)
{
    struct stat st;
    if (mkdir(path, 0777) == 0) {
        out->folder = strdup(path);
        return out->folder ? WSAM_OK : ws_no_memory(error, path);
    }
    if (errno == EEXIST && stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return ws_fail(error, WSAM_ERR_IO, "%s: is there, and not a directory", path);
    if (errno == EEXIST)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
}

static struct ws_output_item *append(ws_outputs *out)
{
    struct ws_output_item *files = ws_grow(out->files, out->n, &out->capacity, sizeof *files);
    if (!files)
        return NULL;
    out->files = files;
    struct ws_output_item *f = &out->files[out->n++];
    memset(f, 0, sizeof *f);
    return f;
}

/* Takes back what append made: not every caller finishes a list that nothing came into. */
static void take_back(ws_outputs *out)
{
    ws_outfile_drop(&out->files[--out->n].file, 0);
    if (out->n)
        return;
    free(out->files);
    out->files = NULL;
    out->capacity = 0;
}

static FILE *open_one(ws_outputs *out, const char *path, int seekable, wsam_error *error)
{
    struct ws_output_item *f = append(out);
    if (!f) {
        ws_no_memory(error, path);
        return NULL;
    }
    if (ws_outfile_open(&f->file, path, seekable, error)) {
        take_back(out);
        return NULL;
    }
    const int copy = fcntl(f->file.fd, F_DUPFD_CLOEXEC, 3);
    FILE *stream = copy < 0 ? NULL : fdopen(copy, seekable ? "w+b" : "wb");
    if (!stream) {
        ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
        if (copy >= 0)
            close(copy);
        take_back(out);
        return NULL;
    }
    f->stream = stream;
    return stream;
}

FILE *ws_outputs_open(ws_outputs *out, const char *path, wsam_error *error)
{
    return open_one(out, path, 0, error);
}

FILE *ws_outputs_open_seekable(ws_outputs *out, const char *path, wsam_error *error)
{
    return open_one(out, path, 1, error);
}

wsam_status ws_outputs_close(ws_outputs *out, wsam_error *error)
{
    struct ws_output_item *f = &out->files[out->n - 1];
    int failed = ferror(f->stream);
    errno = 0;
    if (fflush(f->stream)) /* after a failed write, too: it says why once more */
        failed = 1;
    if (failed && !errno && write(fileno(f->stream), "\n", 1) < 0) /* nothing was left to flush */
        failed = 1;
    const int why = errno;
    if (fclose(f->stream) != 0 || failed) {
        errno = failed && why ? why : errno;
        f->stream = NULL;
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", f->file.path,
                       errno ? strerror(errno) : "write failed");
    }
    f->stream = NULL;
    /* Many files at once (a folder of masks) are left to the system: a wait for the disk for each
     * would cost more than they do. */
    return ws_outfile_complete(&f->file, out->n <= SYNCED && !out->brief, error);
}

wsam_status ws_outputs_finish(ws_outputs *out, wsam_status status, wsam_error *error)
{
    size_t renamed = 0;
    for (; renamed < out->n && !status; renamed++) {
        status = ws_outfile_rename(&out->files[renamed].file, out->n == 1 && !out->brief, error);
        if (status)
            break;
    }
    for (size_t i = 0; i < out->n; i++) {
        struct ws_output_item *f = &out->files[i];
        if (f->stream)
            fclose(f->stream);
        ws_outfile_drop(&f->file, i < renamed); /* what has its name is whole and stays */
    }
    if (status && out->folder)
        rmdir(out->folder);
    free(out->folder);
    free(out->files);
    memset(out, 0, sizeof *out);
    return status;
}
