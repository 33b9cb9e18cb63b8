/* A pickle inside containers that are sound, or without one: the input is the pickle alone, or, where
 * its first byte is odd, a list of tensors that become the pickle of a state dict. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/checkpoint.h"
#include "tests/util/util_torch.h"

enum { MOST = 6, STORAGE = 256 };

static const char *const types[] = {
    "FloatStorage",    "HalfStorage", "LongStorage",    "ByteStorage",
    "BFloat16Storage", "BoolStorage", "UntypedStorage", "Odd"};
static const char *const names[] = {"a.weight", "a.bias",     "module.a.weight",
                                    "",         "a.weight.0", "image_encoder.pos_embed"};
static const char *const keys[] = {"0", "1", "2", "../0"};
/* Small sizes, none, and those whose products overflow. */
static const uint32_t sizes[] = {0, 1, 2, 3, 4, 6, 64, 65535, 65536, 0x7fffffff, 0xffffffff};

#define OF(list, i) (list)[(i) % (sizeof(list) / sizeof((list)[0]))]

/* Ten bytes a tensor. */
static void state_dict(ws_bytes *pickle, const uint8_t *at, size_t size)
{
    torch_tensor tensors[MOST];
    int n = 0;
    const int flags = size ? at[0] & 7 & ~TORCH_LEGACY : 0;
    for (; n < MOST && size >= 10; n++, at += 10, size -= 10) {
        torch_tensor *t = &tensors[n];
        *t = (torch_tensor){.name = OF(names, at[1]),
                            .type = OF(types, at[2]),
                            .key = OF(keys, at[3]),
                            .elements = OF(sizes, at[4]),
                            .offset = OF(sizes, at[5]),
                            .rank = at[6] % 5};
        for (int d = 0; d < 4; d++) {
            t->dims[d] = OF(sizes, at[7 + d % 3] >> d);
            t->strides[d] = OF(sizes, at[9 - d % 3] >> (d + 1));
        }
    }
    torch_pickle(pickle, tensors, n, flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char storage[STORAGE] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const legacy_storage legacy[] = {{"0", storage, STORAGE, STORAGE / 4},
                                            {"1", storage, STORAGE / 2, STORAGE / 8}};
    ws_bytes pickle = {0}, file = {0};
    if (size < 2)
        return 0;
    if (data[0] & 1)
        state_dict(&pickle, data + 1, size - 1);
    else
        ws_bytes_put(&pickle, data + 1, size - 1);
    if (data[0] & 8) { /* no container: arrays lie in it */
        ws_bytes_put(&file, pickle.data, pickle.size);
    } else if (data[0] & 2) {
        legacy_write(&file, &pickle, legacy, 2);
    } else {
        const zip_member members[] = {{"archive/data.pkl", pickle.data, pickle.size, 0},
                                      {"archive/data/0", storage, STORAGE, 0},
                                      {"archive/data/1", storage, STORAGE / 2, 0},
                                      {"archive/version", "3\n", 2, 0}};
        zip_write(&file, members, 4, data[0] & 4);
    }
    if (!pickle.failed && !file.failed)
        fuzz_checkpoint(file.data, file.size, "", 0);
    free(pickle.data);
    free(file.data);
    return 0;
}
