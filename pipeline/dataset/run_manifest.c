/* pipeline/dataset/run_manifest.c - what a run's folder is about, and what it tells of itself. */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_parse.h"
#include "pipeline/dataset/journal.h"

const char *const ws_run_files[] = {"points.jsonl", "proposals.jsonl", "failures.jsonl",
                                    "scores.json",  "images.json",     "pgt.json",
                                    "masks.json",   "timing.json",     NULL};

static wsam_status make_folder(const char *path, wsam_error *error)
{
    struct stat st;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno == EEXIST ? ENOTDIR : errno));
}

/* Whether a process works on the journal: it holds a lock on it. */
static int is_in_use(int folder, const char *name)
{
    const int fd = openat(folder, name, O_RDWR | O_CLOEXEC);
    const int busy = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return busy;
}

static wsam_status check_journals(const char *output, wsam_error *error)
{
    char *path = ws_state_path(output, "");
    DIR *d = path ? opendir(path) : NULL;
    wsam_status status = path ? WSAM_OK : ws_no_memory(error, output);
    for (struct dirent *e = d ? readdir(d) : NULL; e && !status; e = readdir(d))
        if (strstr(e->d_name, ".journal") && is_in_use(dirfd(d), e->d_name))
            status = ws_fail(error, WSAM_ERR_IO,
                             "%s: another process works on it (%.80s): stop it first", output,
                             e->d_name);
    if (d)
        closedir(d);
    free(path);
    return status;
}

static void remove_journals(const char *output)
{
    char *path = ws_state_path(output, "");
    DIR *d = path ? opendir(path) : NULL;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        if (strstr(e->d_name, ".journal"))
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    free(path);
}

/* Final files of results that are thrown away would pass for those of the new ones. */
static void remove_finals(const char *output)
{
    DIR *d = opendir(output);
    for (int i = 0; d && ws_run_files[i]; i++)
        unlinkat(dirfd(d), ws_run_files[i], 0);
    if (d)
        closedir(d);
}

void ws_remove_stale(const char *folder, const char *const *names)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        for (int i = 0; names[i]; i++) {
            const size_t n = strlen(names[i]), all = strlen(e->d_name);
            if (all > n + 6 && strncmp(e->d_name, names[i], n) == 0 && e->d_name[n] == '.' &&
                isdigit((unsigned char)e->d_name[n + 1]) &&
                strcmp(e->d_name + all - 4, ".tmp") == 0)
                unlinkat(dirfd(d), e->d_name, 0);
        }
    if (d)
        closedir(d);
}

/* ---- the manifest ---- */

static wsam_status write_manifest(const char *path, const ws_text *text, wsam_error *error)
{
    ws_outputs out = {0};
    FILE *f = ws_outputs_open(&out, path, error);
    wsam_status status = f ? WSAM_OK : error->status;
    if (f) {
        fwrite(text->text, 1, text->n, f);
        status = ws_outputs_close(&out, error);
    }
    return ws_outputs_finish(&out, status, error);
}

/* The first difference between two objects, as a text for people; NULL: none. */
static char *difference(const char *old, const char *new)
{
    cJSON *a, *b;
    ws_text t = {0};
    if (ws_json_parse("", 0, old, strlen(old), &a, NULL))
        return NULL;
    if (ws_json_parse("", 0, new, strlen(new), &b, NULL)) {
        cJSON_Delete(a);
        return NULL;
    }
    for (int turn = 0; turn < 2 && !t.n; turn++) {
        const cJSON *item, *from = turn ? b : a, *to = turn ? a : b;
        cJSON_ArrayForEach(item, from)
        {
            const cJSON *other = cJSON_GetObjectItemCaseSensitive(to, item->string);
            if (t.n || cJSON_Compare(item, other, 1))
                continue;
            char *there = cJSON_PrintUnformatted(turn ? other : item);
            char *here = cJSON_PrintUnformatted(turn ? item : other);
            ws_text_printf(&t, "'%s' is %.200s there and %.200s here", item->string,
                           there ? there : "not given", here ? here : "not given");
            cJSON_free(there);
            cJSON_free(here);
        }
    }
    cJSON_Delete(a);
    cJSON_Delete(b);
    return t.text;
}

char *ws_manifest_difference(const char *old, const char *new)
{
    return difference(old ? old : "{}", new ? new : "{}");
}

/* Others are at work with the manifest that is there. */
static wsam_status refuse(const wsam_run_options *o, wsam_error *error)
{
    ws_manifest old;
    wsam_error ignored;
    char *what = NULL;
    if (!ws_manifest_load(o->output, &old, &ignored)) {
        what = ws_manifest_difference(old.config, o->config);
        if (!what)
            what = ws_manifest_difference(old.late, o->late);
        ws_manifest_free(&old);
    }
    ws_fail(error, WSAM_ERR_MISMATCH,
            "%s: another process works on it with other %s%s; wait for it, or stop it", o->output,
            what ? "models or options: " : "pictures, labels or classes", what ? what : "");
    free(what);
    return WSAM_ERR_MISMATCH;
}

static void remove_stale_manifests(const char *output)
{
    static const char *const names[] = {"manifest.jsonl", NULL};
    char *state = ws_state_path(output, "");
    if (state)
        ws_remove_stale(state, names);
    free(state);
}

static int is_same(const char *path, const ws_text *text)
{
    char *old;
    size_t size;
    if (access(path, F_OK) != 0 || ws_read_whole(path, (uint64_t)1 << 30, &old, &size, NULL))
        return 0;
    const int same = size == text->n && memcmp(old, text->text, size) == 0;
    free(old);
    return same;
}

