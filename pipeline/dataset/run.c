/* pipeline/dataset/run.c - all pictures of a shard through a worker, on several threads. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/wait.h"
#include "kernels/float_scope.h"
#include "pipeline/dataset/picker.h"
#include "pipeline/dataset/shard.h"

typedef struct run {
    const wsam_labels *labels;
    const wsam_run_options *options;
    ws_manifest manifest;
    ws_journals journals; /* of all shards, as they were at the start */
    ws_shard shard;
    ws_picker picker;
    size_t given_before; /* own pictures that other shards did before this process began */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int stop, working;
    int lost;           /* another process has taken the shard over */
    double kept;        /* when it was last seen that it has not */
    wsam_status status; /* of the journal: ends the run */
    wsam_error error;
    wsam_run_progress progress;
    size_t fresh;   /* pictures of this process */
    size_t starved; /* those that it had no memory for */
    size_t unread;  /* pictures that are there, and gave an I/O error */
    float *seconds; /* that each of them took */
    size_t slowest; /* picture */
    double slowest_s;
    double began, last_status;
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

/* ---- the journal ---- */

/* Where the last process of the shard cannot write any more, what it left half written is cut off. */
static wsam_status open_journal(run *r, wsam_error *error)
{
    uint64_t end;
    const wsam_run_options *o = r->options;
    r->seconds = calloc(r->labels->n + 1, sizeof *r->seconds);
    wsam_status status =
        r->seconds ? ws_shard_open_journal(&r->shard, o, error) : ws_no_memory(error, o->output);
    if (!status)
        status = ws_journals_open(&r->journals, o->output, error);
    if (!status)
        status = ws_journals_end(&r->journals, r->shard.journal, &end, error);
    r->progress.damaged = r->journals.damaged;
    return status ? status : ws_shard_cut_journal(&r->shard, end, error);
}

/* ---- workers ---- */

/* Whether another picture may begin. A process that slept, and may have lost its shard meanwhile,
 * finds that out first. */
static int may_go_on(run *r)
{
    const double fresh = 0.5 * r->shard.lease.patience;
    pthread_mutex_lock(&r->lock);
    while (!r->stop && !r->status && !r->lost && ws_clock() - r->kept > fresh)
        ws_wait_for(&r->changed, &r->lock, 50);
    const int go_on = !r->stop && !r->status && !r->lost;
    pthread_mutex_unlock(&r->lock);
    return go_on;
}

static int take_next(run *r, size_t *i)
{
    wsam_status status = WSAM_OK;
    wsam_error error = {0};
    const int stop = !may_go_on(r);
    const int there = !stop && ws_picker_next(&r->picker, i, &status, &error);
    pthread_mutex_lock(&r->lock);
    if (status && !r->status) {
        r->status = status;
        r->error = error;
    }
    r->progress.given = r->given_before + r->picker.given;
    pthread_mutex_unlock(&r->lock);
    return there;
}

/* The first stages and the late ones in a record each, where there are late options. */
static size_t make_records(const run *r, size_t i, const wsam_run_output *o, const char *failure,
                           int late, ws_text payloads[2], ws_new_record records[2])
{
    const ws_keys *k = &r->manifest.keys[i];
    wsam_run_output first = *o,
                    second = {.width = o->width, .height = o->height, .stage = o->stage};
    const uint32_t group = (uint32_t)k->first;
    if (failure || k->late == k->first) {
        ws_picture_record_put(&payloads[0], o, failure);
        records[0] = (ws_new_record){late ? k->late : k->first, late ? group : 0, &payloads[0]};
        return 1;
    }
    second.pgt = o->pgt;
    second.masks = o->masks;
    first.pgt = first.masks = (wsam_instances){0};
    for (int s = 0; s < WSAM_RUN_STAGES; s++)
        if (late || s == WSAM_RUN_PGT || s == WSAM_RUN_MASKS) {
            second.seconds[s] = o->seconds[s];
            first.seconds[s] = 0;
        }
    ws_picture_record_put(&payloads[0], &first, NULL);
    ws_picture_record_put(&payloads[1], &second, NULL);
    records[0] = (ws_new_record){k->first, 0, &payloads[0]};
    records[1] = (ws_new_record){k->late, group, &payloads[1]};
    return 2;
}

/* `late`: the first stages' record is there. */
static void keep(run *r, size_t i, const wsam_run_output *output, const char *failure, int late,
                 double seconds)
{
    ws_text payloads[2] = {{0}, {0}};
    ws_new_record records[2];
    const size_t n = make_records(r, i, output, failure, late, payloads, records);
    const size_t from = late && n == 2;
    pthread_mutex_lock(&r->lock);
    if (!r->status)
        r->status =
            ws_journal_append(r->shard.fd, r->shard.path, records + from, n - from, &r->error);
    if (ws_picker_is_own(&r->picker, i))
        r->progress.done++;
    else
        r->progress.stolen++;
    if (seconds > r->slowest_s) {
        r->slowest_s = seconds;
        r->slowest = i;
    }
    r->progress.failed += failure != NULL;
    r->progress.instances += failure ? 0 : output->masks.n;
    r->seconds[r->fresh++] = (float)seconds;
    pthread_mutex_unlock(&r->lock);
    free(payloads[0].text);
    free(payloads[1].text);
}

