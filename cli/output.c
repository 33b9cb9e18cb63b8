/* cli/output.c - results and timing. */
#include <string.h>

#include "base/outputs.h"
#include "cli/cli.h"

/* Bytes that terminals act on: C0, DEL, and C1 in its UTF-8 form. */
void cli_print_safe(FILE *stream, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    for (; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            fprintf(stream, "\\x%02x", *p);
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            fprintf(stream, "\\u%04x", *++p);
        else
            putc(*p, stream);
    }
}

const char *cli_plural(size_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

void cli_print_json_string(const char *text)
{
    const unsigned char *p = (const unsigned char *)(text ? text : "");
    putchar('"');
    for (; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            printf("\\u%04x", *p);
        else if (*p == '"' || *p == '\\')
            printf("\\%c", *p);
        else
            putchar(*p);
    }
    putchar('"');
}

void cli_print_timing(const cli_common *common, double load_ms, const wsam_timing *t)
{
    const double peak = (double)wsam_peak_memory();
    if (!common->timing)
        return;
    if (common->json)
        fprintf(stderr,
                "{\"load_ms\":%.3f,\"preprocess_ms\":%.3f,\"encode_ms\":%.3f,\"decode_ms\":%.3f,"
                "\"postprocess_ms\":%.3f,\"peak_rss_bytes\":%.0f}\n",
                load_ms, t->preprocess_ms, t->encode_ms, t->decode_ms, t->postprocess_ms, peak);
    else
        fprintf(stderr,
                "load %.1f ms, preprocess %.1f ms, encode %.1f ms, decode %.1f ms, postprocess "
                "%.1f ms, peak memory %.1f MB\n",
                load_ms, t->preprocess_ms, t->encode_ms, t->decode_ms, t->postprocess_ms,
                peak / 1e6);
}

int cli_print_result(const char *text)
{
    fputs(text, stdout);
    return fflush(stdout) == 0 && !ferror(stdout);
}

wsam_status cli_save_text(const char *path, const char *text, wsam_error *error)
{
    ws_outputs out = {0};
    wsam_status status = WSAM_ERR_IO;
    FILE *f = ws_outputs_open(&out, path, error);
    if (f) {
        fputs(text, f);
        status = ws_outputs_close(&out, error);
    }
    return ws_outputs_finish(&out, status, error);
}
