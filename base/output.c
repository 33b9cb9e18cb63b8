/* base/output.c - see output.h. */
#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_LINKS = 40 /* as the kernel has it */ };

static wsam_status failed(const ws_output_file *o, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", o->path, errno ? strerror(errno) : "write failed");
}

/* ---- where a path leads ---- */

/* N of /dev/fd/N, /proc/self/fd/N and the names of the three standard streams; -1 otherwise. To
 * open these names would begin a regular file anew that others write to as well. */
static int own_stream(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"};
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    for (int i = 0; i < 3; i++)
        if (strcmp(path, names[i]) == 0)
            return i;
    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(folders[i]);
        char *end;
        if (strncmp(path, folders[i], n) != 0 || path[n] < '0' || path[n] > '9')
            continue;
        const long fd = strtol(path + n, &end, 10);
        if (!*end && fd <= 1 << 20)
            return (int)fd;
    }
    return -1;
}

/* `link` seen from the folder of `path`; NULL without memory. */
static char *beside(const char *path, const char *link)
{
    const char *slash = *link == '/' ? NULL : strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0, n = strlen(link) + 1;
    char *joined = malloc(folder + n);
    if (joined) {
        memcpy(joined, path, folder);
        memcpy(joined + folder, link, n);
    }
    return joined;
}

/* One step along a symbolic link: 1 when there was one, 0 at the end, -1 and errno on failure. */
static int follow(ws_output_file *o, struct stat *st)
{
    char link[4096];
    if (lstat(o->target, st) != 0 || !S_ISLNK(st->st_mode))
        return 0;
    const ssize_t n = readlink(o->target, link, sizeof link);
    if (n < 0 || n == sizeof link) {
        errno = n < 0 ? errno : ENAMETOOLONG;
        return -1;
    }
    link[n] = 0;
    char *next = beside(o->target, link);
    if (!next)
        return -1;
    free(o->target);
    o->target = next;
    return 1;
}

/* Follows links to `target`; *fd is the process's own stream, if it is one. */
static wsam_status resolve(ws_output_file *o, int *fd, wsam_error *error)
{
    struct stat st;
    int more = 1;
    for (int links = 0; more > 0; links++) {
        *fd = own_stream(o->target);
        if (*fd >= 0)
            return WSAM_OK;
        more = follow(o, &st);
        if (links == MOST_LINKS) {
            errno = ELOOP;
            more = -1;
        }
    }
    return more < 0 ? failed(o, error) : WSAM_OK;
}

/* ---- opening ---- */

static int create(const char *name)
{
    return open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

/* A name that no other thread or process uses, beside the target; a short one where the target's
 * own name leaves no room. */
static wsam_status open_temporary(ws_output_file *o, wsam_error *error)
{
    static atomic_uint count;
    const char *slash = strrchr(o->target, '/');
    const int folder = slash ? (int)(slash - o->target) + 1 : 0;
    const size_t size = strlen(o->target) + 64;
    int is_short = 0;
    o->temporary = malloc(size);
    if (!o->temporary)
        return ws_no_memory(error, o->path);
    for (int attempt = 0; attempt < 100 && o->fd < 0; attempt++) {
        const unsigned n = atomic_fetch_add(&count, 1);
        if (is_short)
            snprintf(o->temporary, size, "%.*s.weaksam-%ld-%u.tmp", folder, o->target,
                     (long)getpid(), n);
        else
            snprintf(o->temporary, size, "%s.%ld-%u.tmp", o->target, (long)getpid(), n);
        o->fd = create(o->temporary);
        if (o->fd < 0 && errno == ENAMETOOLONG && !is_short)
            is_short = 1;
        else if (o->fd < 0 && errno != EEXIST)
            break;
    }
    if (o->fd >= 0)
        return WSAM_OK;
    const wsam_status status = failed(o, error);
    free(o->temporary);
    o->temporary = NULL;
    return status;
}

static int unnamed_in(const char *folder)
{
    const size_t size = strlen(folder) + 24;
    char *name = malloc(size);
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && name) { /* a file system that has no O_TMPFILE */
        snprintf(name, size, "%s/.weaksam-XXXXXX", folder);
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0)
            unlink(name);
    }
    const int why = errno;
    free(name);
    errno = why;
    return fd;
}

