/* Prompt files. */
#include <stdint.h>

#include "weaksam/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wsam_prompt_list *list = NULL;
    wsam_error error;
    if (!wsam_prompts_parse((const char *)data, size, "fuzz", 0, &list, &error))
        wsam_prompts_free(list);
    return 0;
}
