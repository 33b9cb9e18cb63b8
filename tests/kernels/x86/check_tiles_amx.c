/* tests/kernels/x86/check_tiles_amx.c - the level amx beside its sums: that its kernels are the
 * ones with tiles, and that tiles are a guest's: a host's own stay as they were, nothing stays
 * behind, signals and forks do no harm. On the C model, too, where tiles are a thread's memory. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/few_token_attention.h"
#include "kernels/x86/tile_ops.h"
#include "runtime/run/threads.h"
#include "tests/kernels/check.h"

enum { M = 48, N = 100, K = 200, WAIT_MS = 40 };

/* An s8 product, prepared; `sums` and what they shall be. */
typedef struct product {
    const wsam_gemm_kernel *kernel;
    size_t m;
    void *prepared, *packed;
    int32_t *want;
} product;

static product make(check *t, const wsam_gemm_kernel *kernel, size_t m)
{
    product p = {.kernel = kernel, .m = m};
    float *rows = check_alloc(t, M * K * sizeof *rows), scale[N];
    int8_t *weight = check_alloc(t, N * K);
    check_floats(t, rows, M * K, CHECK_NORMAL);
    for (size_t i = 0; i < N * K; i++)
        weight[i] = (int8_t)check_int(t, -127, 127);
    for (size_t j = 0; j < N; j++)
        scale[j] = 0.01f;
    const wsam_rows source = {.data = rows, .ld = K};
    p.packed = check_alloc(t, kernel->packed_bytes(N, K));
    p.prepared = check_alloc(t, kernel->prepared_bytes(m, K));
    p.want = check_alloc(t, m * N * sizeof *p.want);
    kernel->pack(N, K, WSAM_S8, weight, scale, 0, (N + kernel->nr - 1) / kernel->nr, p.packed);
    kernel->prepare(m, K, &source, p.prepared);
    kernel->run_s32(m, N, K, 0, N, p.prepared, p.packed, p.want, N);
    return p;
}

/* Runs it once more: whether the sums are the same bytes. */
static int repeats(const product *p)
{
    int32_t sums[M * N];
    p->kernel->run_s32(p->m, N, K, 0, N, p->prepared, p->packed, sums, N);
    return memcmp(sums, p->want, p->m * N * sizeof *sums) == 0;
}

/* ---- which kernel ran ---- */

static void check_names(check *t)
{
    static const char *const want[] = {"gemm_s8_32x32_amx", "gemm_bf16_32x32_amx",
                                       "attention_bf16_32x32_amx", "gemm_f32_14x32_avx512",
                                       "few_token_attention_amx"};
    const char *const got[] = {t->isa->gemm_s8.name, t->isa->gemm_bf16.name,
                               t->isa->attention_bf16.name, t->isa->gemm_f32.name,
                               t->isa->tokens_name};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        check_report(t, strcmp(want[i], got[i]) == 0, "kernel of the level", "%s, want %s", got[i],
                     want[i]);
}

/* The sums of few rows come from vectors, others from tiles. */
static void check_use(check *t, size_t m, int tiles)
{
    ws_tile_region region;
    const product p = make(t, &t->isa->gemm_s8, m);
    ws_tiles_open(&region);
    const int same = repeats(&p), taken = region.taken;
    ws_tiles_close(&region);
    check_report(t, same && taken == tiles, "tiles in use", "%zu rows: %d, want %d", m, taken,
                 tiles);
    check_done(t, "tiles in use");
}

/* The decoder's mix of rows in bf16. */
static void check_mix_use(check *t)
{
    enum { TOKENS = 56, WIDTH = 256 };
    ws_tile_region region;
    float *p = check_alloc(t, M * TOKENS * sizeof *p), *x = check_alloc(t, M * WIDTH * sizeof *x);
    float *out = check_alloc(t, TOKENS * WIDTH * sizeof *out);
    check_floats(t, p, M * TOKENS, CHECK_NORMAL);
    check_floats(t, x, M * WIDTH, CHECK_NORMAL);
    ws_tiles_open(&region);
    t->isa->tokens->mix_rows_bf16(M, TOKENS, WIDTH, p, TOKENS, x, WIDTH, out, WIDTH);
    const int taken = region.taken;
    ws_tiles_close(&region);
    check_report(t, taken, "tiles in use", "the mix of rows went without");
    check_done(t, "tiles in use");
}

/* ---- a host with tiles of its own ---- */

typedef struct host_tiles {
    ws_tile_config config;
    uint8_t data[3][16][64];
} host_tiles;

static void host_store(host_tiles *h)
{
    memset(h->data, 0, sizeof h->data);
    tile_read_config(&h->config);
    tile_store(0, h->data[0], 64);
    tile_store(3, h->data[1], 64);
    tile_store(7, h->data[2], 64);
}

