/* weights/writer.h - a described model into a weight file. */
#ifndef WS_WEIGHTS_WRITER_H
#define WS_WEIGHTS_WRITER_H

#include "weights/builder.h"

/* Writes the model under a temporary name beside `path` and renames it at the end; on failure
 * nothing is left. Tensors are made, quantized and written one at a time. */
wsam_status ws_writer_write(ws_builder *b, const char *path, wsam_error *error);

#endif
