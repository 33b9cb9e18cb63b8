/* pipeline/coco/records_errors.c - errors of a record with their place, and its text as it stands. */
#include <stdarg.h>
#include <stdio.h>

#include "pipeline/coco/records_state.h"

/* ---- errors ---- */

static uint64_t line_number(const ws_records *r)
{
    uint64_t line = r->lines + 1;
    const size_t n = ws_json_stream_consumed(r->parser);
    for (size_t i = 0; i < n; i++)
        line += r->chunk[i] == '\n';
    return line;
}

wsam_status ws_records_fail(ws_records *r, wsam_status status, const char *format, ...)
{
    char message[400], where[80] = "";
    const int lines = r->record.section >= WS_PROPOSALS;
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (r->record.section < WS_OBJECT)
        snprintf(where, sizeof where, " %s[%zu]:", ws_section_names[r->record.section],
                 r->record.index);
    if (lines)
        r->status = ws_fail(r->error, status, "%s:%llu:%s %s", r->request->path,
                            (unsigned long long)line_number(r), where, message);
    else
        r->status = ws_fail(r->error, status, "%s:%s %s", r->request->path, where, message);
    return r->status;
}

/* For callbacks: 0 stops the parser. */
int ws_records_not_a(ws_records *r, const char *field, const char *wants)
{
    ws_records_fail(r, WSAM_ERR_FORMAT, "'%s' is not %s", field, wants);
    return 0;
}

int ws_records_wrong_field(ws_records *r)
{
    return ws_records_not_a(r, ws_field_rules[r->field].name, ws_field_rules[r->field].wants);
}

int ws_records_no_memory(ws_records *r)
{
    ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    return 0;
}

/* ---- the text of a record ---- */

int ws_records_copy(ws_records *r, size_t end)
{
    if (!r->copying)
        return 1;
    ws_text_put(&r->record.raw, r->chunk + r->raw_from, end - r->raw_from);
    r->raw_from = 0;
    return r->record.raw.failed ? ws_records_no_memory(r) : 1;
}
