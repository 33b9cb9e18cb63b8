/* base/read_at.h - bytes from the middle of an open file. */
#ifndef WS_BASE_READ_AT_H
#define WS_BASE_READ_AT_H

#include <stddef.h>
#include <stdint.h>

/* n bytes of an open file from `offset` on; 0: it ends before, or cannot be read. */
int ws_read_at(int fd, void *to, size_t n, uint64_t offset);

#endif
