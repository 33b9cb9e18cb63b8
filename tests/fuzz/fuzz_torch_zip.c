/* Checkpoints in PyTorch's zip container. */
#include "tests/fuzz/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_checkpoint(data, size, "PK\3\4", 4);
    return 0;
}
