/* tests/fuzz/checkpoint.h - what the harnesses of the checkpoint containers share. */
#ifndef WS_TESTS_FUZZ_CHECKPOINT_H
#define WS_TESTS_FUZZ_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as a file of their own; its path is valid until the next call. NULL without memory. */
const char *fuzz_file(const void *data, size_t size);

/* Opens a checkpoint that begins with `magic` (put in place of the first bytes) and reads every
 * tensor. */
void fuzz_checkpoint(const uint8_t *data, size_t size, const void *magic, size_t magic_bytes);

#endif
