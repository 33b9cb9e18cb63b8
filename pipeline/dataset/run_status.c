/* pipeline/dataset/run_status.c - what a shard says of itself; run_watch.c reads it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/outputs.h"
#include "pipeline/dataset/journal.h"

void ws_run_status_begin(const wsam_run_options *o)
{
    char name[64];
    const char *const names[] = {name, NULL};
    const size_t size = strlen(o->output) + sizeof "/.status";
    char *folder = malloc(size);
    if (!folder)
        return;
    snprintf(name, sizeof name, "%d-of-%d.json", o->shard, o->shards);
    snprintf(folder, size, "%s/.status", o->output);
    ws_run_manifest_remove_stale(folder, names);
    free(folder);
}

static void put_state(ws_text *t, const wsam_run_options *o, const ws_run_state *s)
{
    char host[256] = "";
    const wsam_run_progress *p = s->progress;
    gethostname(host, sizeof host - 1);
    ws_text_printf(t, "{\"done\":%zu,\"skipped\":%zu,\"failed\":%zu,\"total\":%zu,", p->done,
                   p->resumed, p->failed, p->total);
    ws_text_printf(t, "\"given\":%zu,\"stolen\":%zu,\"state\":\"%s\",", p->given, p->stolen,
                   s->state);
    ws_text_printf(t, "\"seconds_per_image\":%.3f,\"fresh\":%zu,\"seconds\":%.3f,", s->median_s,
                   s->fresh, p->seconds);
    ws_text_printf(t, "\"seconds_left\":%.1f,\"workers\":%d,\"peak_rss_bytes\":%llu,",
                   p->seconds_left, o->workers, (unsigned long long)s->peak_rss_bytes);
    if (s->slowest && strlen(s->slowest) < 1024) {
        ws_text_printf(t, "\"slowest\":{\"image\":");
        ws_json_bytes(t, s->slowest, strlen(s->slowest));
        ws_text_printf(t, ",\"seconds\":%.3f},", s->slowest_s);
    }
    ws_text_printf(t, "\"manifest\":\"%s\",\"host\":", s->manifest);
    ws_json_bytes(t, host, strlen(host));
    ws_text_printf(t, ",\"pid\":%ld,\"started\":%lld}\n", (long)getpid(), (long long)s->started);
}

void ws_run_status_write(const wsam_run_options *o, const ws_run_state *s)
{
    const size_t size = strlen(o->output) + 80;
    char *path = malloc(size);
    ws_text text = {0};
    ws_outputs out = {.brief = 1};
    wsam_error error;
    if (!path)
        return;
    snprintf(path, size, "%s/.status", o->output);
    if (mkdir(path, 0777) == 0 || errno == EEXIST) {
        snprintf(path, size, "%s/.status/%d-of-%d.json", o->output, o->shard, o->shards);
        put_state(&text, o, s);
        FILE *f = text.failed ? NULL : ws_outputs_open(&out, path, &error);
        if (f) {
            fwrite(text.text, 1, text.n, f);
            ws_outputs_finish(&out, ws_outputs_close(&out, &error), &error);
        }
    }
    free(text.text);
    free(path);
}
