/* TIFF pictures, of either byte order. */
#include "tests/fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int big = size && data[0] == 'M';
    fuzz_picture(data, size, big ? "MM\0*" : "II*\0", 4);
    return 0;
}
