/* pipeline/dataset/run.c - all pictures of a shard through a worker, on several threads. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/dataset/journal.h"
#include "pipeline/file.h"

typedef struct run {
    const wsam_labels *labels;
    const wsam_run_options *options;
    ws_manifest manifest;
    ws_place *places;
    char *path; /* of the journal */
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t next; /* picture to look at */
    int stop, working;
    wsam_status status; /* of the journal: ends the run */
    wsam_error error;
    wsam_run_progress progress;
    size_t fresh;   /* pictures of this process */
    float *seconds; /* that each of them took */
    double last_status;
    time_t started;
} run;

typedef struct worker {
    run *run;
    int number;
    pthread_t thread;
} worker;

void wsam_run_options_default(wsam_run_options *o)
{
    memset(o, 0, sizeof *o);
    o->shards = o->workers = 1;
}

const char *wsam_run_stage_name(wsam_run_stage stage)
{
    static const char *const names[WSAM_RUN_STAGES] = {"load",  "clues", "encode", "propose",
                                                       "score", "pgt",   "masks"};
    return (unsigned)stage < WSAM_RUN_STAGES ? names[stage] : NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the folder ---- */

static wsam_status make_folder(const char *path, wsam_error *error)
{
    struct stat st;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno == EEXIST ? ENOTDIR : errno));
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

