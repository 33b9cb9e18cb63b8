/* tests/util/suite_import.h - checkpoints as bytes: opened, refused, compared. */
#ifndef WS_TESTS_UTIL_SUITE_IMPORT_H
#define WS_TESTS_UTIL_SUITE_IMPORT_H

#include "tests/util/util_torch.h"
#include "weights/import/source.h"

/* Values of storages "0" and "1", and a weight and a bias in them. */
extern const float six[6], three[3];
extern const torch_tensor plain[2];

/* Opens the bytes as a file; the path is gone afterwards. */
wsam_status open_bytes(const void *data, size_t size, ws_source **source, wsam_error *error);
ws_source *must_open(const ws_bytes *bytes);
/* Refused in one line that mentions `mention`. */
void must_refuse(const ws_bytes *bytes, const char *mention, const char *what);
void expect_values(const ws_source *source, const char *name, const float *wanted, size_t n);

/* A zip container of the tensors, with storages 0 (six) and 1 (three). */
void zip_of(ws_bytes *out, const torch_tensor *tensors, int n, int flags);
/* The same around a pickle given by its bytes. */
void zip_of_pickle(ws_bytes *out, const void *pickle, size_t size);
/* A safetensors file with `data` bytes of zeros, 64 at most. */
void safetensors_of(ws_bytes *bytes, const char *header, size_t data);

#endif
