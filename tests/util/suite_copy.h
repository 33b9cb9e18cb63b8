/* tests/util/suite_copy.h - checkpoints made from another one. */
#ifndef WS_TESTS_UTIL_SUITE_COPY_H
#define WS_TESTS_UTIL_SUITE_COPY_H

/* What a copy changes. */
typedef struct edit {
    const char *drop, *reshape; /* tensors that are left out, or lose their first row */
    const char *add;            /* a tensor that nobody needs */
    const char *spoil;          /* its first value becomes infinite */
    int hugging_face, half;     /* other names; f16 values */
} edit;

/* Writes the checkpoint `from` once more as safetensors, in the order of the names. Both are names
 * in the test's folder. */
void copy_edited(const char *from, const char *to, const edit *e);

/* The same tensors as a PyTorch file; every matrix of the encoder stands there transposed. */
void copy_torch(const char *from, const char *to, int legacy);

#endif
