/* weights/bytes.h - a growing buffer of little-endian fields. */
#ifndef WS_WEIGHTS_BYTES_H
#define WS_WEIGHTS_BYTES_H

#include <stddef.h>
#include <stdint.h>

typedef struct ws_bytes {
    unsigned char *data;
    size_t size, capacity;
    int failed; /* memory ran out; later puts do nothing */
} ws_bytes;

void ws_bytes_put(ws_bytes *b, const void *data, size_t n);
void ws_bytes_put_u8(ws_bytes *b, unsigned v);
void ws_bytes_put_u16(ws_bytes *b, unsigned v);
void ws_bytes_put_u32(ws_bytes *b, uint32_t v);
void ws_bytes_put_u64(ws_bytes *b, uint64_t v);
void ws_bytes_put_f64(ws_bytes *b, double v);
void ws_bytes_put_string(ws_bytes *b, const char *s);      /* u16 length */
void ws_bytes_put_long_string(ws_bytes *b, const char *s); /* u32 length */

#endif
