/* pipeline/everything/everything_many.c - the mask generator over many pictures: one picture per
 * worker, each with a generator of its own; what they made is handed out in the order of the
 * pictures. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/wait.h"
#include "kernels/float_scope.h"
#include "weaksam/everything.h"

/* What became of one picture, until its turn comes. */
typedef struct outcome {
    int done;
    wsam_status status;
    wsam_error error;
    char *text;
} outcome;

typedef struct worker {
    struct many *many;
    pthread_t thread;
    wsam_everything *everything;
    wsam_everything_stats stats;
    size_t at;       /* picture in work */
    double fraction; /* of it; guarded by the lock */
} worker;

typedef struct many {
    wsam_model *model;
    const wsam_everything_batch *batch;
    worker *workers;
    int n_workers;
    outcome *waiting; /* a ring: picture i at i % n_waiting */
    size_t n_waiting;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    size_t next;  /* to be worked on */
    size_t given; /* to the caller: those before it */
    size_t done;
    int stop;
} many;

/* ---- statistics ---- */

static void add_counts(wsam_everything_stats *sum, const wsam_everything_stats *s)
{
    sum->prompts += s->prompts;
    sum->masks += s->masks;
    sum->after_iou += s->after_iou;
    sum->after_stability += s->after_stability;
    sum->after_edges += s->after_edges;
    sum->after_nms += s->after_nms;
    sum->after_crops += s->after_crops;
    sum->kept += s->kept;
    sum->recomputed += s->recomputed;
    sum->load_s += s->load_s;
    sum->preprocess_s += s->preprocess_s;
    sum->encode_s += s->encode_s;
    sum->decode_s += s->decode_s;
    sum->mask_s += s->mask_s;
    sum->nms_s += s->nms_s;
    sum->clean_s += s->clean_s;
}

/* One picture after another: the memory of the largest. */
static void add_picture(wsam_everything_stats *sum, const wsam_everything_stats *s)
{
    add_counts(sum, s);
    sum->peak_bytes = sum->peak_bytes > s->peak_bytes ? sum->peak_bytes : s->peak_bytes;
}

/* ---- progress ---- */

static int call_progress(const many *m, double pictures)
{
    const wsam_everything_options *o = m->batch->options;
    return o && o->progress && o->progress(o->progress_user, pictures / (double)m->batch->n);
}

/* Of one picture. Only a worker in the caller's own thread may call the caller. */
static int note_progress(void *user, double fraction)
{
    worker *w = user;
    many *m = w->many;
    pthread_mutex_lock(&m->lock);
    w->fraction = fraction;
    int stop = m->stop;
    pthread_mutex_unlock(&m->lock);
    if (m->n_workers == 1 && !stop)
        stop = m->stop = call_progress(m, (double)w->at + fraction);
    return stop;
}

/* ---- one picture ---- */

static wsam_status prefix(const char *path, wsam_status status, const wsam_error *inner,
                          wsam_error *error)
{
    return ws_fail(error, status, "%.300s: %.700s", path, inner->message);
}

static wsam_status work_on(worker *w, const wsam_picture *picture, outcome *out)
{
    const wsam_everything_batch *b = w->many->batch;
    wsam_everything_options o;
    wsam_everything_result *result = NULL;
    wsam_everything_stats stats;
    wsam_error inner = {0};
    wsam_everything_options_default(&o);
    if (b->options)
        o = *b->options;
    o.progress = note_progress;
    o.progress_user = w;
    wsam_status status =
        wsam_everything_collect(w->everything, picture, &o, &result, &stats, &inner);
    if (status)
        return prefix(b->paths[w->at], status, &inner, &out->error);
    add_picture(&w->stats, &stats);
    const wsam_everything_item item = {w->at, b->paths[w->at], picture, result};
    status = b->make(b->user, &item, &out->text, &out->error);
    wsam_everything_result_free(result);
    return status;
}

static void do_picture(worker *w, size_t i, outcome *out)
{
    const wsam_everything_batch *b = w->many->batch;
    wsam_picture picture = {0};
    const double start = ws_clock();
    w->at = i;
    out->status = wsam_picture_load(b->paths[i], b->limits, &picture, &out->error);
    w->stats.load_s += ws_clock() - start;
    if (!out->status)
        out->status = work_on(w, &picture, out);
    wsam_picture_free(&picture);
}

/* The caller's turn; its answer other than 0 ends the work. */
static int give(const many *m, size_t i, outcome *out)
{
    const wsam_everything_batch *b = m->batch;
    const int stop = b->put(b->user, i, out->text, out->status ? &out->error : NULL);
    free(out->text);
    out->text = NULL;
    return stop;
}

/* ---- one worker: the calling thread ---- */

static void run_alone(many *m)
{
    for (size_t i = 0; i < m->batch->n && !m->stop; i++) {
        outcome out = {0};
        do_picture(&m->workers[0], i, &out);
        if (m->stop)
            free(out.text);
        else
            m->stop = give(m, i, &out) || call_progress(m, (double)(i + 1));
    }
}

