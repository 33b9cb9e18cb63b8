/* weights/bytes.c - see bytes.h. */
#include "weights/bytes.h"

#include <string.h>

#include "base/text.h"

void ws_bytes_put(ws_bytes *b, const void *data, size_t n)
{
    ws_text t = {(char *)b->data, b->size, b->capacity, b->failed};
    if (n)
        ws_text_put(&t, data, n);
    *b = (ws_bytes){(unsigned char *)t.text, t.n, t.capacity, t.failed};
}

static void put_le(ws_bytes *b, uint64_t v, int n)
{
    unsigned char bytes[8];
    for (int i = 0; i < n; i++)
        bytes[i] = (unsigned char)(v >> 8 * i);
    ws_bytes_put(b, bytes, (size_t)n);
}

void ws_bytes_put_u8(ws_bytes *b, unsigned v)
{
    put_le(b, v, 1);
}

void ws_bytes_put_u16(ws_bytes *b, unsigned v)
{
    put_le(b, v, 2);
}

void ws_bytes_put_u32(ws_bytes *b, uint32_t v)
{
    put_le(b, v, 4);
}

void ws_bytes_put_u64(ws_bytes *b, uint64_t v)
{
    put_le(b, v, 8);
}

void ws_bytes_put_f64(ws_bytes *b, double v)
{
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    ws_bytes_put_u64(b, u);
}

void ws_bytes_put_string(ws_bytes *b, const char *s)
{
    ws_bytes_put_u16(b, (unsigned)strlen(s));
    ws_bytes_put(b, s, strlen(s));
}

void ws_bytes_put_long_string(ws_bytes *b, const char *s)
{
    ws_bytes_put_u32(b, (uint32_t)strlen(s));
    ws_bytes_put(b, s, strlen(s));
}
