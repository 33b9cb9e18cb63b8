/* pipeline/bench/row.h - the fields of a row: one table for reading and writing. */
#ifndef WS_PIPELINE_BENCH_ROW_H
#define WS_PIPELINE_BENCH_ROW_H

#include "base/text.h"
#include "weaksam/bench.h"

typedef enum ws_row_kind { WS_ROW_TEXT, WS_ROW_WHOLE, WS_ROW_NUMBER } ws_row_kind;

typedef struct ws_row_field {
    const char *name;
    ws_row_kind kind;
    size_t offset, size;
    int required;
} ws_row_field;

extern const ws_row_field ws_row_fields[];
extern const size_t ws_row_field_count;
/* NULL for an unknown name. */
const ws_row_field *ws_row_field_named(const char *name, size_t n);

/* Nothing is known. */
void ws_row_clear(wsam_bench_row *row);
/* Copies what fits, whole characters of UTF-8. */
void ws_row_text(char *to, size_t size, const char *text);
/* A field as a person reads it: "-" where it is not known. */
void ws_row_value(const wsam_bench_row *row, const ws_row_field *field, char *to, size_t size);
int ws_row_same(const wsam_bench_row *a, const wsam_bench_row *b, const ws_row_field *field);

#endif