/* ---- several workers ---- */

/* Waits where the results that nobody has taken yet are many: memory is bounded. */
static int take_next(many *m, size_t *i)
{
    pthread_mutex_lock(&m->lock);
    while (!m->stop && m->next < m->batch->n && m->next >= m->given + m->n_waiting)
        pthread_cond_wait(&m->changed, &m->lock);
    const int there = !m->stop && m->next < m->batch->n;
    *i = m->next;
    m->next += (size_t)there;
    pthread_mutex_unlock(&m->lock);
    return there;
}

static void *work(void *user)
{
    worker *w = user;
    many *m = w->many;
    size_t i;
    while (take_next(m, &i)) {
        outcome out = {0};
        do_picture(w, i, &out);
        out.done = 1;
        pthread_mutex_lock(&m->lock);
        m->waiting[i % m->n_waiting] = out;
        m->done++;
        w->fraction = 0;
        pthread_cond_broadcast(&m->changed);
        pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

/* The calling thread's part: results in order, and progress. */
static void give_all(many *m)
{
    pthread_mutex_lock(&m->lock);
    while (m->given < m->batch->n && !m->stop) {
        outcome *first = &m->waiting[m->given % m->n_waiting], out = *first;
        double pictures = (double)m->done;
        for (int i = 0; i < m->n_workers; i++)
            pictures += m->workers[i].fraction;
        *first = (outcome){0};
        pthread_mutex_unlock(&m->lock);
        const int stop = (out.done && give(m, m->given, &out)) || call_progress(m, pictures);
        pthread_mutex_lock(&m->lock);
        m->stop = stop;
        m->given += (size_t)out.done;
        if (out.done || stop)
            pthread_cond_broadcast(&m->changed);
        else if (!m->waiting[m->given % m->n_waiting].done)
            ws_wait_for(&m->changed, &m->lock, 100);
    }
    pthread_mutex_unlock(&m->lock);
}

static wsam_status run_workers(many *m, wsam_error *error)
{
    int started = 0;
    m->n_waiting = 4 * (size_t)m->n_workers;
    m->waiting = calloc(m->n_waiting, sizeof *m->waiting);
    if (!m->waiting)
        return ws_fail(error, WSAM_ERR_MEMORY, "everything: no memory for %d workers",
                       m->n_workers);
    while (started < m->n_workers &&
           pthread_create(&m->workers[started].thread, NULL, work, &m->workers[started]) == 0)
        started++;
    if (started)
        give_all(m);
    for (int i = 0; i < started; i++)
        pthread_join(m->workers[i].thread, NULL);
    for (size_t i = 0; i < m->n_waiting; i++)
        free(m->waiting[i].text);
    free(m->waiting);
    return started ? WSAM_OK
                   : ws_fail(error, WSAM_ERR_MEMORY, "everything: no thread could be started");
}

/* ---- the call ---- */

static wsam_status create_workers(many *m, wsam_error *error)
{
    m->workers = calloc((size_t)m->n_workers, sizeof *m->workers);
    wsam_status status = m->workers ? WSAM_OK
                                    : ws_fail(error, WSAM_ERR_MEMORY,
                                              "everything: no memory for %d workers", m->n_workers);
    for (int i = 0; i < m->n_workers && !status; i++) {
        m->workers[i].many = m;
        status = wsam_everything_create(m->model, &m->workers[i].everything, error);
    }
    return status;
}

static void free_workers(many *m, wsam_everything_stats *stats)
{
    for (int i = 0; m->workers && i < m->n_workers; i++) {
        const worker *w = &m->workers[i];
        if (stats) {
            add_counts(stats, &w->stats);
            stats->peak_bytes += w->stats.peak_bytes; /* they work side by side */
        }
        wsam_everything_free(w->everything);
    }
    free(m->workers);
}

wsam_status wsam_everything_many(wsam_model *model, const wsam_everything_batch *batch,
                                 wsam_everything_stats *stats, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    many m = {.model = model, .batch = batch, .n_workers = batch->workers};
    if (stats)
        *stats = (wsam_everything_stats){0};
    if (batch->workers < 1 || batch->workers > 1024 || !batch->make || !batch->put)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "everything: expected 1 to 1024 workers, and make and put");
    if ((size_t)m.n_workers > batch->n)
        m.n_workers = batch->n ? (int)batch->n : 1;
    pthread_mutex_init(&m.lock, NULL);
    ws_wait_init(&m.changed);
    wsam_status status = create_workers(&m, error);
    if (!status && m.n_workers == 1)
        run_alone(&m);
    else if (!status)
        status = run_workers(&m, error);
    free_workers(&m, stats);
    pthread_cond_destroy(&m.changed);
    pthread_mutex_destroy(&m.lock);
    if (!status && m.stop)
        status = ws_fail(error, WSAM_ERR_CANCELLED, "everything: stopped by the caller");
    return status;
}
