/* weights/export/protobuf.h - the wire format of protocol buffers: the few kinds of fields that
 * ONNX has. */
#ifndef WS_WEIGHTS_EXPORT_PROTOBUF_H
#define WS_WEIGHTS_EXPORT_PROTOBUF_H

#include "weights/bytes.h"

/* Field `number` of a message: a number, four bytes, text, or another message. */
void ws_protobuf_int(ws_bytes *b, int number, int64_t value);
void ws_protobuf_float(ws_bytes *b, int number, float value);
void ws_protobuf_bytes(ws_bytes *b, int number, const void *bytes, size_t n);
void ws_protobuf_string(ws_bytes *b, int number, const char *text);
/* `message` is what was collected; it is emptied for the next one. */
void ws_protobuf_message(ws_bytes *b, int number, ws_bytes *message);
/* Only tag and length of n bytes that follow. */
void ws_protobuf_head(ws_bytes *b, int number, uint64_t n);

#endif
