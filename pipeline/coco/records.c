/* pipeline/coco/records.c - feeds a file to the parser. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/records_state.h"

enum { CHUNK = 1 << 16 };

/* ---- the file ---- */

wsam_status ws_records_peek(const char *path, int *first, wsam_error *error)
{
    ws_input *in;
    char c = ' ';
    size_t n = 1;
    wsam_status status = ws_input_open(path, &in, error);
    if (status)
        return status;
    while (!status && n && strchr(" \t\n", c))
        status = ws_input_read(in, &c, 1, &n, error);
    if (!status && !n)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: the file is empty", path);
    *first = (unsigned char)c;
    ws_input_close(in);
    return status;
}

/* Either there was no memory, or a callback stopped the parser, or the text is no JSON. */
static wsam_status parser_failed(ws_records *r, ws_json_status why)
{
    char reason[200];
    if (r->status)
        return r->status;
    if (why == WS_JSON_NO_MEMORY)
        return r->status = ws_no_memory(r->error, r->request->path);
    ws_json_stream_reason(r->parser, reason, sizeof reason);
    r->status =
        ws_fail(r->error, WSAM_ERR_FORMAT, "%s: not valid JSON at byte %llu (%s)", r->request->path,
                (unsigned long long)(r->bytes + ws_json_stream_consumed(r->parser)), reason);
    return r->status;
}

static wsam_status feed(ws_records *r, ws_input *file)
{
    static const char nothing[1] = "";
    char *chunk = malloc(CHUNK);
    size_t n;
    if (!chunk)
        return ws_no_memory(r->error, r->request->path);
    r->chunk = chunk;
    while (!r->status && !(r->status = ws_input_read(file, chunk, CHUNK, &n, r->error)) && n) {
        const ws_json_status parsed = ws_json_stream_feed(r->parser, chunk, n);
        if (parsed)
            parser_failed(r, parsed);
        if (!r->status)
            ws_records_copy(r, n);
        for (size_t i = 0; i < n; i++)
            r->lines += chunk[i] == '\n';
        r->bytes += n;
    }
    r->chunk = nothing;
    const ws_json_status ended = r->status ? WS_JSON_OK : ws_json_stream_end(r->parser);
    if (ended)
        parser_failed(r, ended);
    free(chunk);
    return r->status;
}

static void release(ws_records *r)
{
    for (int i = 0; i < WS_FIELDS; i++) {
        free(r->record.text[i].text);
        free(r->object.text[i].text);
    }
    free(r->record.raw.text);
    free(r->ids);
    free(r->record.segmentation.numbers);
    free(r->record.segmentation.ends);
    free(r->record.segmentation.text.text);
    ws_json_stream_free(r->parser);
    free(r);
}

wsam_status ws_records_read(const ws_records_request *request, unsigned *sections,
                            wsam_error *error)
{
    ws_input *file;
    wsam_status status = ws_input_open(request->path, &file, error);
    if (status)
        return status;
    ws_records *r = calloc(1, sizeof *r);
    if (!r) {
        ws_input_close(file);
        return ws_no_memory(error, request->path);
    }
    r->request = request;
    r->error = error;
    r->record.section = WS_OBJECT;
    r->object.section = WS_OBJECT;
    r->parser = ws_json_stream_new(&ws_record_callbacks, r);
    status = r->parser ? feed(r, file) : ws_no_memory(error, request->path);
    if (sections)
        *sections = r->sections;
    release(r);
    ws_input_close(file);
    return status;
}

/* ---- fields ---- */

int ws_records_is_rejected(const ws_record *r)
{
    return ws_has(r, WS_REVIEWED) && r->text[WS_REVIEWED].n &&
           strcmp(r->text[WS_REVIEWED].text, "rejected") == 0;
}

wsam_status ws_records_check_box(ws_records *r, const ws_record *record)
{
    for (int k = 0; k < 4; k++)
        if (!(fabs(record->box[k]) <= 1e6))
            return ws_records_fail(r, WSAM_ERR_FORMAT, "'bbox' is far outside of any image");
    if (record->box[2] < 0 || record->box[3] < 0)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "'bbox' has a negative width or height");
    return WSAM_OK;
}

wsam_status ws_records_word(ws_records *r, const ws_record *record, ws_field f, int *out)
{
    static const char *const reviews[] = {"partial", "complete", NULL};
    static const char *const decisions[] = {"accepted", "drawn", "rejected", NULL};
    const char *const *words = f == WS_REVIEW ? reviews : decisions;
    const char *text = ws_has(record, f) && record->text[f].n ? record->text[f].text : "";
    *out = 0;
    if (!ws_has(record, f))
        return WSAM_OK;
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0)
            *out = i + 1;
    if (*out)
        return WSAM_OK;
    return f == WS_REVIEW
               ? ws_records_fail(r, WSAM_ERR_FORMAT,
                                 "'review' is '%.40s': expected partial or complete", text)
               : ws_records_fail(r, WSAM_ERR_FORMAT,
                                 "'reviewed' is '%.40s': expected accepted, drawn or rejected",
                                 text);
}
