/* runtime/steps/narrow_rows.h - rows of buffers that are stored in bf16 (ws_buffer.narrow) for steps that
 * compute in f32: widened into a task's scratch, and rounded from there. What is not narrow stays
 * where it is, and takes no scratch. */
#ifndef WS_RUNTIME_STEPS_NARROW_ROWS_H
#define WS_RUNTIME_STEPS_NARROW_ROWS_H

#include "runtime/program.h"

int ws_narrow_is(const ws_exec *x, int buffer);

/* Bytes for m rows of an operand or of the result. */
size_t ws_narrow_operand_bytes(const ws_exec *x, const ws_operand *o, size_t m);
size_t ws_narrow_out_bytes(const ws_exec *x, const ws_step *s, size_t m);

/* Rows [row, row + m) of an operand, o->columns apart; in `room` if they are narrow. NULL: there is
 * no operand. */
const float *ws_narrow_read(const ws_exec *x, const ws_operand *o, int64_t prompt, size_t row,
                            size_t m, float *room);

/* The same, of which the columns [n0, n1) are read. */
const float *ws_narrow_read_columns(const ws_exec *x, const ws_operand *o, int64_t prompt,
                                    size_t row, size_t m, size_t n0, size_t n1, float *room);
/* Rows from `row` on of a narrow operand, as they are. */
const uint16_t *ws_narrow_rows(const ws_exec *x, const ws_operand *o, size_t row);

/* Rows from `row` on of a narrow result. */
uint16_t *ws_narrow_out(const ws_exec *x, const ws_step *s, size_t row);

/* Where a task makes rows [row, row + m) of the result, and what has to follow: the columns
 * [n0, n1) of narrow ones are rounded to their place. */
float *ws_narrow_begin(const ws_exec *x, const ws_step *s, int64_t prompt, size_t row, float *room);
void ws_narrow_end(const ws_exec *x, const ws_step *s, int64_t prompt, size_t row, size_t m,
                   size_t n0, size_t n1, const float *room);

#endif
