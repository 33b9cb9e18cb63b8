/* tests/kernels/check.h - what a family's kernel tests use. See checkkernels.c for the list of
 * families.
 *
 * A family is a function `void check_<family>(check *t)` in tests/kernels/check_<family>.c and one
 * line in the table of checkkernels.c. It is called once per level of this machine, lowest first,
 * and does this:
 *
 *     if (!check_new(t, "conv", t->isa->conv.name, &t->isa->conv, sizeof t->isa->conv))
 *         return;                                    // inherited from a lower level: tested there
 *     float *x = check_alloc(t, n * sizeof *x);      // guarded memory, freed by check_done
 *     float *want = check_alloc(t, ...), *got = check_alloc(t, ...);
 *     check_floats(t, x, n, CHECK_NORMAL);
 *     t->c->conv...(..., want);                      // the specification
 *     t->isa->conv...(..., got);                     // the kernel under test
 *     check_floats_close(t, "case 3x3 pad 1", want, got, n, 1e-6f, 1e-6f);
 *     check_done(t, "case 3x3 pad 1");               // guard zones, then frees everything
 *
 * and, when t->bench, times the same pointers with check_bench. Tests stop at nothing: every
 * mismatch is counted and its first element printed. */
#ifndef WS_TESTS_KERNELS_CHECK_H
#define WS_TESTS_KERNELS_CHECK_H

#include "runtime/run/peak_rate.h"
#include "weaksam/kernels.h"

typedef struct check {
    const wsam_kernels *c;   /* the C level, the specification */
    const wsam_kernels *isa; /* the level under test ("c" itself first: then only sanity) */
    int bench;               /* time the kernels instead of testing them */
    const char *kernel;      /* set by check_new, for the messages */
    uint64_t random;         /* state of the generator; seeded per level and family */
    long passed, failed;
} check;

/* 1 when no lower level had this table for the same `tests`; remembers it, and `name` for messages. A
 * level that replaces one field of a table has a new one. At level "c" always 1. */
int check_new(check *t, const char *tests, const char *name, const void *table, size_t bytes);

/* 64-byte aligned memory filled with 0xA5, with guard zones before and after. Exits when there is
 * none. */
void *check_alloc(check *t, size_t bytes);
/* Checks the guard zones of everything allocated since the last check_done and frees it. */
void check_done(check *t, const char *what);

uint32_t check_random(check *t);
/* Uniform in [lo, hi], both included. */
int check_int(check *t, int lo, int hi);

typedef enum check_kind {
    CHECK_NORMAL,   /* sum of four uniforms, variance 1 */
    CHECK_ZERO,     /* zeros of both signs */
    CHECK_EXTREME,  /* +-127 at random: the largest values int8 products meet */
    CHECK_ONE,      /* all 127 */
    CHECK_DENORMAL, /* below FLT_MIN */
    CHECK_HUGE,     /* around 1e18: squares are finite, their sums too */
    CHECK_OUTLIER,  /* normal, with every 17th value 100 times larger */
    CHECK_NAN,      /* normal, with one NaN at a random place */
    CHECK_KINDS
} check_kind;
const char *check_kind_name(check_kind kind);
void check_floats(check *t, float *x, size_t n, check_kind kind);
void check_bytes(check *t, void *x, size_t n);

/* Each counts one pass or one failure and prints the first difference (check_report: the message).
 */
int check_report(check *t, int ok, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int check_true(check *t, const char *what, int ok);
int check_equal(check *t, const char *what, const void *want, const void *got, size_t bytes);
/* |want - got| <= abs + rel*|want| for all; NaN only where NaN is wanted, infinities equal. */
int check_floats_close(check *t, const char *what, const float *want, const float *got, size_t n,
                       float abs, float rel);
/* Rows of n values, ld apart; what stands between the rows must still be check_alloc's filling. */
int check_rows_close(check *t, const char *what, const float *want, const float *got, size_t m,
                     size_t n, size_t ld, float abs, float rel);

/* Times fn(arg) (best of several runs) and prints one line: the name, the rate of `work` operations
 * or bytes per call and, where `peak` is not CHECK_BYTES, the per cent of that register loop's
 * rate.
 */
enum { CHECK_BYTES = -1 };
void check_bench(check *t, const char *what, void (*fn)(void *arg), void *arg, double work,
                 int peak);

void check_gemm(check *t);
wsam_gemm_kernel check_avxvnni_in_evex(void); /* x86, needs AVX-512 VNNI */
void check_mask(check *t);
void check_attention(check *t);
void check_vector(check *t);
void check_few_token_attention(check *t);
void check_conv(check *t);
void check_resize(check *t);
void check_roi(check *t);
void check_training(check *t);
void check_tiles(check *t); /* x86, where the assembler knows AMX */

#endif
