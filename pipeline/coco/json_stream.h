/* pipeline/coco/json_stream.h - yajl, with memory that may run out.
 *
 * yajl uses what malloc returns without a look at it. Here its memory is ours: when there is none,
 * the parse is left with a jump, and all of its memory is freed at the end. */
#ifndef WS_PIPELINE_COCO_JSON_STREAM_H
#define WS_PIPELINE_COCO_JSON_STREAM_H

#include <yajl/yajl_parse.h>

typedef struct ws_json_stream ws_json_stream;

typedef enum ws_json_status {
    WS_JSON_OK,
    WS_JSON_STOPPED, /* by a callback, or because the text is no JSON */
    WS_JSON_NO_MEMORY
} ws_json_status;

/* Several values may follow each other. NULL: no memory. */
ws_json_stream *ws_json_stream_new(const yajl_callbacks *callbacks, void *user);
void ws_json_stream_free(ws_json_stream *stream);

ws_json_status ws_json_stream_feed(ws_json_stream *stream, const char *bytes, size_t n);
ws_json_status ws_json_stream_end(ws_json_stream *stream);

/* Bytes of the last piece before the place where the parser stands. */
size_t ws_json_stream_consumed(const ws_json_stream *stream);
/* One line, why a stream has stopped by itself. */
void ws_json_stream_reason(ws_json_stream *stream, char *to, size_t size);

#endif
