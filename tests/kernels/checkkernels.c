/* tests/kernels/checkkernels.c - every kernel of every level of this machine against level "c".
 *
 * usage: checkkernels [--isa LEVEL] [--family NAME] [--seed N] [--bench] [--small-signal-stack]
 *
 * A plain program, so that it also runs under an emulator. checkkernels_model is the same with the
 * level amx on the C model of tiles; the second line says which of the two ran. The last line reads
 * "checkkernels: N passed, M failed", with the levels that this machine lacks; the exit status is 1
 * when anything failed, 2 for a wrong command line. --small-signal-stack sets an alternate stack
 * that is too small for tile registers, before it asks for them. */
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "kernels/cpu.h"
#include "kernels/tiles.h"
#include "tests/kernels/check.h"

typedef struct family {
    const char *name;
    void (*run)(check *t);
} family;

static const family families[] = {
    {"gemm", check_gemm},
    {"mask", check_mask},
    {"attention", check_attention},
    {"vector", check_vector},
    {"few_token_attention", check_few_token_attention},
    {"conv", check_conv},
    {"resize", check_resize},
    {"roi", check_roi},
    {"training", check_training},
#if defined(__x86_64__) && defined(WS_AMX)
    {"tiles", check_tiles},
#endif
};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

enum { GUARD = 256, MAX_BLOCKS = 64, MAX_SEEN = 1024, MOST_BYTES = 512 };
static const unsigned char filling = 0xa5, guard = 0x5a;

typedef struct block {
    unsigned char *base; /* GUARD bytes, the user's bytes, GUARD bytes */
    size_t bytes;
} block;

static block blocks[MAX_BLOCKS];
static int n_blocks;

/* Tables that were checked: pointers and counts, which say what they do. */
static struct {
    const char *tests;
    size_t bytes;
    unsigned char table[MOST_BYTES];
} seen[MAX_SEEN];
static int n_seen;

int check_new(check *t, const char *tests, const char *name, const void *table, size_t bytes)
{
    t->kernel = name;
    if (strcmp(t->isa->isa, "c") != 0)
        for (int i = 0; i < n_seen; i++)
            if (strcmp(seen[i].tests, tests) == 0 && seen[i].bytes == bytes &&
                memcmp(seen[i].table, table, bytes) == 0)
                return 0;
    if (n_seen == MAX_SEEN || bytes > MOST_BYTES) {
        fprintf(stderr, "checkkernels: no room for the table of %s\n", name);
        exit(1);
    }
    seen[n_seen].tests = tests;
    seen[n_seen].bytes = bytes;
    memcpy(seen[n_seen++].table, table, bytes);
    return 1;
}

/* ---- memory ---- */

void *check_alloc(check *t, size_t bytes)
{
    (void)t;
    unsigned char *base =
        n_blocks < MAX_BLOCKS ? aligned_alloc(64, (bytes + 2 * GUARD + 63) / 64 * 64) : NULL;
    if (!base) {
        fprintf(stderr, "checkkernels: no memory for %zu bytes in %d blocks\n", bytes, n_blocks);
        exit(1);
    }
    memset(base, guard, bytes + 2 * GUARD);
    memset(base + GUARD, filling, bytes);
    blocks[n_blocks].base = base;
    blocks[n_blocks++].bytes = bytes;
    return base + GUARD;
}

static int guards_intact(const block *b)
{
    for (size_t i = 0; i < GUARD; i++)
        if (b->base[i] != guard || b->base[GUARD + b->bytes + i] != guard)
            return 0;
    return 1;
}

void check_done(check *t, const char *what)
{
    int intact = 1;
    for (int i = 0; i < n_blocks; i++) {
        intact &= guards_intact(&blocks[i]);
        free(blocks[i].base);
    }
    n_blocks = 0;
    if (!intact)
        check_true(t, what, 0);
}

/* ---- data ---- */

