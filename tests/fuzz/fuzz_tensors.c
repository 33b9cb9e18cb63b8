/* What the command reads back of its own results: embeddings and mask prompts (safetensors). */
#include "tests/fuzz/checkpoint.h"
#include "weaksam/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wsam_embedding *embedding = NULL;
    float *mask = NULL;
    int side;
    wsam_error error;
    const char *path = fuzz_file(data, size);
    if (!path)
        return 0;
    if (!wsam_embedding_load(path, &embedding, &error))
        wsam_embedding_free(embedding);
    if (!wsam_mask_load(path, &mask, &side, &error))
        wsam_free(mask);
    return 0;
}
