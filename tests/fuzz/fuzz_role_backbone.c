/* Changed weight files of the role SMALL_BACKBONE (mutate.h). */
#include "tests/fuzz/mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_role(SMALL_BACKBONE, data, size);
}
