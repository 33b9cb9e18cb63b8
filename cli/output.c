/* cli/output.c - messages, progress, timing. */
#include <ftw.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
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

int cli_failed(const char *command, const wsam_error *error)
{
    cli_progress_end();
    fprintf(stderr, "weaksam %s: ", command);
    cli_print_safe(stderr, error->message);
    fputc('\n', stderr);
    return CLI_FAILED;
}

/* ---- progress ---- */

static int bar_shown;

int cli_wants_progress(const cli_common *common)
{
    return !common->quiet && isatty(STDERR_FILENO);
}

/* Work of some seconds also tells what is left of it. */
static void print_left(double seconds, double fraction)
{
    const int left =
        seconds >= 3.0 && fraction > 0.0 ? (int)(seconds * (1.0 - fraction) / fraction + 0.5) : 0;
    if (left > 0)
        fprintf(stderr, " %3d:%02d left", left / 60, left % 60);
    else
        fprintf(stderr, "%12s", "");
}

int cli_progress(void *user, double fraction)
{
    static const char full[] = "##############################";
    static double last, began, before = 1.0;
    const int cells = (int)(fraction * (double)(sizeof full - 1));
    const double now = ws_clock_ms();
    if (fraction < before) /* something new */
        began = now;
    before = fraction;
    if (now - last < 50.0 && fraction < 1.0)
        return 0;
    last = now;
    bar_shown = 1;
    fprintf(stderr, "\r%-10s [%-30.*s] %3.0f %%", (const char *)user, cells, full,
            100.0 * fraction);
    print_left(1e-3 * (now - began), fraction);
    return 0;
}

void cli_progress_end(void)
{
    if (bar_shown)
        fprintf(stderr, "\r%72s\r", "");
    bar_shown = 0;
}

/* ---- results ---- */

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

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

void cli_remove_tree(const char *folder)
{
    enum { DESCRIPTORS = 16 };
    nftw(folder, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}