static void tell_gap(run *r, size_t i, wsam_run_stage stage, const char *reason)
{
    const wsam_run_gap gap = {r->labels->images[i], stage, reason};
    pthread_mutex_lock(&r->lock);
    if (r->options->failed)
        r->options->failed(r->options->progress_user, &gap);
    pthread_mutex_unlock(&r->lock);
}

/* A failure is the picture's, and recorded, unless the machine had no memory for it, could not read
 * a file that is there, or had nowhere to write: another try may go well. A full disk ends the run; memory may be there for others. */
static void take_result(run *r, size_t i, const char *path, const wsam_run_output *output,
                        wsam_status status, int late, const wsam_error *error, double seconds)
{
    if (status == WSAM_ERR_CANCELLED)
        return;
    if (status)
        tell_gap(r, i, output->stage, error->message);
    const int loading = output->stage == WSAM_RUN_LOAD;
    if (status == WSAM_ERR_MEMORY || (loading && path && ws_file_failure_passes(status, path))) {
        pthread_mutex_lock(&r->lock);
        r->starved += status == WSAM_ERR_MEMORY;
        r->unread += status != WSAM_ERR_MEMORY;
        pthread_mutex_unlock(&r->lock);
    } else if (status == WSAM_ERR_IO && !loading) {
        pthread_mutex_lock(&r->lock);
        if (!r->status)
            r->error = *error;
        r->status = status;
        pthread_mutex_unlock(&r->lock);
    } else {
        keep(r, i, output, status ? error->message : NULL, late, seconds);
    }
}