static wsam_status write_manifest(const run *r, const char *path, const ws_text *text,
                                  wsam_error *error)
{
    ws_outputs out = {0};
    FILE *f = ws_outputs_open(&out, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    remove_journals(r->options->output);
    if (f) {
        fwrite(text->text, 1, text->n, f);
        status = ws_outputs_close(&out, error);
    }
    return ws_outputs_finish(&out, status, error);
}

static wsam_status compare_manifest(const run *r, const char *path, const ws_text *text,
                                    wsam_error *error)
{
    char *old;
    size_t size;
    if (access(path, F_OK) != 0)
        return write_manifest(r, path, text, error);
    wsam_status status = ws_read_whole(path, (uint64_t)1 << 30, &old, &size, error);
    const int same = !status && size == text->n && memcmp(old, text->text, size) == 0;
    free(old);
    if (status || same)
        return status;
    if (r->options->overwrite)
        return write_manifest(r, path, text, error);
    return ws_fail(error, WSAM_ERR_MISMATCH,
                   "%s: has results of other pictures, labels, models or options",
                   r->options->output);
}

/* Under a lock: several shards may begin at once. */
static wsam_status settle_manifest(run *r, wsam_error *error)
{
    ws_text text = {0};
    char *path = ws_state_path(r->options->output, "manifest.jsonl");
    char *lock = ws_state_path(r->options->output, "lock");
    wsam_status status = ws_manifest_text(r->labels, r->options->config, &text, error);
    if (!path || !lock)
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", r->options->output);
    const int fd = status ? -1 : open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (!status && (fd < 0 || flock(fd, LOCK_EX) != 0))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", lock, strerror(errno));
    if (!status)
        status = compare_manifest(r, path, &text, error);
    if (!status)
        status = ws_manifest_load(r->options->output, &r->manifest, error);
    if (fd >= 0)
        close(fd);
    free(text.text);
    free(lock);
    free(path);
    return status;
}

static wsam_status open_journal(run *r, wsam_error *error)
{
    char name[64];
    uint64_t end;
    const wsam_run_options *o = r->options;
    snprintf(name, sizeof name, "%d-of-%d.journal", o->shard, o->shards);
    r->path = ws_state_path(o->output, name);
    r->places = calloc(r->labels->n + 1, sizeof *r->places);
    r->seconds = calloc(r->labels->n + 1, sizeof *r->seconds);
    if (!r->path || !r->places || !r->seconds)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", o->output);
    r->fd = open(r->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (r->fd < 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", r->path, strerror(errno));
    if (flock(r->fd, LOCK_EX | LOCK_NB) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: another process works on this shard", r->path);
    wsam_status status =
        ws_journal_scan(r->fd, r->path, r->manifest.hash, 0, r->labels->n, r->places, &end, error);
    if (!status && ftruncate(r->fd, (off_t)end) != 0)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", r->path, strerror(errno));
    return status;
}

/* ---- workers ---- */

static int is_done(const run *r, size_t i)
{
    const ws_place *p = &r->places[i];
    return p->offset && !(p->failed && r->options->retry_failed);
}

static int take_next(run *r, size_t *i)
{
    pthread_mutex_lock(&r->lock);
    while (r->next < r->labels->n && is_done(r, r->next))
        r->next += (size_t)r->options->shards;
    *i = r->next;
    const int there = !r->stop && !r->status && r->next < r->labels->n;
    if (there)
        r->next += (size_t)r->options->shards;
    pthread_mutex_unlock(&r->lock);
    return there;
}

static void keep(run *r, size_t i, const wsam_run_output *output, const char *failure,
                 double seconds)
{
    ws_text payload = {0};
    ws_record_put(&payload, output, failure);
    pthread_mutex_lock(&r->lock);
    if (!r->status)
        r->status = ws_journal_append(r->fd, r->path, r->manifest.hash, i, &payload, &r->error);
    r->progress.done++;
    r->progress.failed += failure != NULL;
    r->progress.instances += failure ? 0 : output->masks.n;
    r->seconds[r->fresh++] = (float)seconds;
    pthread_mutex_unlock(&r->lock);
    free(payload.text);
}

static void do_picture(worker *w, size_t i)
{
    run *r = w->run;
    const wsam_labels *l = r->labels;
    const char *image = l->images[i];
    const size_t size = strlen(r->options->folder) + strlen(image) + 2;
    char *path = malloc(size);
    wsam_run_output output = {0};
    wsam_error error = {0};
    const double start = now();
    wsam_status status = path ? WSAM_OK : ws_fail(&error, WSAM_ERR_MEMORY, "no memory");
    if (!status) {
        snprintf(path, size, "%s/%s", r->options->folder, image);
        const wsam_run_item item = {i, image, path, l->classes + l->first[i],
                                    l->first[i + 1] - l->first[i]};
        status = r->options->fn(r->options->user, w->number, &item, &output, &error);
    }
    if (status != WSAM_ERR_CANCELLED)
        keep(r, i, &output, status ? error.message : NULL, now() - start);
    ws_output_free(&output);
    free(path);
}

static void *work(void *user)
{
    worker *w = user;
    run *r = w->run;
    size_t i;
    while (take_next(r, &i))
        do_picture(w, i);
    pthread_mutex_lock(&r->lock);
    r->working--;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

/* ---- the calling thread ---- */

static void count_done(run *r)
{
    for (size_t i = (size_t)r->options->shard; i < r->labels->n; i += (size_t)r->options->shards) {
        r->progress.total++;
        r->progress.done += (size_t)is_done(r, i);
        r->progress.failed += is_done(r, i) && r->places[i].failed;
    }
    r->progress.resumed = r->progress.done;
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Sorts what it is given. */
static double median(float *values, size_t n)
{
    qsort(values, n, sizeof *values, by_size);
    return n ? 0.5 * ((double)values[(n - 1) / 2] + (double)values[n / 2]) : 0.0;
}

/* OUTPUT/.status/I-of-N.json for whoever watches many shards. What cannot be written is left out:
 * the journal is what counts. */
static void write_status(run *r, const wsam_run_progress *p, double median_s)
{
    char host[256] = "", name[64];
    const wsam_run_options *o = r->options;
    const size_t size = strlen(o->output) + sizeof name + 16;
    char *path = malloc(size);
    ws_text text = {0};
    ws_outputs out = {0};
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
        ws_text_json(&text, host, strlen(host));
        ws_text_printf(&text, ",\"pid\":%ld,\"started\":%lld}\n", (long)getpid(),
                       (long long)r->started);
        FILE *f = text.failed ? NULL : ws_outputs_open(&out, path, &error);
        if (f) {
            fwrite(text.text, 1, text.n, f);
            ws_outputs_finish(&out, ws_outputs_close(&out, &error), &error);
        }
    }
    free(text.text);
    free(path);
}

/* At the start, every ten seconds and at the end. The lock is held. */
static void tell_status(run *r, const wsam_run_progress *p)
{
    const int due = p->seconds - r->last_status > 10.0 || !r->working;
    float *copy = due && r->fresh ? malloc(r->fresh * sizeof *copy) : NULL;
    const size_t n = copy ? r->fresh : 0;
    if (!due)
        return;
    r->last_status = p->seconds;
    if (copy)
        memcpy(copy, r->seconds, n * sizeof *copy);
    pthread_mutex_unlock(&r->lock);
    write_status(r, p, median(copy, n));
    free(copy);
    pthread_mutex_lock(&r->lock);
}

static void report(run *r, double start)
{
    wsam_run_progress p = r->progress;
    p.seconds = now() - start;
    p.seconds_left = r->fresh ? p.seconds / (double)r->fresh * (double)(p.total - p.done) : -1;
    tell_status(r, &p);
    pthread_mutex_unlock(&r->lock);
    const int stop = r->options->progress ? r->options->progress(r->options->progress_user, &p) : 0;
    pthread_mutex_lock(&r->lock);
    r->stop |= stop != 0;
}

static void watch(run *r)
{
    const double start = now();
    r->started = time(NULL);
    r->last_status = -1e9;
    pthread_mutex_lock(&r->lock);
    while (r->working) {
        struct timespec t;
        report(r, start);
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 250000000;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        if (r->working)
            pthread_cond_timedwait(&r->changed, &r->lock, &t);
    }
    report(r, start);
    pthread_mutex_unlock(&r->lock);
}

static wsam_status run_workers(run *r, wsam_error *error)
{
    const int n = r->options->workers;
    worker *workers = calloc((size_t)n, sizeof *workers);
    int started = 0;
    if (!workers)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %d workers", n);
    r->working = n;
    for (; started < n; started++) {
        workers[started] = (worker){.run = r, .number = started};
        if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0)
            break;
    }
    if (started < n) {
        pthread_mutex_lock(&r->lock);
        r->working -= n - started;
        pthread_mutex_unlock(&r->lock);
    }
    watch(r);
    for (int i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    free(workers);
    if (!started)
        return ws_fail(error, WSAM_ERR_MEMORY, "no thread could be started");
    if (r->status && error)
        *error = r->error;
    return r->status;
}

static wsam_status check(const wsam_run_options *o, wsam_error *error)
{
    if (!o->folder || !o->output || !o->fn || o->workers < 1)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "a run wants folder, output, fn and workers");
    if (o->shards < 1 || o->shard < 0 || o->shard >= o->shards)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no shard %d of %d", o->shard, o->shards);
    return WSAM_OK;
}

wsam_status wsam_run(const wsam_labels *labels, const wsam_run_options *o, wsam_error *error)
{
    run r = {.labels = labels, .options = o, .fd = -1};
    wsam_status status = check(o, error);
    if (status)
        return status;
    char *state = ws_state_path(o->output, "");
    pthread_mutex_init(&r.lock, NULL);
    pthread_cond_init(&r.changed, NULL);
    if (!state)
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", o->output);
    if (!status)
        status = make_folder(o->output, error);
    if (!status)
        status = make_folder(state, error);
    if (!status)
        status = settle_manifest(&r, error);
    if (!status)
        status = open_journal(&r, error);
    if (!status) {
        r.next = (size_t)o->shard;
        count_done(&r);
        status = run_workers(&r, error);
    }
    if (!status && r.stop && r.progress.done < r.progress.total)
        status = ws_fail(error, WSAM_ERR_CANCELLED, "stopped with %zu of %zu pictures done",
                         r.progress.done, r.progress.total);
    if (r.fd >= 0)
        close(r.fd);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    ws_manifest_free(&r.manifest);
    free(r.seconds);
    free(r.places);
    free(r.path);
    free(state);
    return status;
}
