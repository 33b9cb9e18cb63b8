/* JPEG pictures, with their EXIF orientation. */
#include "tests/fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_picture(data, size, "\xff\xd8\xff", 3);
    return 0;
}
