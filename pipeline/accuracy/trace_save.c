/* pipeline/accuracy/trace_save.c - a trace's values as safetensors: the temporary file behind a
 * header, without a copy of it in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json_writer.h"
#include "base/outputs.h"
#include "pipeline/accuracy/trace.h"

static void put_header(const ws_trace *t, ws_text *h)
{
    ws_text_printf(h, "{");
    for (size_t i = 0; i < t->n; i++) {
        const ws_trace_value *v = &t->values[i];
        ws_text_printf(h, i ? "," : "");
        ws_json_string(h, v->name);
        ws_text_printf(h, ":{\"dtype\":\"F32\",\"shape\":[");
        for (int d = 0; d < v->row.rank; d++)
            ws_text_printf(h, "%s%lld", d ? "," : "", (long long)v->row.shape[d]);
        ws_text_printf(h, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)v->offset,
                       (unsigned long long)(v->offset + v->n * sizeof(float)));
    }
    ws_text_printf(h, "}");
    while (h->n % 8)
        ws_text_put(h, " ", 1);
}

static int copy_values(const ws_trace *t, FILE *file)
{
    char chunk[1 << 16];
    for (uint64_t at = 0; at < t->bytes;) {
        const ssize_t n = pread(t->fd, chunk, sizeof chunk, (off_t)at);
        if (n <= 0 || fwrite(chunk, 1, (size_t)n, file) != (size_t)n)
            return 0;
        at += (uint64_t)n;
    }
    return 1;
}

wsam_status ws_trace_save(ws_trace *t, const char *path)
{
    ws_outputs out = {0};
    ws_text header = {0};
    unsigned char size[8];
    put_header(t, &header);
    if (header.failed)
        return ws_fail(t->error, WSAM_ERR_MEMORY, "no memory for a trace");
    for (int i = 0; i < 8; i++)
        size[i] = (unsigned char)((uint64_t)header.n >> 8 * i);
    wsam_status status = WSAM_OK;
    FILE *file = ws_outputs_open(&out, path, t->error);
    if (!file)
        status = WSAM_ERR_IO;
    else if (fwrite(size, 1, 8, file) != 8 || fwrite(header.text, 1, header.n, file) != header.n ||
             !copy_values(t, file))
        status = ws_fail(t->error, WSAM_ERR_IO, "%.300s: cannot be written", path);
    if (!status)
        status = ws_outputs_close(&out, t->error);
    free(header.text);
    return ws_outputs_finish(&out, status, t->error);
}
