/* pipeline/bench/prices.c - see prices.h. */
#include "pipeline/bench/prices.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/locale.h"
#include "pipeline/bench/row.h"

enum { MOST_BYTES = 1 << 20, COLUMNS = 4 };

/* Takes a line apart in place; 0 when it has not four filled columns. */
static int columns_of(char *line, char *columns[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++) {
        columns[i] = strsep(&line, "\t");
        if (!columns[i] || !*columns[i])
            return 0;
    }
    return 1;
}

static wsam_status read_price(const char *path, size_t line, char *text, ws_price *price,
                              wsam_error *error)
{
    char *columns[COLUMNS], *end;
    if (!columns_of(text, columns))
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s:%zu: expected price per hour, device, source and date, separated by "
                       "tabs",
                       path, line);
    const locale_t before = ws_locale_plain();
    price->per_hour = strtod(columns[0], &end);
    ws_locale_restore(before);
    if (end == columns[0] || *end || !(price->per_hour > 0.0) || !isfinite(price->per_hour))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s:%zu: '%.40s' is no price per hour", path, line,
                       columns[0]);
    ws_row_text(price->device, sizeof price->device, columns[1]);
    ws_row_text(price->source, sizeof price->source, columns[2]);
    ws_row_text(price->date, sizeof price->date, columns[3]);
    return WSAM_OK;
}

wsam_status ws_prices_load(const char *path, ws_prices *prices, wsam_error *error)
{
    char *text = NULL, *rest;
    size_t size, line = 0;
    wsam_status status = ws_file_read_whole(path, MOST_BYTES, &text, &size, error);
    rest = text;
    for (char *at; !status && (at = strsep(&rest, "\n"));) {
        line++;
        at[strcspn(at, "\r")] = 0;
        if (!*at || *at == '#')
            continue;
        ws_price *grown = ws_grow(prices->prices, prices->n, &prices->capacity, sizeof *grown);
        if (!grown) {
            status = ws_no_memory(error, path);
            break;
        }
        prices->prices = grown;
        status = read_price(path, line, at, &grown[prices->n], error);
        prices->n += !status;
    }
    free(text);
    return status;
}

const ws_price *ws_prices_of(const ws_prices *prices, const char *device)
{
    for (size_t i = 0; i < prices->n; i++)
        if (strcasestr(device, prices->prices[i].device))
            return &prices->prices[i];
    return NULL;
}