/* splitmix64 */
uint32_t check_random(check *t)
{
    uint64_t z = t->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

int check_int(check *t, int lo, int hi)
{
    return lo + (int)(check_random(t) % (uint32_t)(hi - lo + 1));
}

const char *check_kind_name(check_kind kind)
{
    static const char *const names[CHECK_KINDS] = {"normal",   "zero", "+-127",   "127",
                                                   "denormal", "huge", "outlier", "nan"};
    return names[kind];
}

static float normal(check *t)
{
    float sum = 0.0f;
    for (int i = 0; i < 4; i++)
        sum += (float)(check_random(t) >> 8) * 0x1p-24f - 0.5f;
    return sum * 1.7320508f;
}

void check_floats(check *t, float *x, size_t n, check_kind kind)
{
    for (size_t i = 0; i < n; i++) {
        const float v = normal(t), sign = v < 0.0f ? -1.0f : 1.0f;
        switch (kind) {
        case CHECK_ZERO:
            x[i] = sign * 0.0f;
            break;
        case CHECK_EXTREME:
            x[i] = sign * 127.0f;
            break;
        case CHECK_ONE:
            x[i] = 127.0f;
            break;
        case CHECK_DENORMAL:
            x[i] = v * 1e-39f;
            break;
        case CHECK_HUGE:
            x[i] = v * 1e18f;
            break;
        case CHECK_OUTLIER:
            x[i] = i % 17 == 3 ? v * 100.0f : v;
            break;
        case CHECK_NORMAL:
        case CHECK_NAN:
        case CHECK_KINDS:
            x[i] = v;
            break;
        }
    }
    if (kind == CHECK_NAN && n)
        x[check_random(t) % n] = NAN;
}

void check_bytes(check *t, void *x, size_t n)
{
    unsigned char *p = x;
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)check_random(t);
}

/* ---- comparison ---- */

int check_report(check *t, int ok, const char *what, const char *format, ...)
{
    if (ok) {
        t->passed++;
        return 1;
    }
    t->failed++;
    printf("FAIL %s (%s): %s: ", t->kernel, t->isa->isa, what);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    return 0;
}

int check_true(check *t, const char *what, int ok)
{
    return check_report(t, ok, what, "is false, or a guard zone was written");
}

int check_equal(check *t, const char *what, const void *want, const void *got, size_t bytes)
{
    const unsigned char *a = want, *b = got;
    size_t at = 0;
    while (at < bytes && a[at] == b[at])
        at++;
    return check_report(t, at == bytes, what, "byte %zu of %zu differs", at, bytes);
}

static int close_to(float want, float got, float abs, float rel)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return isinf(want) && isinf(got) && (want > 0.0f) == (got > 0.0f);
    return fabsf(want - got) <= abs + rel * fabsf(want);
}

int check_rows_close(check *t, const char *what, const float *want, const float *got, size_t m,
                     size_t n, size_t ld, float abs, float rel)
{
    for (size_t i = 0; i < m; i++) {
        const float *w = want + i * ld, *g = got + i * ld;
        for (size_t j = 0; j < n; j++)
            if (!close_to(w[j], g[j], abs, rel))
                return check_report(t, 0, what, "row %zu column %zu is %.9g, want %.9g", i, j,
                                    (double)g[j], (double)w[j]);
        const unsigned char *gap = (const unsigned char *)(g + n);
        for (size_t b = 0; i + 1 < m && b < (ld - n) * sizeof(float); b++)
            if (gap[b] != filling)
                return check_report(t, 0, what, "wrote behind row %zu", i);
    }
    return check_report(t, 1, what, "ok");
}

int check_floats_close(check *t, const char *what, const float *want, const float *got, size_t n,
                       float abs, float rel)
{
    return check_rows_close(t, what, want, got, 1, n, n, abs, rel);
}

/* ---- timing ---- */

static double best_seconds(void (*fn)(void *arg), void *arg)
{
    const double start = ws_clock();
    fn(arg);
    const double once = ws_clock() - start;
    const int inner = once < 1e-3 ? (int)(1e-3 / (once + 1e-9)) + 1 : 1;
    const int runs = once > 0.2 ? 1 : 9;
    double best = once;
    for (int run = 0; run < runs; run++) {
        const double from = ws_clock();
        for (int i = 0; i < inner; i++)
            fn(arg);
        const double each = (ws_clock() - from) / inner;
        best = each < best ? each : best;
    }
    return best;
}

