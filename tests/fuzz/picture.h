/* tests/fuzz/picture.h - what the harnesses of the picture formats share. */
#ifndef WS_TESTS_FUZZ_PICTURE_H
#define WS_TESTS_FUZZ_PICTURE_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decodes a picture that begins with `magic` (put in place of the first bytes) and returns the
 * sum of its bytes. */
unsigned fuzz_picture(const uint8_t *data, size_t size, const void *magic, size_t magic_bytes);

#endif