/* The folder of a path; free it. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

int ws_output_scratch(const char *beside)
{
    const char *temporary = getenv("TMPDIR");
    char *folder = beside ? folder_of(beside) : NULL;
    int fd = folder ? unnamed_in(folder) : -1;
    free(folder);
    if (fd < 0)
        fd = unnamed_in(temporary && *temporary ? temporary : "/tmp");
    return fd;
}

static wsam_status open_through(ws_output_file *o, int own, int seekable, wsam_error *error)
{
    const int to = own >= 0 ? fcntl(own, F_DUPFD_CLOEXEC, 3)
                            : open(o->target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (to < 0)
        return failed(o, error);
    if (!seekable) {
        o->fd = to;
        return WSAM_OK;
    }
    o->through = to;
    o->fd = ws_output_scratch(NULL);
    return o->fd < 0 ? failed(o, error) : WSAM_OK;
}

static wsam_status open_target(ws_output_file *o, int own, int seekable, wsam_error *error)
{
    struct stat st;
    if (own >= 0)
        return open_through(o, own, seekable, error);
    if (stat(o->target, &st) != 0) {
        if (errno != ENOENT)
            return failed(o, error);
        return open_temporary(o, error);
    }
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return ws_fail(error, WSAM_ERR_IO, "%s: is a directory", o->path);
    }
    if (!S_ISREG(st.st_mode))
        return open_through(o, -1, seekable, error);
    o->mode = st.st_mode & 0777;
    return open_temporary(o, error);
}

wsam_status ws_output_open(ws_output_file *o, const char *path, int seekable, wsam_error *error)
{
    int own = -1;
    *o = (ws_output_file){.path = strdup(path), .target = strdup(path), .fd = -1, .through = -1};
    wsam_status status = o->path && o->target ? resolve(o, &own, error) : ws_no_memory(error, path);
    if (!status)
        status = open_target(o, own, seekable, error);
    if (status)
        ws_output_drop(o, 0);
    return status;
}

/* ---- writing ---- */

static int write_all(int fd, const void *bytes, size_t n)
{
    const char *from = bytes;
    while (n) {
        const ssize_t wrote = write(fd, from, n);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return 0;
        from += wrote;
        n -= (size_t)wrote;
    }
    return 1;
}

wsam_status ws_output_write(const ws_output_file *o, const void *bytes, size_t n, wsam_error *error)
{
    errno = 0;
    return write_all(o->fd, bytes, n) ? WSAM_OK : failed(o, error);
}

wsam_status ws_output_write_at(const ws_output_file *o, uint64_t offset, const void *bytes,
                               size_t n, wsam_error *error)
{
    const char *from = bytes;
    errno = 0;
    while (n) {
        const ssize_t wrote = pwrite(o->fd, from, n, (off_t)offset);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return failed(o, error);
        from += wrote;
        offset += (uint64_t)wrote;
        n -= (size_t)wrote;
    }
    return WSAM_OK;
}

/* What was collected goes where it belongs. */
static int copy_through(const ws_output_file *o)
{
    char bytes[1 << 14];
    off_t at = 0;
    for (;;) {
        const ssize_t got = pread(o->fd, bytes, sizeof bytes, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        if (!write_all(o->through, bytes, (size_t)got))
            return 0;
        at += got;
    }
}

/* File systems and devices that know no fsync say EINVAL, EROFS or ENOTSUP. */
static int to_disk(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP;
}

static int close_it(int *fd)
{
    const int was = *fd;
    *fd = -1;
    return was < 0 || close(was) == 0;
}

wsam_status ws_output_complete(ws_output_file *o, int sync, wsam_error *error)
{
    errno = 0;
    int good = o->through < 0 || copy_through(o);
    if (good && o->temporary) {
        if (o->mode) /* those of the old file; no error when the file system has none */
            (void)!fchmod(o->fd, (mode_t)o->mode);
        errno = 0;
        good = !sync || to_disk(o->fd);
    }
    const int why = errno;
    const int closed = close_it(&o->fd), closed_through = close_it(&o->through);
    if (good && closed && closed_through)
        return WSAM_OK;
    errno = good ? errno : why;
    return failed(o, error);
}

/* So that the rename itself outlives a power cut; a folder that cannot be opened is no failure. */
static void folder_to_disk(const char *target)
{
    char *folder = folder_of(target);
    const int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

wsam_status ws_output_rename(const ws_output_file *o, int sync, wsam_error *error)
{
    if (!o->temporary)
        return WSAM_OK;
    if (rename(o->temporary, o->target) != 0)
        return failed(o, error);
    if (sync)
        folder_to_disk(o->target);
    return WSAM_OK;
}

void ws_output_drop(ws_output_file *o, int keep)
{
    close_it(&o->fd);
    close_it(&o->through);
    if (o->temporary && !keep)
        unlink(o->temporary);
    free(o->path);
    free(o->target);
    free(o->temporary);
    *o = (ws_output_file){.fd = -1, .through = -1};
}

wsam_status ws_output_finish(ws_output_file *o, wsam_status status, wsam_error *error)
{
    if (!status)
        status = ws_output_complete(o, 1, error);
    if (!status)
        status = ws_output_rename(o, 1, error);
    ws_output_drop(o, !status);
    return status;
}
