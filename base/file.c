/* base/file.c - see file.h. */
#include "base/file.h"
#include "base/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int ws_file_open_part(const char *path, struct stat *st)
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
    *fd = ws_file_open_part(path, &st);
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

wsam_status ws_file_read_whole(const char *path, uint64_t limit, char **bytes, size_t *size,
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

wsam_status ws_file_folder_there(const char *path, int *there, wsam_error *error)
{
    struct stat st;
    const wsam_status status = look(path, &st, there, error);
    *there = *there && S_ISDIR(st.st_mode);
    return status;
}

wsam_status ws_file_folder_make(const char *path, wsam_error *error)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return WSAM_OK;
    const int why = errno;
    if (why == EEXIST && stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return WSAM_OK;
        return ws_fail(error, WSAM_ERR_IO, "%s: is there, and not a directory", path);
    }
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(why == EEXIST ? errno : why));
}

wsam_status ws_file_remove(const char *path, wsam_error *error)
{
    if (unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_IO, "%s: cannot be removed: %s", path, strerror(errno));
}

wsam_status ws_file_remove_all(const char *folder, int (*goes)(const void *user, const char *name),
                               const void *user, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    struct dirent *e;
    DIR *d = opendir(folder);
    if (!d && (errno == ENOENT || errno == ENOTDIR))
        return WSAM_OK;
    while (d && !status && (errno = 0, e = readdir(d)) != NULL)
        if (goes(user, e->d_name) && unlinkat(dirfd(d), e->d_name, 0) && errno != ENOENT &&
            errno != EISDIR)
            status = ws_fail(error, WSAM_ERR_IO, "%s/%s: cannot be removed: %s", folder, e->d_name,
                             strerror(errno));
    if (!status && errno) /* of opendir, or of the last readdir */
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", folder, strerror(errno));
    if (d)
        closedir(d);
    return status;
}

int ws_file_errno_stays(int why)
{
    return why == ENOENT || why == ENOTDIR || why == EACCES || why == EPERM || why == ELOOP ||
           why == ENAMETOOLONG || why == ENXIO || why == ENODEV;
}

int ws_file_failure_passes(wsam_status status, const char *path)
{
    struct stat st;
    if (status != WSAM_ERR_IO)
        return status == WSAM_ERR_MEMORY;
    const int fd = ws_file_open_part(path, &st);
    if (fd < 0)
        return !ws_file_errno_stays(errno);
    const int regular = S_ISREG(st.st_mode);
    close(fd);
    return regular;
}
