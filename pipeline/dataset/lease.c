/* pipeline/dataset/lease.c - see lease.h. */
#include "pipeline/dataset/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

wsam_status ws_lease_create(ws_lease *l, const char *path, wsam_error *error)
{
    static unsigned long serial; /* several leases of one process */
    char host[48] = "";
    struct timespec t;
    memset(l, 0, sizeof *l);
    gethostname(host, sizeof host - 1);
    clock_gettime(CLOCK_REALTIME, &t);
    snprintf(l->owner, sizeof l->owner, "%s.%ld.%lx%lx", host, (long)getpid(),
             (unsigned long)t.tv_nsec, __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
    l->path = strdup(path);
    l->since = -1.0;
    l->patience = WS_LEASE_SECONDS;
    return l->path ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a lease");
}

/* The file's text; 0 where there is none. */
static int read_text(const ws_lease *l, char text[WS_LEASE_TEXT])
{
    const int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, text, WS_LEASE_TEXT - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    return n >= 0;
}

static int is_mine(const ws_lease *l, const char *text)
{
    const size_t n = strlen(l->owner);
    return strncmp(text, l->owner, n) == 0 && text[n] == ' ';
}

/* The next count under this process's name: a link, which fails where the file is there, or a
 * rename over it. */
static int write_text(ws_lease *l, int over)
{
    char text[WS_LEASE_TEXT];
    const size_t size = strlen(l->path) + sizeof l->owner + 8;
    char *temporary = malloc(size);
    int good = 0;
    if (!temporary)
        return 0;
    snprintf(temporary, size, "%s.%s.tmp", l->path, l->owner);
    const int n = snprintf(text, sizeof text, "%s %llu\n", l->owner, ++l->count);
    const int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0) {
        good = write(fd, text, (size_t)n) == n;
        good = close(fd) == 0 && good;
    }
    if (good)
        good = (over ? rename(temporary, l->path) : link(temporary, l->path)) == 0;
    const int why = errno;
    if (fd >= 0 && !(good && over))
        unlink(temporary);
    free(temporary);
    errno = why;
    if (good)
        l->raised = ws_clock();
    return good;
}

ws_lease_state ws_lease_ask(ws_lease *l, wsam_error *error)
{
    char text[WS_LEASE_TEXT];
    const double t = ws_clock();
    if (!read_text(l, text)) {
        if (write_text(l, 0))
            return WS_LEASE_OWNED;
        if (errno == EEXIST)
            return WS_LEASE_OTHERS;
        ws_fail(error, WSAM_ERR_IO, "%s: %s", l->path, strerror(errno));
        return WS_LEASE_FAILED;
    }
    if (is_mine(l, text))
        return WS_LEASE_OWNED;
    if (l->since < 0.0 || strcmp(text, l->seen) != 0) {
        memcpy(l->seen, text, sizeof text);
        l->since = t;
        return WS_LEASE_OTHERS;
    }
    if (t - l->since < l->patience)
        return WS_LEASE_OTHERS;
    l->since = -1.0;
    return write_text(l, 1) ? WS_LEASE_OWNED : WS_LEASE_OTHERS;
}

int ws_lease_keep(ws_lease *l)
{
    char text[WS_LEASE_TEXT];
    if (ws_clock() - l->raised < WS_LEASE_RAISE_SECONDS)
        return 1;
    if (read_text(l, text) && !is_mine(l, text))
        return 0;
    write_text(l, 1);
    l->raised = ws_clock(); /* a disk that is full for a while is no reason to stop */
    return 1;
}

void ws_lease_release(ws_lease *l)
{
    char text[WS_LEASE_TEXT];
    if (l->path && read_text(l, text) && is_mine(l, text))
        unlink(l->path);
    free(l->path);
    memset(l, 0, sizeof *l);
}
