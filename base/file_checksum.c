/* base/file_checksum.c - the checksum of a file's bytes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/error.h"
#include "base/file.h"

/* A file, which may be a pipe, or a member of an archive, of which only so many bytes count. */
static FILE *open_part(const char *path, uint64_t *left)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    *left = UINT64_MAX;
    if (f || errno != ENOTDIR)
        return f;
    const int fd = ws_file_open_part(path, &st);
    f = fd < 0 ? NULL : fdopen(fd, "rb");
    if (f)
        *left = (uint64_t)st.st_size;
    else if (fd >= 0)
        close(fd);
    return f;
}

wsam_status wsam_file_checksum(const char *path, char checksum[17], wsam_error *error)
{
    char bytes[1 << 14];
    size_t n;
    uint64_t left;
    XXH64_state_t state;
    FILE *f = open_part(path, &left);
    if (!f)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    XXH64_reset(&state, 0);
    while ((n = fread(bytes, 1, left < sizeof bytes ? (size_t)left : sizeof bytes, f)) > 0) {
        XXH64_update(&state, bytes, n);
        left -= n;
    }
    const int failed = ferror(f);
    fclose(f);
    if (failed)
        return ws_fail(error, WSAM_ERR_IO, "%s: reading failed", path);
    snprintf(checksum, 17, "%016" PRIx64, (uint64_t)XXH64_digest(&state));
    return WSAM_OK;
}
