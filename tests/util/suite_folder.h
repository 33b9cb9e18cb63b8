/* tests/util/suite_folder.h - a temporary folder for each test: .init and .fini of a suite. */
#ifndef WS_TESTS_UTIL_SUITE_FOLDER_H
#define WS_TESTS_UTIL_SUITE_FOLDER_H

#include <stddef.h>

void make_folder(void);
void remove_folder(void);

/* The path of a name in it, until the eighth call after this one; "" is the folder itself. */
const char *in_folder(const char *name);

void write_file(const char *name, const char *text);
/* Free it; a byte 0 follows the last one. */
unsigned char *file_bytes(const char *name, size_t *size);
int equal_files(const char *a, const char *b);

#endif
