/* pipeline/dataset/run_watch.c - how far all shards of a run are, from what they say of themselves. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/json_parse.h"
#include "kernels/float_scope.h"
#include "pipeline/dataset/journal.h"
#include "pipeline/dataset/lease.h"
#include "pipeline/stages/lines.h"

enum { MAX_STATUS = 1 << 16, MAX_SHARDS = 1000000, CHUNK = 1 << 18 };

typedef struct entry {
    wsam_shard_status s;
    int shards, damaged, unknown;
    ws_lease lease; /* watched, never taken; path NULL: not looked at yet */
} entry;

struct wsam_run_watch {
    char *output;
    struct stat manifest; /* as it was when it was read */
    char note[32];        /* empty: there is none */
    size_t images;
    entry *entries;
    size_t n, capacity;
    wsam_shard_status *list;
    wsam_run_status status;
};

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the status of a run");
}

/* ---- the manifest: its hash, and its images ---- */

static int count_images(int fd, wsam_run_watch *w)
{
    char *bytes = malloc(CHUNK);
    XXH64_state_t state;
    ssize_t n = -1;
    size_t lines = 0;
    XXH64_reset(&state, 0);
    while (bytes && (n = read(fd, bytes, CHUNK)) > 0) {
        XXH64_update(&state, bytes, (size_t)n);
        for (ssize_t i = 0; i < n; i++)
            lines += bytes[i] == '\n';
    }
    if (bytes && !n) {
        w->images = lines ? lines - 1 : 0;
        snprintf(w->note, sizeof w->note, "%016llx", (unsigned long long)XXH64_digest(&state));
    }
    free(bytes);
    return bytes != NULL;
}

/* Again only where it was replaced. */
static wsam_status look_at_manifest(wsam_run_watch *w, wsam_error *error)
{
    struct stat st;
    char *path = ws_manifest_state_path(w->output, "manifest.jsonl");
    const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    int good = path != NULL;
    if (fd < 0 || fstat(fd, &st)) {
        *w->note = 0;
        w->images = 0;
    } else if (!*w->note || st.st_ino != w->manifest.st_ino || st.st_size != w->manifest.st_size ||
               st.st_mtime != w->manifest.st_mtime) {
        good = count_images(fd, w);
        w->manifest = st;
    }
    if (fd >= 0)
        close(fd);
    free(path);
    return good ? WSAM_OK : no_memory(error);
}

/* ---- one shard ---- */

static void take_text(const cJSON *root, const char *name, char *out, size_t room)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    *out = 0;
    if (cJSON_IsString(item))
        snprintf(out, room, "%s", item->valuestring);
}

/* What another wrote is looked at before it is believed. */
static size_t take_count(const cJSON *root, const char *name)
{
    double v = 0;
    return ws_line_fields_number(root, name, &v) && v >= 0 && v < 9e15 ? (size_t)v : 0;
}

static void take_slowest(const cJSON *root, wsam_shard_status *s)
{
    const cJSON *slowest = cJSON_GetObjectItemCaseSensitive(root, "slowest");
    if (!cJSON_IsObject(slowest))
        return;
    take_text(slowest, "image", s->slowest, sizeof s->slowest);
    ws_line_fields_number(slowest, "seconds", &s->slowest_s);
}

static void take_status(const cJSON *root, wsam_shard_status *s)
{
    double seconds = 0, fresh = 0;
    s->done = take_count(root, "done");
    s->failed = take_count(root, "failed");
    s->total = take_count(root, "total");
    s->given = take_count(root, "given");
    s->stolen = take_count(root, "stolen");
    s->pid = (long)take_count(root, "pid");
    s->started = (int64_t)take_count(root, "started");
    s->peak_rss_bytes = take_count(root, "peak_rss_bytes");
    s->seconds_left = -1;
    ws_line_fields_number(root, "seconds_left", &s->seconds_left);
    ws_line_fields_number(root, "seconds_per_image", &s->median_s);
    if (ws_line_fields_number(root, "seconds", &seconds) &&
        ws_line_fields_number(root, "fresh", &fresh))
        s->images_per_s = seconds > 0 && fresh > 0 ? fresh / seconds : 0;
    take_text(root, "state", s->state, sizeof s->state);
    take_text(root, "host", s->host, sizeof s->host);
    take_slowest(root, s);
}

typedef enum verdict { GOOD, NOT_OURS, DAMAGED } verdict;

/* Files are replaced by renaming: what is there is whole, or was damaged. One that is gone by now was
 * none. */