void check_bench(check *t, const char *what, void (*fn)(void *arg), void *arg, double work,
                 int peak)
{
    const double seconds = best_seconds(fn, arg), rate = work / seconds * 1e-9;
    if (peak == CHECK_BYTES) {
        printf("%-28s %-32s %10.2f us %8.2f GB/s\n", t->kernel, what, seconds * 1e6, rate);
        return;
    }
    const double ceiling = ws_peak_gops(t->isa->isa, (ws_peak_type)peak, 1);
    printf("%-28s %-32s %10.2f us %8.1f Gop/s %4.0f %% of %.0f\n", t->kernel, what, seconds * 1e6,
           rate, 100.0 * rate / ceiling, ceiling);
}

/* ---- the program ---- */

typedef struct options {
    const char *isa, *family;
    uint64_t seed;
    int bench;
} options;

static int usage(const char *why)
{
    fprintf(stderr,
            "checkkernels: %s\nusage: checkkernels [--isa LEVEL] [--family NAME] [--seed N] "
            "[--bench] [--small-signal-stack]\n",
            why);
    return 2;
}

static void set_small_signal_stack(void)
{
    static char stack[4096]; /* tiles need 11 KB */
    const stack_t small = {.ss_sp = stack, .ss_size = sizeof stack};
    if (sigaltstack(&small, NULL) != 0)
        perror("checkkernels: sigaltstack");
}

static int parse(options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            o->bench = 1;
        else if (strcmp(argv[i], "--small-signal-stack") == 0)
            set_small_signal_stack();
        else if (i + 1 == argc)
            return usage("unknown option, or its value is missing");
        else if (strcmp(argv[i], "--isa") == 0)
            o->isa = argv[++i];
        else if (strcmp(argv[i], "--family") == 0)
            o->family = argv[++i];
        else if (strcmp(argv[i], "--seed") == 0)
            o->seed = strtoull(argv[++i], NULL, 0);
        else
            return usage("unknown option");
    }
    if (o->isa && wsam_isa_missing(o->isa))
        return usage(wsam_isa_missing(o->isa));
    for (int f = 0; o->family && f <= N_FAMILIES; f++) {
        if (f == N_FAMILIES)
            return usage("no such family");
        if (strcmp(o->family, families[f].name) == 0)
            break;
    }
    return 0;
}

/* The control word is the runtime's: to nearest, denormals flushed. */
static void run_level(check *t, const options *o)
{
    const uint64_t saved = wsam_float_enter();
    for (int f = 0; f < N_FAMILIES; f++) {
        if (o->family && strcmp(o->family, families[f].name) != 0)
            continue;
        const long passed = t->passed, failed = t->failed;
        t->random = o->seed;
        families[f].run(t);
        if (!o->bench)
            printf("%-12s %-10s %6ld passed %4ld failed\n", t->isa->isa, families[f].name,
                   t->passed - passed, t->failed - failed);
    }
    wsam_float_restore(saved);
}

static const char *tiles_name(void)
{
#if defined(__x86_64__) && defined(WS_AMX)
    if (wsam_isa_supported("amx"))
        return ws_tiles_name();
#endif
    return "none";
}

static void print_lacking(void)
{
    int n = 0;
    for (int i = 0; wsam_isa_name(i); i++)
        if (!wsam_isa_supported(wsam_isa_name(i)))
            printf("%s%s", n++ ? ", " : "; not run here: ", wsam_isa_name(i));
    printf("\n");
}

int main(int argc, char **argv)
{
    options o = {.seed = (uint64_t)time(NULL)};
    const int wrong = parse(&o, argc, argv);
    if (wrong)
        return wrong;
    check t = {.c = ws_kernels_find("c", NULL), .bench = o.bench};
    printf("checkkernels: seed %llu\n", (unsigned long long)o.seed);
    printf("checkkernels: tiles: %s\n", tiles_name());
    for (int i = 0; wsam_isa_name(i); i++) {
        const char *isa = wsam_isa_name(i);
        if (!wsam_isa_supported(isa) || (o.isa && strcmp(o.isa, isa) != 0))
            continue;
        t.isa = ws_kernels_find(isa, NULL);
        run_level(&t, &o);
    }
    printf("checkkernels: %ld passed, %ld failed", t.passed, t.failed);
    print_lacking();
    return t.failed != 0;
}
