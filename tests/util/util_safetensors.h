/* tests/util/util_safetensors.h - reads a small safetensors file whole: golden tensors and results.
 */
#ifndef WS_TESTS_UTIL_UTIL_SAFETENSORS_H
#define WS_TESTS_UTIL_UTIL_SAFETENSORS_H

#include <stddef.h>

typedef struct st_file st_file;

/* NULL when the file cannot be read or is not what it should be. */
st_file *st_open(const char *path);
void st_close(st_file *file);

/* The values of a tensor of type F32, F64, I32 or U8 as doubles that live until st_close; NULL when
 * there is none of this name. */
const double *st_values(st_file *file, const char *name, size_t *count);

/* A string of the file's metadata, or NULL. */
const char *st_note(const st_file *file, const char *key);

/* Writes the file anew, each tensor whose name contains `part` a second time with `other` in its
 * place. 0: it could not be done. */
int st_write_doubled(const st_file *file, const char *path, const char *part, const char *other);

#endif