static verdict read_status(const wsam_run_watch *w, const char *path, wsam_shard_status *s)
{
    char *text, manifest[32];
    size_t size;
    int there = 1;
    cJSON *root = NULL;
    const int shard = s->shard;
    if (ws_file_read_whole(path, MAX_STATUS, &text, &size, NULL))
        return ws_file_there(path, &there, NULL) || there ? DAMAGED : NOT_OURS;
    const int good =
        ws_json_parse("", 0, text, size, &root, NULL) == WSAM_OK && cJSON_IsObject(root);
    free(text);
    verdict v = good ? GOOD : DAMAGED;
    if (good) {
        take_text(root, "manifest", manifest, sizeof manifest);
        if (*w->note && strcmp(manifest, w->note) != 0)
            v = NOT_OURS; /* of other images or options */
    }
    if (v == GOOD) {
        *s = (wsam_shard_status){.shard = shard};
        take_status(root, s);
        if (!*s->state)
            v = DAMAGED;
    }
    cJSON_Delete(root);
    return v;
}

static ws_lease_sight look_at_lease(const wsam_run_watch *w, entry *e)
{
    char name[64];
    if (!e->lease.path) {
        snprintf(name, sizeof name, "%d-of-%d.lease", e->s.shard, e->shards);
        char *path = ws_manifest_state_path(w->output, name);
        if (path && ws_lease_create(&e->lease, path, NULL))
            e->lease.path = NULL;
        free(path);
    }
    return e->lease.path ? ws_lease_look(&e->lease) : WS_LEASE_ALIVE;
}

/* Whether a process that says it runs shows that it does. */
static void check_state(const wsam_run_watch *w, entry *e)
{
    if (strcmp(e->s.state, "running") != 0)
        return;
    const ws_lease_sight sight = look_at_lease(w, e);
    if (sight == WS_LEASE_FREE || sight == WS_LEASE_DEAD)
        strcpy(e->s.state, "gone");
    else if (sight == WS_LEASE_SILENT)
        strcpy(e->s.state, "silent");
}

/* ---- all shards ---- */

static entry *find_entry(wsam_run_watch *w, int shard, int shards)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->entries[i].s.shard == shard && w->entries[i].shards == shards)
            return &w->entries[i];
    entry *entries = ws_grow(w->entries, w->n, &w->capacity, sizeof *entries);
    if (!entries)
        return NULL;
    w->entries = entries;
    entries[w->n] = (entry){.s.shard = shard, .shards = shards};
    return &entries[w->n++];
}

static int is_status(const char *name, int *shard, int *shards)
{
    int end = 0;
    return sscanf(name, "%d-of-%d.json%n", shard, shards, &end) == 2 && end && !name[end] &&
           *shards > 0 && *shards <= MAX_SHARDS && *shard >= 0 && *shard < *shards;
}

static wsam_status read_all(wsam_run_watch *w, wsam_error *error)
{
    const size_t size = strlen(w->output) + 300;
    char *path = malloc(size);
    int shard, shards;
    wsam_status status = path ? WSAM_OK : no_memory(error);
    if (path)
        snprintf(path, size, "%s/.status", w->output);
    DIR *d = path ? opendir(path) : NULL;
    for (size_t i = 0; i < w->n; i++)
        *w->entries[i].s.state = w->entries[i].damaged = w->entries[i].unknown = 0;
    for (struct dirent *f = d ? readdir(d) : NULL; f && !status; f = readdir(d)) {
        if (!is_status(f->d_name, &shard, &shards))
            continue;
        entry *e = find_entry(w, shard, shards);
        snprintf(path, size, "%s/.status/%s", w->output, f->d_name);
        const verdict v = e ? read_status(w, path, &e->s) : NOT_OURS;
        if (!e)
            status = no_memory(error);
        else if (v == GOOD)
            check_state(w, e);
        else
            e->damaged = v == DAMAGED;
        if (e && e->damaged) {
            const ws_lease_sight sight = look_at_lease(w, e);
            e->unknown =
                sight == WS_LEASE_FREE || sight == WS_LEASE_DEAD || sight == WS_LEASE_SILENT;
        }
    }
    if (d)
        closedir(d);
    free(path);
    return status;
}

static int by_shard(const void *a, const void *b)
{
    const wsam_shard_status *x = a, *y = b;
    return (x->shard > y->shard) - (x->shard < y->shard);
}

