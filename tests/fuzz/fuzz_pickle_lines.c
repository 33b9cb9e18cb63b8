/* Pickles of proposals and labels, and lines that become pickles: the input is a file of either. What
 * was read is written and read again. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "weaksam/exchange.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A file in memory and its path. */
static int memory_file(char path[64])
{
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0)
        abort();
    snprintf(path, 64, "/dev/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char in[64], out[64], back[64];
    wsam_pickle_counts counts, again;
    wsam_pickle_options options = {.form = size % 3 ? WSAM_PICKLE_DICT : WSAM_PICKLE_LIST};
    const int fds[3] = {memory_file(in), memory_file(out), memory_file(back)};
    if (write(fds[0], data, size) != (ssize_t)size)
        abort();
    if (!wsam_import_pickle(in, &options, out, &counts, NULL) && counts.images &&
        !wsam_import_pickle(out, &options, back, &again, NULL) && again.boxes != counts.boxes)
        abort();
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    return 0;
}
