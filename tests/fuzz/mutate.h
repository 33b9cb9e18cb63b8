/* tests/fuzz/mutate.h - changes of a small weight file (util_small.h) as a fuzzer's bytes say. Shapes
 * of tensors, offsets and checksums stay right: what is tested is what lies behind them. */
#ifndef WS_TESTS_FUZZ_MUTATE_H
#define WS_TESTS_FUZZ_MUTATE_H

#include "tests/util/util_small.h"

/* Four bytes are one change; at most 16 changes. */
void mutate(small_file *file, const uint8_t *bytes, size_t n);

/* The whole of a harness: the file of this role, changed, and used as pipelines do. */
int fuzz_role(small_role role, const uint8_t *data, size_t size);

#endif
