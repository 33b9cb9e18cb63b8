/* pipeline/bench/row.c - see row.h; wsam_bench_load, wsam_bench_json. */
#include "pipeline/bench/row.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_parse.h"
#include "base/json_writer.h"

#define AT(member) offsetof(wsam_bench_row, member), sizeof((wsam_bench_row *)NULL)->member
#define TEXT(member, required)                                                                     \
    {                                                                                              \
#member, WS_ROW_TEXT, AT(member), required                                                 \
    }
#define WHOLE(member, required)                                                                    \
    {                                                                                              \
#member, WS_ROW_WHOLE, AT(member), required                                                \
    }
#define NUMBER(member)                                                                             \
    {                                                                                              \
#member, WS_ROW_NUMBER, AT(member), 0                                                      \
    }

const ws_row_field ws_row_fields[] = {TEXT(device, 1),        TEXT(runtime, 0),
                                      WHOLE(threads, 0),      WHOLE(processes, 0),
                                      WHOLE(sessions, 0),     TEXT(model, 1),
                                      TEXT(type, 1),          WHOLE(resolution, 1),
                                      WHOLE(prompts, 1),      TEXT(scenario, 1),
                                      WHOLE(batch, 0),        TEXT(timed_region, 1),
                                      TEXT(level, 0),         WHOLE(runs, 0),
                                      NUMBER(images_per_s),   NUMBER(p50_ms),
                                      NUMBER(p90_ms),         NUMBER(p99_ms),
                                      NUMBER(worst_ms),       NUMBER(interval_percent),
                                      NUMBER(peak_rss_bytes), NUMBER(clock_hz),
                                      NUMBER(peak_gops),      NUMBER(percent_of_peak),
                                      NUMBER(watts),          NUMBER(joules_per_image),
                                      NUMBER(price_per_hour), TEXT(kind, 0),
                                      TEXT(date, 0),          TEXT(versions, 0),
                                      TEXT(source, 0)};
const size_t ws_row_field_count = sizeof ws_row_fields / sizeof ws_row_fields[0];

const ws_row_field *ws_row_field_named(const char *name, size_t n)
{
    for (size_t i = 0; i < ws_row_field_count; i++)
        if (strlen(ws_row_fields[i].name) == n && strncmp(ws_row_fields[i].name, name, n) == 0)
            return &ws_row_fields[i];
    return NULL;
}

/* ---- one row in memory ---- */

static void *member(wsam_bench_row *row, const ws_row_field *f)
{
    return (char *)row + f->offset;
}

static const void *member_of(const wsam_bench_row *row, const ws_row_field *f)
{
    return (const char *)row + f->offset;
}

void ws_row_clear(wsam_bench_row *row)
{
    memset(row, 0, sizeof *row);
    for (size_t i = 0; i < ws_row_field_count; i++) {
        const ws_row_field *f = &ws_row_fields[i];
        if (f->kind == WS_ROW_WHOLE)
            *(int *)member(row, f) = -1;
        else if (f->kind == WS_ROW_NUMBER)
            *(double *)member(row, f) = NAN;
    }
}

void ws_row_text(char *to, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size) {
        n = size - 1;
        while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(to, text, n);
    to[n] = 0;
}

void ws_row_value(const wsam_bench_row *row, const ws_row_field *f, char *to, size_t size)
{
    const void *at = member_of(row, f);
    if (f->kind == WS_ROW_TEXT)
        snprintf(to, size, "%s", *(const char *)at ? (const char *)at : "-");
    else if (f->kind == WS_ROW_WHOLE && *(const int *)at >= 0)
        snprintf(to, size, "%d", *(const int *)at);
    else if (f->kind == WS_ROW_NUMBER && isfinite(*(const double *)at))
        snprintf(to, size, "%.4g", *(const double *)at);
    else
        snprintf(to, size, "-");
}

int ws_row_same(const wsam_bench_row *a, const wsam_bench_row *b, const ws_row_field *f)
{
    char x[256], y[256];
    ws_row_value(a, f, x, sizeof x);
    ws_row_value(b, f, y, sizeof y);
    return strcmp(x, y) == 0;
}

