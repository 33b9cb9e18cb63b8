/* tests/util/util_torch.h - PyTorch checkpoints byte by byte: pickles of state dicts, the zip
 * container and the legacy container, sound or with whatever a test wants to be wrong. */
#ifndef WS_TESTS_UTIL_UTIL_TORCH_H
#define WS_TESTS_UTIL_UTIL_TORCH_H

#include "weights/bytes.h"

typedef struct torch_tensor {
    const char *name;
    const char *type; /* "FloatStorage" */
    const char *key;
    uint32_t elements; /* of the storage, as the pickle tells */
    uint32_t offset;   /* in elements, as strides are */
    int rank;
    uint32_t dims[4], strides[4];
} torch_tensor;

enum {
    TORCH_LEGACY = 1, /* persistent ids of six items */
    TORCH_NESTED = 2, /* the state dict stands under the key `model` */
    TORCH_BUILD = 4   /* attributes of the OrderedDict follow */
};

/* The pickle of a state dict. */
void torch_pickle(ws_bytes *out, const torch_tensor *tensors, int n, int flags);
/* Its pieces: a global, a string, an integer. */
void torch_put_global(ws_bytes *out, const char *module, const char *name);
void torch_put_text(ws_bytes *out, const char *text);
void torch_put_int(ws_bytes *out, uint32_t v);

typedef struct zip_member {
    const char *name;
    const void *data;
    size_t size;
    unsigned method; /* 0: stored */
} zip_member;

/* An archive as torch.save writes it: sizes behind the data, data on multiples of 64. `zip64`: the
 * central directory keeps sizes and offsets in ZIP64 fields. */
void zip_write(ws_bytes *out, const zip_member *members, int n, int zip64);

typedef struct legacy_storage {
    const char *key;
    const void *data;
    size_t size, elements;
} legacy_storage;

/* The container from before 1.6: preamble, object, keys, storages. */
void legacy_write(ws_bytes *out, const ws_bytes *object, const legacy_storage *storages, int n);

/* Writes the bytes to a temporary file. */
void temporary_file(char path[64], const void *data, size_t size);

#endif