/* Three tiles of odd sizes, filled. */
static void host_begin(check *t, host_tiles *h)
{
    uint8_t filling[16][64];
    *h = (host_tiles){.config = {.palette = 1}};
    h->config.rows[0] = 16, h->config.row_bytes[0] = 64;
    h->config.rows[3] = 5, h->config.row_bytes[3] = 12;
    h->config.rows[7] = 1, h->config.row_bytes[7] = 4;
    tile_configure(&h->config);
    check_bytes(t, filling, sizeof filling);
    tile_load(0, filling, 64);
    tile_load(3, filling, 64);
    tile_load(7, filling, 64);
    host_store(h);
}

static int no_tiles(void)
{
    ws_tile_config now;
    tile_read_config(&now);
    return now.palette == 0;
}

static int host_unchanged(const host_tiles *h)
{
    host_tiles now;
    tile_read_config(&now.config);
    if (memcmp(&now.config, &h->config, sizeof now.config) != 0)
        return 0;
    host_store(&now);
    return memcmp(&now, h, sizeof now) == 0;
}

typedef struct looped {
    const product *product;
    atomic_int wrong;
} looped;

static void loop_task(void *arg, int task, int worker)
{
    looped *l = arg;
    (void)task;
    (void)worker;
    if (!repeats(l->product))
        l->wrong = 1;
}

static int loop(const product *p, int threads)
{
    looped l = {.product = p};
    ws_parallel_for(threads, 16, loop_task, &l);
    return !l.wrong;
}

static void check_host(check *t)
{
    const product p = make(t, &t->isa->gemm_s8, M);
    host_tiles host;
    host_begin(t, &host);
    check_true(t, "a kernel leaves the host's tiles", repeats(&p) && host_unchanged(&host));
    for (int threads = 1; threads <= 3; threads++)
        check_true(t, "a loop leaves the host's tiles", loop(&p, threads) && host_unchanged(&host));
    tile_release();
    check_true(t, "a kernel leaves no tiles behind", repeats(&p) && no_tiles());
    check_true(t, "a loop leaves no tiles behind", loop(&p, 2) && no_tiles());
    check_done(t, "host");
}

/* A region inside of another one, as a kernel's own is: the tiles go back when the outer ends. */
static void check_nested(check *t)
{
    const product p = make(t, &t->isa->gemm_s8, M);
    ws_tile_region outer, inner;
    ws_tiles_open(&outer);
    ws_tiles_open(&inner);
    const int same = repeats(&p);
    ws_tiles_close(&inner);
    check_true(t, "an inner region leaves the outer one its tiles", same && outer.taken);
    check_true(t, "the same after it", repeats(&p));
    ws_tiles_close(&outer);
    check_true(t, "the outer region gives them back", no_tiles());
    check_done(t, "nested");
}

/* ---- threads, signals, forks ---- */

static void *thread(void *arg)
{
    const int ok = no_tiles() && repeats(arg) && no_tiles();
    return ok ? arg : NULL;
}

static void check_thread(check *t)
{
    product p = make(t, &t->isa->gemm_s8, M);
    pthread_t other;
    void *result = NULL;
    if (pthread_create(&other, NULL, thread, &p) == 0)
        pthread_join(other, &result);
    check_true(t, "another thread has and leaves none", result == &p);
    check_done(t, "thread");
}

static volatile sig_atomic_t signals;
static const product *in_signal;

/* Every eighth signal computes, too: a handler has tiles of its own, none at first. */
static void on_alarm(int number)
{
    (void)number;
    signals++;
    if (signals % 8 == 0 && !repeats(in_signal))
        _exit(99);
}

static void check_signals(check *t)
{
    const product p = make(t, &t->isa->gemm_s8, M);
    const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, before;
    int same = 1;
    signals = 0;
    in_signal = &p;
    sigaction(SIGALRM, &act, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; same && (i < 50 || signals < WAIT_MS); i++)
        same = repeats(&p);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    check_report(t, same, "signals during products", "wrong sums after %d signals", (int)signals);
    check_true(t, "no tiles behind them", no_tiles());
    check_done(t, "signals");
}

static void check_fork(check *t)
{
    const product p = make(t, &t->isa->gemm_s8, M);
    int status = -1;
    ws_tile_region region;
    ws_tiles_open(&region);
    int same = repeats(&p);
    fflush(stdout);
    const pid_t child = fork(); /* with tiles in use */
    if (child == 0)
        _exit(repeats(&p) ? 7 : 8);
    same = repeats(&p) && same;
    ws_tiles_close(&region);
    waitpid(child, &status, 0);
    check_true(t, "a child forked amidst products computes", WIFEXITED(status));
    check_report(t, WEXITSTATUS(status) == 7, "the child's sums", "exit status %d",
                 WEXITSTATUS(status));
    check_true(t, "the parent's sums", same && repeats(&p));
    check_done(t, "fork");
}

void check_tiles(check *t)
{
    if (strcmp(t->isa->isa, "amx") != 0 || t->bench)
        return;
    t->kernel = "tiles";
    check_names(t);
    check_use(t, 7, 0);
    check_use(t, 8, 1);
    check_use(t, M, 1);
    check_mix_use(t);
    check_host(t);
    check_nested(t);
    check_thread(t);
    check_signals(t);
    check_fork(t);
}