static void do_picture(worker *w, size_t i)
{
    run *r = w->run;
    const wsam_labels *l = r->labels;
    const char *image = l->images[i];
    const size_t size = strlen(r->options->folder) + strlen(image) + 2;
    char *path = malloc(size);
    wsam_run_output output = {0}, known = {0};
    wsam_error error = {0};
    int failed;
    const int late = ws_picker_progress(&r->picker, i, &failed) == WS_FIRST;
    const double start = ws_clock();
    wsam_status status = path ? WSAM_OK : ws_fail(&error, WSAM_ERR_MEMORY, "no memory");
    if (!status && late)
        status = ws_journals_known(&r->journals, &r->manifest.keys[i], &known, &error);
    if (!status) {
        snprintf(path, size, "%s/%s", r->options->folder, image);
        const wsam_run_item item = {.index = i,
                                    .image = image,
                                    .path = path,
                                    .labels = l->classes + l->first[i],
                                    .n_labels = l->first[i + 1] - l->first[i],
                                    .key = r->manifest.keys[i].first,
                                    .known = late ? &known : NULL};
        status = r->options->fn(r->options->user, w->number, &item, &output, &error);
    }
    take_result(r, i, path, &output, status, late, &error, ws_clock() - start);
    ws_picture_record_free(&output);
    ws_picture_record_free(&known);
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

/* Whether the results of a picture are in a journal of shard `own` of this number of shards, or, with
 * 0, of another of them. */
static int is_from(const run *r, size_t i, int own)
{
    const ws_journal *j = ws_journals_where(&r->journals, &r->manifest.keys[i]);
    int shard, shards;
    if (!j || sscanf(j->name, "%d-of-%d.", &shard, &shards) != 2 || shards != r->options->shards)
        return 0;
    return own ? shard == r->options->shard : shard != r->options->shard;
}

static void count_done(run *r)
{
    const size_t step = r->picker.steals ? 1 : (size_t)r->options->shards;
    for (size_t i = step == 1 ? 0 : (size_t)r->options->shard; i < r->labels->n; i += step) {
        int failed;
        const ws_progress p = ws_picker_progress(&r->picker, i, &failed);
        if (!ws_picker_is_own(&r->picker, i)) {
            r->progress.stolen += p == WS_DONE && is_from(r, i, 1);
            continue;
        }
        r->progress.total++;
        if (p == WS_DONE && r->picker.steals && is_from(r, i, 0))
            r->given_before++;
        else
            r->progress.done += p == WS_DONE;
        r->progress.late += p == WS_FIRST;
        r->progress.failed += p == WS_DONE && failed;
    }
    r->progress.given = r->given_before;
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
    if (n)
        qsort(values, n, sizeof *values, by_size);
    return n ? 0.5 * ((double)values[(n - 1) / 2] + (double)values[n / 2]) : 0.0;
}

/* The status file. The lock is held. */
static void tell(run *r, const wsam_run_progress *p, const char *state)
{
    struct rusage usage = {0};
    const size_t n = r->fresh;
    float *copy = n ? malloc(n * sizeof *copy) : NULL;
    ws_run_state s = {.progress = p,
                      .state = state,
                      .slowest = n ? r->labels->images[r->slowest] : NULL,
                      .slowest_s = r->slowest_s,
                      .fresh = n,
                      .manifest = r->shard.lease.note,
                      .started = r->started};
    if (copy)
        memcpy(copy, r->seconds, n * sizeof *copy);
    pthread_mutex_unlock(&r->lock);
    getrusage(RUSAGE_SELF, &usage);
    s.peak_rss_bytes = 1024 * (uint64_t)usage.ru_maxrss;
    s.median_s = copy ? median(copy, n) : 0.0;
    ws_run_status_write(r->options, &s);
    free(copy);
    pthread_mutex_lock(&r->lock);
}

static wsam_run_progress progress_now(const run *r)
{
    wsam_run_progress p = r->progress;
    const size_t left = p.total > p.done + p.given ? p.total - p.done - p.given : 0;
    p.seconds = ws_clock() - r->began;
    p.seconds_left = r->fresh ? p.seconds / (double)r->fresh * (double)left : -1;
    return p;
}

/* What the run ended with. */
static void tell_end(run *r, wsam_status status)
{
    if (r->lost) /* the status file is another's now */
        return;
    pthread_mutex_lock(&r->lock);
    const wsam_run_progress p = progress_now(r);
    tell(r, &p, !status ? "done" : status == WSAM_ERR_CANCELLED ? "stopped" : "failed");
    pthread_mutex_unlock(&r->lock);
}

/* The lock is held. */
static void report(run *r)
{
    const wsam_run_progress p = progress_now(r);
    if (p.seconds - r->last_status > 10.0 && !r->lost) {
        r->last_status = p.seconds;
        tell(r, &p, "running");
    }
    pthread_mutex_unlock(&r->lock);
    const int stop = r->options->progress ? r->options->progress(r->options->progress_user, &p) : 0;
    const int mine = ws_lease_keep(&r->shard.lease);
    pthread_mutex_lock(&r->lock);
    r->stop |= stop != 0;
    r->lost |= !mine;
    r->kept = ws_clock();
}

static void watch(run *r)
{
    r->began = ws_clock();
    r->started = time(NULL);
    r->last_status = -1e9;
    pthread_mutex_lock(&r->lock);
    while (r->working) {
        report(r);
        if (r->working)
            ws_wait_for(&r->changed, &r->lock, 250);
    }
    report(r);
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
    r->kept = ws_clock();
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
        return ws_fail(error, WSAM_ERR_ARGUMENT, "a run needs folder, output, fn and workers");
    if (o->shards < 1 || o->shard < 0 || o->shard >= o->shards)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no shard %d of %d", o->shard, o->shards);
    return WSAM_OK;
}

/* Why a run that went well is not through. */
static wsam_status why_not_done(const run *r, wsam_error *error)
{
    const wsam_run_progress *p = &r->progress;
    if (r->lost)
        return ws_fail(error, WSAM_ERR_CANCELLED,
                       "another process has taken this shard over; %zu of %zu images were done",
                       p->done, p->total);
    if (r->stop && p->done + p->given < p->total)
        return ws_fail(error, WSAM_ERR_CANCELLED, "stopped with %zu of %zu images done", p->done,
                       p->total);
    if (r->starved)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu images; %zu of %zu are done",
                       r->starved, p->done, p->total);
    if (r->unread)
        return ws_fail(error, WSAM_ERR_IO,
                       "%zu images are there but could not be read; %zu of %zu are done", r->unread,
                       p->done, p->total);
    return WSAM_OK;
}

static wsam_status run_shard(run *r, wsam_error *error)
{
    wsam_status status = open_journal(r, error);
    if (!status)
        status = ws_picker_open(&r->picker, r->options, &r->manifest, &r->journals, error);
    if (status)
        return status;
    ws_run_status_begin(r->options);
    count_done(r);
    status = run_workers(r, error);
    if (!status)
        status = why_not_done(r, error);
    tell_end(r, status);
    return status;
}

wsam_status wsam_run(const wsam_labels *labels, const wsam_run_options *o, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    run r = {.labels = labels, .options = o, .shard.fd = -1};
    wsam_status status = check(o, error);
    if (status)
        return status;
    pthread_mutex_init(&r.lock, NULL);
    ws_wait_init(&r.changed);
    status = ws_run_manifest_settle(labels, o, &r.manifest, &r.shard, error);
    if (!status)
        status = run_shard(&r, error);
    ws_picker_close(&r.picker);
    ws_shard_release(&r.shard);
    pthread_cond_destroy(&r.changed);
    pthread_mutex_destroy(&r.lock);
    ws_manifest_free(&r.manifest);
    ws_journals_close(&r.journals);
    free(r.seconds);
    return status;
}