/* The number of shards that the run has now: that of whoever began last. */
static int choose_shards(const wsam_run_watch *w)
{
    int shards = 0;
    int64_t last = -1;
    for (size_t i = 0; i < w->n; i++)
        if (*w->entries[i].s.state && !w->entries[i].damaged && w->entries[i].s.started > last) {
            last = w->entries[i].s.started;
            shards = w->entries[i].shards;
        }
    return shards;
}

static void add_shard(wsam_run_status *all, const wsam_shard_status *s, size_t *total)
{
    const int running = strcmp(s->state, "running") == 0;
    all->begun++;
    all->running += running;
    all->finished += strcmp(s->state, "done") == 0;
    all->stopped += strcmp(s->state, "stopped") == 0 || strcmp(s->state, "failed") == 0;
    all->gone += strcmp(s->state, "gone") == 0 || strcmp(s->state, "silent") == 0;
    all->done += s->done + s->stolen;
    all->failed += s->failed;
    all->images_per_s += running ? s->images_per_s : 0;
    if (running && s->seconds_left > all->seconds_left)
        all->seconds_left = s->seconds_left;
    if (s->peak_rss_bytes > all->peak_rss_bytes)
        all->peak_rss_bytes = s->peak_rss_bytes;
    *total += s->total;
}

/* The slowest shard says when the end is, unless others wait for a machine or help it. */
static void estimate(wsam_run_status *all, int helped)
{
    const double left = (double)(all->images - all->done);
    const double together = all->images_per_s > 0 ? left / all->images_per_s : -1;
    if (all->begun < all->shards || helped || all->stopped || all->gone)
        all->seconds_left = together;
    if (all->done == all->images)
        all->seconds_left = 0;
}

static wsam_status add_up(wsam_run_watch *w, wsam_error *error)
{
    wsam_run_status *all = &w->status;
    size_t total = 0;
    int helped = 0;
    *all = (wsam_run_status){.shards = choose_shards(w), .seconds_left = -1};
    free(w->list);
    w->list = calloc(w->n + 1, sizeof *w->list);
    if (!w->list)
        return no_memory(error);
    for (size_t i = 0; i < w->n; i++) {
        const entry *e = &w->entries[i];
        if (e->damaged && !all->damaged++)
            snprintf(all->first_damaged, sizeof all->first_damaged, ".status/%d-of-%d.json",
                     e->s.shard, e->shards);
        if (e->damaged && (e->shards == all->shards || !all->shards)) {
            all->unknown += e->unknown;
            all->running += !e->unknown;
        }
        if (e->shards != all->shards || !*e->s.state || e->damaged)
            continue;
        w->list[all->begun] = e->s;
        helped |= e->s.stolen || e->s.given;
        add_shard(all, &e->s, &total);
    }
    if (all->begun)
        qsort(w->list, (size_t)all->begun, sizeof *w->list, by_shard);
    all->list = w->list;
    all->images = *w->note ? w->images : total;
    if (all->done > all->images) /* one did what another had in hand */
        all->done = all->images;
    estimate(all, helped);
    return WSAM_OK;
}

wsam_status wsam_run_watch_open(const char *output, wsam_run_watch **watch, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const size_t size = strlen(output) + sizeof "/.status";
    char *path = malloc(size), *manifest = ws_manifest_state_path(output, "manifest.jsonl");
    wsam_status status = WSAM_OK;
    int there = 0;
    *watch = calloc(1, sizeof **watch);
    if (path)
        snprintf(path, size, "%s/.status", output);
    if (!path || !manifest || !*watch || !((*watch)->output = strdup(output)))
        status = no_memory(error);
    else
        status = ws_file_there(path, &there, error);
    if (!status && !there)
        status = ws_file_there(manifest, &there, error);
    if (!status && !there)
        status = ws_fail(error, WSAM_ERR_IO, "%s: no run is there", output);
    free(path);
    free(manifest);
    if (status) {
        wsam_run_watch_close(*watch);
        *watch = NULL;
    }
    return status;
}

wsam_status wsam_run_watch_look(wsam_run_watch *w, const wsam_run_status **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = &w->status;
    wsam_status status = look_at_manifest(w, error);
    if (!status)
        status = read_all(w, error);
    return status ? status : add_up(w, error);
}

void wsam_run_watch_close(wsam_run_watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->n; i++)
        ws_lease_release(&w->entries[i].lease);
    free(w->entries);
    free(w->output);
    free(w->list);
    free(w);
}
