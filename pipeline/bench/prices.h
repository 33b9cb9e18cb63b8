/* pipeline/bench/prices.h - what an hour of a device costs, and who said so. */
#ifndef WS_PIPELINE_BENCH_PRICES_H
#define WS_PIPELINE_BENCH_PRICES_H

#include "weaksam/bench.h"

typedef struct ws_price {
    double per_hour;
    char device[96]; /* the row's device contains it, letter case aside */
    char source[192], date[16];
} ws_price;

typedef struct ws_prices {
    size_t n, capacity;
    ws_price *prices;
} ws_prices;

/* Lines PRICE, DEVICE, SOURCE, DATE separated by tabs; empty lines and those that begin with # are
 * skipped. Errors name file, line and what is missing. free(prices->prices). */
wsam_status ws_prices_load(const char *path, ws_prices *prices, wsam_error *error);

/* The first that fits, or NULL. */
const ws_price *ws_prices_of(const ws_prices *prices, const char *device);

#endif
