/* Feature caches: the checksum of the tables is made right, so that what they say is reached; boxes
 * are pooled from what could be opened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kernels/cpu.h"
#include "pipeline/train/features.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *bytes, size_t size)
{
    ws_features_header h;
    memcpy(&h, bytes, sizeof h);
    memcpy(h.magic, WS_FEATURES_MAGIC, sizeof h.magic);
    if (h.index_offset <= size && h.index_size <= size - h.index_offset &&
        h.sources_offset <= size && h.sources_size <= size - h.sources_offset)
        h.hash = XXH3_64bits(bytes + h.index_offset, (size_t)h.index_size) ^
                 XXH3_64bits(bytes + h.sources_offset, (size_t)h.sources_size);
    memcpy(bytes, &h, sizeof h);
}

static void pool(const wsam_features *f)
{
    static const float box[1][4] = {{3, 5, 80, 70}};
    ws_pool_map maps[WSAM_FEATURE_SOURCES];
    float *values = malloc((ws_features_room(f) + 1) * sizeof *values);
    float *rows = malloc((f->components + 1) * 4 * sizeof *rows);
    for (size_t i = 0; values && rows && i < f->n && i < 4; i++) {
        ws_features_maps(f, i, values, maps);
        ws_features_pool_boxes(ws_kernels_find("c", NULL), maps, f->n_sources, 2, 1, box, rows);
    }
    free(values);
    free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    wsam_features *f;
    wsam_error error;
    if (size < sizeof(ws_features_header))
        return 0;
    uint8_t *bytes = malloc(size);
    const int fd = memfd_create("cache", 0);
    if (bytes && fd >= 0) {
        memcpy(bytes, data, size);
        mend(bytes, size);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (write(fd, bytes, size) == (ssize_t)size && !wsam_features_open(path, &f, &error)) {
            pool(f);
            wsam_features_close(f);
        }
    }
    if (fd >= 0)
        close(fd);
    free(bytes);
    return 0;
}