/* A manifest of another kind is replaced when nobody works with it: its results stay in the journals
 * under their own keys. `live` is shared by all who work with this one. */
static wsam_status take_manifest(const wsam_run_options *o, const char *path, const ws_text *text,
                                 int live, wsam_error *error)
{
    remove_stale_manifests(o->output);
    if (is_same(path, text) && !o->overwrite)
        return flock(live, LOCK_SH) ? ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno))
                                    : WSAM_OK;
    wsam_status status = o->overwrite ? check_journals(o->output, error) : WSAM_OK;
    if (status)
        return status;
    if (flock(live, LOCK_EX | LOCK_NB))
        return is_same(path, text) && !o->overwrite ? WSAM_OK : refuse(o, error);
    status = write_manifest(path, text, error);
    if (!status && o->overwrite) {
        remove_finals(o->output);
        remove_journals(o->output);
    }
    flock(live, LOCK_SH); /* nobody else can come between: the caller has the other lock */
    return status;
}

static wsam_status make_text(const wsam_labels *labels, const wsam_run_options *o, ws_text *text,
                             wsam_error *error)
{
    uint64_t *contents = NULL;
    wsam_status status = ws_contents(labels, o->folder, o->output, 1, &contents, error);
    ws_keys *keys = status ? NULL : ws_keys_make(labels, o->config, o->late, contents);
    if (!status && !keys)
        status = ws_no_memory(error, o->output);
    if (!status)
        status = ws_manifest_text(labels, o->config, o->late, keys, text, error);
    free(contents);
    free(keys);
    return status;
}

static int open_lock(const char *path)
{
    return path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
}

/* Under a lock: several shards may begin at once. */
static wsam_status settle_manifest(const wsam_labels *labels, const wsam_run_options *o,
                                   ws_manifest *manifest, int *live, wsam_error *error)
{
    ws_text text = {0};
    char *path = ws_state_path(o->output, "manifest.jsonl");
    char *lock = ws_state_path(o->output, "lock"), *work = ws_state_path(o->output, "live");
    wsam_status status = WSAM_OK;
    const int fd = open_lock(lock);
    *live = open_lock(work);
    if (!path || !lock || !work)
        status = ws_no_memory(error, o->output);
    else if (fd < 0 || *live < 0 || flock(fd, LOCK_EX) != 0)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", lock, strerror(errno));
    if (!status)
        status = make_text(labels, o, &text, error);
    if (!status)
        status = take_manifest(o, path, &text, *live, error);
    if (!status)
        status = ws_manifest_load(o->output, manifest, error);
    if (fd >= 0)
        close(fd);
    free(text.text);
    free(lock), free(work);
    free(path);
    return status;
}

/* What this call made and nobody needs. */
static void unmake(const char *output, const char *state, int made)
{
    static const char *const names[] = {"live", "lock", "contents.jsonl"};
    for (size_t i = 0; i < sizeof names / sizeof *names && made; i++) {
        char *path = ws_state_path(output, names[i]);
        if (path)
            unlink(path);
        free(path);
    }
    if (made && rmdir(state) == 0)
        rmdir(output);
}

wsam_status ws_run_settle(const wsam_labels *labels, const wsam_run_options *o,
                          ws_manifest *manifest, int *live, wsam_error *error)
{
    char *state = ws_state_path(o->output, "");
    const int made = state && access(state, F_OK) != 0;
    *live = -1;
    wsam_status status = state ? make_folder(o->output, error) : ws_no_memory(error, o->output);
    if (!status)
        status = make_folder(state, error);
    if (!status)
        status = settle_manifest(labels, o, manifest, live, error);
    if (status && state)
        unmake(o->output, state, made);
    free(state);
    return status;
}

/* ---- how far a shard is ---- */

void ws_run_begin_telling(const wsam_run_options *o)
{
    char name[64];
    const char *const names[] = {name, NULL};
    const size_t size = strlen(o->output) + sizeof "/.status";
    char *folder = malloc(size);
    if (!folder)
        return;
    snprintf(name, sizeof name, "%d-of-%d.json", o->shard, o->shards);
    snprintf(folder, size, "%s/.status", o->output);
    ws_remove_stale(folder, names);
    free(folder);
}

void ws_run_tell(const wsam_run_options *o, const wsam_run_progress *p, double median_s,
                 time_t started)
{
    char host[256] = "", name[64];
    const size_t size = strlen(o->output) + sizeof name + 16;
    char *path = malloc(size);
    ws_text text = {0};
    ws_outputs out = {.brief = 1};
    wsam_error error;
    if (!path)
        return;
    snprintf(path, size, "%s/.status", o->output);
    if (make_folder(path, &error) == WSAM_OK) {
        gethostname(host, sizeof host - 1);
        snprintf(path, size, "%s/.status/%d-of-%d.json", o->output, o->shard, o->shards);
        ws_text_printf(&text, "{\"done\":%zu,\"skipped\":%zu,\"failed\":%zu,\"total\":%zu,",
                       p->done, p->resumed, p->failed, p->total);
        ws_text_printf(&text, "\"seconds_per_image\":%.3f,\"host\":", median_s);
        ws_json_bytes(&text, host, strlen(host));
        ws_text_printf(&text, ",\"pid\":%ld,\"started\":%lld}\n", (long)getpid(),
                       (long long)started);
        FILE *f = text.failed ? NULL : ws_outputs_open(&out, path, &error);
        if (f) {
            fwrite(text.text, 1, text.n, f);
            ws_outputs_finish(&out, ws_outputs_close(&out, &error), &error);
        }
    }
    free(text.text);
    free(path);
}
