/* tests/util/util_twin.h - numbers derived from names: the inputs of the mini goldens. */
#ifndef WS_TESTS_UTIL_UTIL_TWIN_H
#define WS_TESTS_UTIL_UTIL_TWIN_H

#include <stddef.h>

/* n values in [-1,1) from FNV-1a of the name and splitmix64, as the golden tables were made. */
void twin_uniform(const char *name, size_t n, float *out);

/* The same of shape [c][h][w], stored channels last. */
void twin_uniform_hwc(const char *name, int c, int h, int w, float *out);

#endif
