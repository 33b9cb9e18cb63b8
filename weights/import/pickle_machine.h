/* weights/import/pickle_machine.h - the machine that runs a pickle: its bytes, nodes, cells and stack.
 *
 * Every function fails into p->status and does nothing after the first failure; what it returns then
 * is harmless (node 0, NULL). */
#ifndef WS_WEIGHTS_IMPORT_PICKLE_MACHINE_H
#define WS_WEIGHTS_IMPORT_PICKLE_MACHINE_H

#include "weights/import/pickle.h"

/* Caps of a hostile pickle's memory (100 MB and the file); SAM ViT-H has 20,000 nodes. */
enum { WS_PICKLE_STACK_CAP = 1 << 20, WS_PICKLE_ITEM_CAP = 1 << 20 };
/* Of a pickle that holds its tensors itself; Mask R-CNN R-101 has 255 MB. */
enum { WS_PICKLE_FILE_CAP = 1 << 30 };

/* "PATH: bad pickle: WHY"; the first failure stays. */
void ws_pickle_fail(ws_pickle *p, const char *why);

/* The next n bytes of the input; a little-endian number of n bytes. */
const unsigned char *ws_pickle_take(ws_pickle *p, size_t n);
uint64_t ws_pickle_number(ws_pickle *p, size_t n);

/* Room for one more item; new room is zero. 1 on success. */
int ws_pickle_grow(ws_pickle *p, void **array, size_t count, size_t *cap, size_t item);

uint32_t ws_pickle_new_node(ws_pickle *p, ws_node_kind kind);
void ws_pickle_append(ws_pickle *p, uint32_t container, uint32_t node);

void ws_pickle_push(ws_pickle *p, uint32_t node);
void ws_pickle_push_int(ws_pickle *p, int64_t v);
void ws_pickle_push_string(ws_pickle *p, size_t length); /* of the input's next bytes */
uint32_t ws_pickle_pop(ws_pickle *p);
ws_node *ws_pickle_top(ws_pickle *p);

/* The items above the last mark become items of `container`; the mark goes. */
void ws_pickle_collect(ws_pickle *p, uint32_t container);

/* Item i of a tuple; node 0 (NONE) when there is none. */
uint32_t ws_pickle_item(const ws_pickle *p, uint32_t tuple, int i);

/* pickle_globals.c: what a pickle names and calls. GLOBAL, STACK_GLOBAL, BINPERSID, REDUCE. */
void ws_pickle_global(ws_pickle *p);
void ws_pickle_stack_global(ws_pickle *p);
void ws_pickle_persistent_id(ws_pickle *p);
void ws_pickle_reduce(ws_pickle *p);

/* pickle_numpy.c: calls with their arguments, and states of what they made. */
void ws_pickle_numpy_dtype(ws_pickle *p, uint32_t args);
void ws_pickle_numpy_order(ws_pickle *p, uint32_t dtype, uint32_t state);
void ws_pickle_numpy_state(ws_pickle *p, uint32_t array, uint32_t state);
void ws_pickle_numpy_buffer(ws_pickle *p, uint32_t args);
void ws_pickle_numpy_scalar(ws_pickle *p, uint32_t args);
void ws_pickle_encode(ws_pickle *p, uint32_t args);

/* pickle_values.c: text of UTF-8 whose characters are bytes, into as many bytes as it has at most.
 * `good` is 0 where a character is none. */
size_t ws_pickle_decode_latin(const ws_node *text, unsigned char *to, int *good);

#endif
