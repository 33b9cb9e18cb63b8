/* The maps of one picture, as the stages leave them for a feature cache. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weaksam/weaksam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const wsam_feature_source sources[2] = {{"clues", 4}, {"sam", 4}};
    char path[64], cache[64];
    wsam_features_writer *writer;
    wsam_error error;
    const int fd = memfd_create("maps", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(cache, sizeof cache, "/tmp/fuzz-maps-%d", (int)getpid());
    if (fd < 0)
        return 0;
    if (write(fd, data, size) == (ssize_t)size &&
        !wsam_features_create(cache, sources, 2, &writer, &error)) {
        const wsam_status status = wsam_features_add_saved(writer, "a.png", path, &error);
        wsam_features_finish(writer, status ? status : WSAM_ERR_CANCELLED, 1, 1, &error);
    }
    close(fd);
    return 0;
}
