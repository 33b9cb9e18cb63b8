/* weights/tables.h - the tables and the header of a weight file as bytes. */
#ifndef WS_WEIGHTS_TABLES_H
#define WS_WEIGHTS_TABLES_H

#include "weights/bytes.h"
#include "weights/format.h"

/* A row of the tensor table, a graph. The counts in front of them are the caller's. */
void ws_tables_put_tensor(ws_bytes *out, const ws_tensor_def *tensor);
void ws_tables_put_graph(ws_bytes *out, const ws_graph_def *graph);

typedef struct ws_sections {
    ws_bytes table[3]; /* metadata, tensors, graphs */
    uint64_t offset[WS_FORMAT_SECTIONS], size[WS_FORMAT_SECTIONS];
} ws_sections;

/* Where the sections begin, from the tables' sizes and that of the data. */
void ws_tables_place(ws_sections *sections, uint64_t data_bytes);
/* All that is in front of the first section. */
void ws_tables_put_header(ws_bytes *out, const ws_sections *sections);

#endif
