/* weights/export/protobuf.c - see protobuf.h. */
#include "weights/export/protobuf.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_LENGTH = 2, WIRE_FOUR = 5 };

static void put_varint(ws_bytes *b, uint64_t v)
{
    while (v >= 0x80) {
        ws_bytes_put_u8(b, (unsigned)(v & 0x7f) | 0x80);
        v >>= 7;
    }
    ws_bytes_put_u8(b, (unsigned)v);
}

static void put_tag(ws_bytes *b, int number, int wire)
{
    put_varint(b, (uint64_t)number << 3 | (uint64_t)wire);
}

void ws_protobuf_int(ws_bytes *b, int number, int64_t value)
{
    put_tag(b, number, WIRE_VARINT);
    put_varint(b, (uint64_t)value);
}

void ws_protobuf_float(ws_bytes *b, int number, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_tag(b, number, WIRE_FOUR);
    ws_bytes_put_u32(b, bits);
}

void ws_protobuf_head(ws_bytes *b, int number, uint64_t n)
{
    put_tag(b, number, WIRE_LENGTH);
    put_varint(b, n);
}

void ws_protobuf_bytes(ws_bytes *b, int number, const void *bytes, size_t n)
{
    ws_protobuf_head(b, number, n);
    ws_bytes_put(b, bytes, n);
}

void ws_protobuf_string(ws_bytes *b, int number, const char *text)
{
    ws_protobuf_bytes(b, number, text, strlen(text));
}

void ws_protobuf_message(ws_bytes *b, int number, ws_bytes *message)
{
    ws_protobuf_bytes(b, number, message->data, message->size);
    b->failed |= message->failed;
    message->size = 0;
}
