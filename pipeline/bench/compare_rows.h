/* pipeline/bench/compare_rows.h - rows of one protocol with what follows from them. */
#ifndef WS_PIPELINE_BENCH_COMPARE_ROWS_H
#define WS_PIPELINE_BENCH_COMPARE_ROWS_H

#include "base/text.h"
#include "pipeline/bench/prices.h"

/* Numbers that do not follow are NaN. */
typedef struct ws_compared {
    const wsam_bench_row *row;
    double images_per_s, per_core, per_watt;
    double price, per_million; /* of an hour; of a million images */
    const ws_price *priced_by; /* NULL: the row itself, or nothing */
    double equals;             /* machines of the reference that deliver as much */
} ws_compared;

/* Rows of one model. */
typedef struct ws_comparison {
    const char *model;
    size_t n;
    ws_compared *rows;
    const wsam_bench_row *reference; /* the first CPU's fastest row; NULL: there is none */
} ws_comparison;

typedef struct ws_comparisons {
    size_t n;
    ws_comparison *models;
    ws_compared *rows; /* of all of them */
    ws_prices prices;
    const char *across; /* fields that may differ; NULL: none */
} ws_comparisons;

/* Joins rows by model and refuses unequal protocols. Points into `rows`. */
wsam_status ws_compare_rows(const wsam_bench_row *rows, size_t n,
                            const wsam_bench_compare_options *options, ws_comparisons *out,
                            wsam_error *error);
void ws_comparisons_free(ws_comparisons *c);

/* The fields of a protocol, in order; NULL past the end. */
const char *ws_compare_protocol_field(size_t i);
int ws_compare_is_across(const char *across, const char *field);

/* compare_text.c, chart.c */
void ws_compare_markdown(const ws_comparisons *c, ws_text *t);
void ws_compare_csv(const ws_comparisons *c, ws_text *t);
void ws_chart_compare_svg(const ws_comparisons *c, ws_text *t);

#endif