wsam_status wsam_bench_matches(const wsam_bench_row *row, const char *condition, int *fits,
                               wsam_error *error)
{
    char value[256];
    const size_t n = strcspn(condition, "=");
    const ws_row_field *f = ws_row_field_named(condition, n);
    *fits = 0;
    if (!f || !condition[n])
        return ws_fail(error, WSAM_ERR_ARGUMENT, "'%.80s': expected FIELD=VALUE of a row's fields",
                       condition);
    ws_row_value(row, f, value, sizeof value);
    *fits = strcmp(value, condition + n + 1) == 0;
    return WSAM_OK;
}

/* ---- JSON ---- */

wsam_status wsam_bench_json(const wsam_bench_row *row, char **json)
{
    ws_text t = {0};
    for (size_t i = 0; i < ws_row_field_count; i++) {
        const ws_row_field *f = &ws_row_fields[i];
        const void *at = member_of(row, f);
        ws_text_printf(&t, "%s\"%s\":", i ? "," : "{", f->name);
        if (f->kind == WS_ROW_TEXT && *(const char *)at)
            ws_json_string(&t, at);
        else if (f->kind == WS_ROW_WHOLE && *(const int *)at >= 0)
            ws_text_printf(&t, "%d", *(const int *)at);
        else if (f->kind == WS_ROW_NUMBER && isfinite(*(const double *)at))
            ws_text_printf(&t, "%.6g", *(const double *)at);
        else
            ws_text_put(&t, "null", 4);
    }
    ws_text_put(&t, "}\n", 2);
    return ws_text_take(&t, json);
}

/* Takes an item over; else what it must be. A protocol that is cut or rounded could pass for another
 * one: required text has to fit, whole numbers have to be whole. */
static const char *take_value(wsam_bench_row *row, const ws_row_field *f, const cJSON *item)
{
    const double v = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    if (f->kind == WS_ROW_TEXT) {
        if (!cJSON_IsString(item))
            return "text";
        if (f->required && strlen(item->valuestring) >= f->size)
            return "shorter";
        ws_row_text(member(row, f), f->size, item->valuestring);
    } else if (f->kind == WS_ROW_NUMBER) {
        if (!isfinite(v) || v < 0.0)
            return "a number, 0 or more";
        *(double *)member(row, f) = v;
    } else {
        if (!(v >= 0.0 && v <= 1e9) || v > floor(v))
            return "a whole number, 0 or more";
        *(int *)member(row, f) = (int)v;
    }
    return NULL;
}

static wsam_status read_row(const char *path, uint64_t line, const char *text, size_t n,
                            wsam_bench_row *row, wsam_error *error)
{
    cJSON *root = NULL;
    wsam_status status = ws_json_parse(path, line, text, n, &root, error);
    ws_row_clear(row);
    for (size_t i = 0; i < ws_row_field_count && !status; i++) {
        const ws_row_field *f = &ws_row_fields[i];
        const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, f->name);
        if (item && !cJSON_IsNull(item)) {
            const char *wanted = take_value(row, f, item);
            if (wanted)
                status = ws_fail(error, WSAM_ERR_FORMAT, "%s:%llu: '%s' must be %s", path,
                                 (unsigned long long)line, f->name, wanted);
        } else if (f->required) {
            status = ws_fail(error, WSAM_ERR_FORMAT, "%s:%llu: '%s' is missing", path,
                             (unsigned long long)line, f->name);
        }
    }
    cJSON_Delete(root);
    return status;
}

wsam_status wsam_bench_load(const char *path, wsam_bench_row **rows, size_t *n, wsam_error *error)
{
    enum { MOST_BYTES = 1 << 26 };
    char *text = NULL;
    size_t size = 0, capacity = 0;
    uint64_t line = 0;
    *rows = NULL;
    *n = 0;
    wsam_status status = ws_file_read_whole(path, MOST_BYTES, &text, &size, error);
    for (const char *at = text; !status && at < text + size; line++) {
        const char *end = memchr(at, '\n', (size_t)(text + size - at));
        const size_t length = end ? (size_t)(end - at) : (size_t)(text + size - at);
        if (strspn(at, " \t\r") < length) {
            wsam_bench_row *grown = ws_grow(*rows, *n, &capacity, sizeof *grown);
            if (!grown) {
                status = ws_no_memory(error, path);
                break;
            }
            *rows = grown;
            status = read_row(path, line + 1, at, length, &grown[(*n)++], error);
        }
        at += length + (end != NULL);
    }
    free(text);
    if (!status)
        return WSAM_OK;
    free(*rows);
    *rows = NULL;
    *n = 0;
    return status;
}
