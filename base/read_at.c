/* base/read_at.c - see read_at.h. */
#include "base/read_at.h"

#include <errno.h>
#include <unistd.h>

int ws_read_at(int fd, void *to, size_t n, uint64_t offset)
{
    char *at = to;
    while (n) {
        const ssize_t got = pread(fd, at, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return 0;
        at += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return 1;
}
