/* runtime/run/threads.c - see threads.h. Every thread that calls has helpers of its own, made at
 * the first call and kept until it ends.
 *
 * They are our own and not OpenMP's: where no thread can be made its runtime ends the process,
 * after fork() its child waits for threads that are no more, and race detectors do not see its
 * barriers.
 *
 * A loop is handed over by one store, of its number and of how many helpers take part. Helpers and
 * caller look out for each other for some 100 us before they sleep: the steps of a graph follow
 * each other faster than that. */
#include "runtime/run/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "kernels/tiles.h"
#include "weaksam/kernels.h"
#include "weaksam/model.h"

enum { MAX_HELPERS = 1023, LOOKS = 2000, FEW_LOOKS = 50 };

typedef struct team team;

typedef struct helper {
    team *team;
    int number; /* from 1 on: the caller is worker 0 */
    pthread_t thread;
} helper;

struct team {
    /* The loop: set before `round`, unchanged until `left` is 0. */
    ws_task_fn fn;
    void *arg;
    int n;
    atomic_int next, left;
    _Atomic uint64_t round; /* its number * 1024 and the helpers that take part */
    atomic_int sleepers, caller_sleeps;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    int size, quit, failed; /* helpers; they shall end; no more of them could be made */
    helper *helpers[MAX_HELPERS];
};

static _Thread_local team *mine;
static _Thread_local int inside; /* a task: loops in it are plain */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int has_key, processors;
static atomic_int helpers_alive; /* of all teams */

/* ---- waiting ---- */

static void pause_a_little(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* More threads than processors: who looks out takes the time of who works. */
static int looks(void)
{
    return atomic_load_explicit(&helpers_alive, memory_order_relaxed) < processors ? LOOKS
                                                                                   : FEW_LOOKS;
}

static uint64_t wait_for_round(team *t, uint64_t seen)
{
    uint64_t round;
    for (int i = looks(); i > 0; i--) {
        round = atomic_load_explicit(&t->round, memory_order_acquire);
        if (round != seen)
            return round;
        pause_a_little();
    }
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->sleepers, 1);
    while ((round = atomic_load(&t->round)) == seen)
        pthread_cond_wait(&t->wake, &t->lock);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->lock);
    return round;
}

static void announce(team *t, int helpers)
{
    const uint64_t round = atomic_load_explicit(&t->round, memory_order_relaxed) / 1024 + 1;
    atomic_store(&t->round, round * 1024 + (uint64_t)helpers);
    if (!atomic_load(&t->sleepers))
        return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

static void wait_for_helpers(team *t)
{
    for (int i = looks(); i > 0; i--) {
        if (!atomic_load_explicit(&t->left, memory_order_acquire))
            return;
        pause_a_little();
    }
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->caller_sleeps, 1);
    while (atomic_load(&t->left))
        pthread_cond_wait(&t->done, &t->lock);
    atomic_store(&t->caller_sleeps, 0);
    pthread_mutex_unlock(&t->lock);
}

static void report_done(team *t)
{
    if (atomic_fetch_sub(&t->left, 1) != 1 || !atomic_load(&t->caller_sleeps))
        return;
    pthread_mutex_lock(&t->lock);
    pthread_cond_signal(&t->done);
    pthread_mutex_unlock(&t->lock);
}

/* ---- work ---- */

/* What a thread has for the time of a loop: the library's floating-point mode, and tile registers
 * if a kernel takes them. */
typedef struct thread_state {
    ws_tile_region tiles;
    uint64_t float_mode;
} thread_state;

static void enter_loop(thread_state *s)
{
    s->float_mode = wsam_float_enter();
    ws_tiles_open(&s->tiles);
}

static void leave_loop(thread_state *s)
{
    ws_tiles_close(&s->tiles);
    wsam_float_restore(s->float_mode);
}

