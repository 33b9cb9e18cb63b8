#include "tests/fuzz/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weights/import/source.h"

enum { MAX_ELEMENTS = 1 << 16 };

const char *fuzz_file(const void *data, size_t size)
{
    static char path[64];
    static int fd = -1;
    if (fd >= 0)
        close(fd);
    fd = memfd_create("fuzz", 0);
    if (fd < 0 || (size && write(fd, data, size) != (ssize_t)size))
        return NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return path;
}

static void read_all(const ws_source *source)
{
    for (size_t i = 0; i < source->n_tensors; i++) {
        const ws_source_tensor *t = &source->tensors[i];
        const uint64_t n = ws_source_elements(t);
        if (n > MAX_ELEMENTS)
            continue;
        float *values = malloc(n ? n * sizeof *values : 1);
        if (values)
            ws_source_read(source, t, values, NULL);
        free(values);
    }
}

void fuzz_checkpoint(const uint8_t *data, size_t size, const void *magic, size_t magic_bytes)
{
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy)
        return;
    memcpy(copy, data, size);
    memcpy(copy, magic, magic_bytes < size ? magic_bytes : size);
    const char *path = fuzz_file(copy, size);
    ws_source *source = NULL;
    wsam_error error;
    if (path && !ws_source_open(path, &source, &error))
        read_all(source);
    ws_source_close(source);
    free(copy);
}
