/* WebP pictures. */
#include <string.h>

#include "tests/fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char magic[12] = "RIFF\0\0\0\0WEBP";
    if (size > 8)
        memcpy(magic + 4, data + 4, 4); /* the size is the file's own */
    fuzz_picture(data, size, magic, sizeof magic);
    return 0;
}