static void take_tasks(team *t, int worker)
{
    thread_state saved;
    enter_loop(&saved);
    for (int i; (i = atomic_fetch_add_explicit(&t->next, 1, memory_order_relaxed)) < t->n;)
        t->fn(t->arg, i, worker);
    leave_loop(&saved);
}

static void *help(void *user)
{
    helper *h = user;
    team *t = h->team;
    inside = 1;
    for (uint64_t seen = 0;;) {
        seen = wait_for_round(t, seen);
        if (h->number > (int)(seen % 1024))
            continue;
        if (t->quit)
            return NULL;
        take_tasks(t, h->number);
        report_done(t);
    }
}

/* ---- teams ---- */

static void free_team(team *t)
{
    for (int i = 0; i < t->size; i++)
        free(t->helpers[i]);
    pthread_cond_destroy(&t->wake);
    pthread_cond_destroy(&t->done);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* At the end of a thread that has helpers. */
static void end_team(void *user)
{
    team *t = user;
    t->quit = 1;
    announce(t, t->size);
    for (int i = 0; i < t->size; i++)
        pthread_join(t->helpers[i]->thread, NULL);
    atomic_fetch_sub(&helpers_alive, t->size);
    free_team(t);
}

/* The child of fork() has one thread, this one: its helpers are gone, and what they held. */
static void after_fork(void)
{
    if (mine) {
        for (int i = 0; i < mine->size; i++)
            free(mine->helpers[i]);
        free(mine);
        if (has_key)
            pthread_setspecific(key, NULL);
    }
    mine = NULL;
    atomic_store(&helpers_alive, 0);
}

static void initialise(void)
{
    processors = wsam_default_threads();
    has_key = pthread_key_create(&key, end_team) == 0;
    pthread_atfork(NULL, NULL, after_fork);
}

static team *new_team(void)
{
    team *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wake, NULL);
    pthread_cond_init(&t->done, NULL);
    if (has_key && pthread_setspecific(key, t) == 0)
        return t;
    free_team(t); /* nobody would end its helpers */
    return NULL;
}

/* Signals are for the program's own threads, but those that a thread sends to itself. */
static void block_signals(sigset_t *saved)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPROF};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, saved);
}

/* Helpers until there are `wanted`, or no more can be made; tasks go to those that there are. */
static void grow(team *t, int wanted)
{
    sigset_t saved;
    block_signals(&saved);
    while (t->size < wanted && !t->failed) {
        helper *h = calloc(1, sizeof *h);
        if (h) {
            h->team = t;
            h->number = t->size + 1;
        }
        if (!h || pthread_create(&h->thread, NULL, help, h) != 0) {
            free(h);
            t->failed = 1;
            break;
        }
        t->helpers[t->size++] = h;
        atomic_fetch_add(&helpers_alive, 1);
    }
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

/* The caller's team with up to `wanted` helpers; NULL: alone. */
static team *team_of(int wanted)
{
    if (wanted < 1 || inside)
        return NULL;
    pthread_once(&once, initialise);
    if (!mine)
        mine = new_team();
    if (mine && mine->size < wanted)
        grow(mine, wanted);
    return mine && mine->size ? mine : NULL;
}

void ws_parallel_for(int threads, int n, ws_task_fn fn, void *arg)
{
    if (threads > n)
        threads = n;
    if (threads > MAX_HELPERS + 1)
        threads = MAX_HELPERS + 1;
    team *t = team_of(threads - 1);
    if (!t) {
        thread_state saved;
        enter_loop(&saved);
        for (int i = 0; i < n; i++)
            fn(arg, i, 0);
        leave_loop(&saved);
        return;
    }
    const int helpers = t->size < threads - 1 ? t->size : threads - 1;
    t->fn = fn;
    t->arg = arg;
    t->n = n;
    atomic_store_explicit(&t->next, 0, memory_order_relaxed);
    atomic_store_explicit(&t->left, helpers, memory_order_relaxed);
    announce(t, helpers);
    inside = 1;
    take_tasks(t, 0);
    inside = 0;
    wait_for_helpers(t);
}
