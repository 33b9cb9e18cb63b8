/* kernels/cpu.c - what this machine can do, and one kernel table per level. */
#include "kernels/cpu.h"
#include "kernels/few_token_attention.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/tiles.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

typedef struct level {
    const char *name;
    unsigned features;
} level;

/* Rising order within a family; the last supported one is the best. */
static const level levels[] = {
    {"c", 0},
#if defined(__x86_64__)
    {"avx2", WS_CPU_AVX2},
    {"avxvnni", WS_CPU_AVX2 | WS_CPU_AVXVNNI},
    {"avx512", WS_CPU_AVX2 | WS_CPU_AVX512},
    {"avx512vnni", WS_CPU_AVX2 | WS_CPU_AVX512 | WS_CPU_AVX512VNNI},
    {"avx512bf16", WS_CPU_AVX2 | WS_CPU_AVX512 | WS_CPU_AVX512VNNI | WS_CPU_AVX512BF16},
#if defined(WS_AMX)
    /* Not over avx512bf16: see runs_slower. */
    {"amx", WS_CPU_AVX2 | WS_CPU_AVX512 | WS_CPU_AVX512VNNI | WS_CPU_AMX},
#endif
#elif defined(__aarch64__)
    {"neon", WS_CPU_NEON},
    {"dotprod", WS_CPU_NEON | WS_CPU_DOTPROD},
    {"i8mm", WS_CPU_NEON | WS_CPU_DOTPROD | WS_CPU_I8MM},
#endif
};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

/* Filled once per process, by whoever asks first; read without a lock afterwards. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned machine_features;
static wsam_kernels tables[N_LEVELS];
static ws_token_kernels token_tables[N_LEVELS];

#if defined(__x86_64__)
/* XCR0: which register files the operating system saves. */
static uint64_t enabled_state(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static unsigned detect(void)
{
    unsigned a, b, c, d, features = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    /* All three or nothing: there is no level between C and AVX2 with FMA. */
    const unsigned fma = 1u << 12, osxsave = 1u << 27, f16c = 1u << 29;
    if ((c & (fma | osxsave | f16c)) != (fma | osxsave | f16c))
        return 0;
    const uint64_t state = enabled_state();
    if ((state & 0x6) != 0x6) /* xmm, ymm */
        return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return 0;
    const unsigned max_sub = a, b7 = b, c7 = c, d7 = d;
    unsigned a1 = 0;
    if (max_sub >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        a1 = a;
    if (!(b7 & 1u << 5))
        return 0;
    features |= WS_CPU_AVX2;
    if (a1 & 1u << 4)
        features |= WS_CPU_AVXVNNI;
    /* F, DQ, BW and VL came together with Skylake-X; parts of Knights Landing without BW stay at
     * avx2. */
    const unsigned fdqbwvl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    if ((b7 & fdqbwvl) == fdqbwvl && (state & 0xe6) == 0xe6) { /* opmask, zmm */
        features |= WS_CPU_AVX512;
        if (c7 & 1u << 11)
            features |= WS_CPU_AVX512VNNI;
        if (a1 & 1u << 5)
            features |= WS_CPU_AVX512BF16;
    }
    const unsigned amx = 1u << 22 | 1u << 24 | 1u << 25; /* bf16, tile, int8 */
    int tiles = (d7 & amx) == amx && (state & 0x60000) == 0x60000 && a1 & 1u << 5;
#if defined(WS_AMX)
    tiles = ws_tiles_present(tiles);
#endif
    if (tiles)
        features |= WS_CPU_AMX;
    return features;
}
#elif defined(__aarch64__) && defined(__linux__)
static unsigned detect(void)
{
    const unsigned long hwcap = getauxval(AT_HWCAP), hwcap2 = getauxval(AT_HWCAP2);
    unsigned features = WS_CPU_NEON; /* part of every AArch64 */
    if (hwcap & 1ul << 20)
        features |= WS_CPU_DOTPROD;
    if ((hwcap2 & 1ul << 13) && (hwcap2 & 1ul << 14)) /* i8mm, bf16 */
        features |= WS_CPU_I8MM;
    return features;
}
#else
static unsigned detect(void)
{
    return 0;
}
#endif

static void fill_tables(void)
{
    machine_features = detect();
    for (int i = 0; i < N_LEVELS; i++) {
        wsam_kernels *t = &tables[i];
        t->isa = levels[i].name;
        if (levels[i].features & ~machine_features)
            continue; /* its initialisers themselves are compiled for instructions that are not
                         there */
        ws_gemm_init(t, levels[i].features);
        ws_attention_init(t, levels[i].features);
        ws_conv_init(t, levels[i].features);
        ws_vector_init(t, levels[i].features);
        ws_few_token_attention_init(&token_tables[i], levels[i].features);
        t->tokens = &token_tables[i];
        t->tokens_name = token_tables[i].name;
        ws_resize_init(t, levels[i].features);
        ws_mask_init(t, levels[i].features);
        ws_roi_init(t, levels[i].features);
    }
}

unsigned ws_cpu_features(void)
{
    pthread_once(&once, fill_tables);
    return machine_features;
}

static pthread_once_t request_once = PTHREAD_ONCE_INIT;
static int refusal; /* why the system keeps tiles from us: an errno */

static void request_tiles(void)
{
#if defined(WS_AMX)
    refusal = ws_tiles_request();
#endif
}

/* The system's answer is asked for when a level with tiles is looked at, and not before: a process
 * that has tiles must not make its alternate signal stacks smaller than they need. */
static int tiles_refused(const level *l)
{
    if (!(l->features & WS_CPU_AMX))
        return 0;
    pthread_once(&request_once, request_tiles);
    return refusal;
}

/* What the processor has; whether the system lets us use tiles is asked apart. */
static int has_features(int i)
{
    return (levels[i].features & ~ws_cpu_features()) == 0;
}

static int supported(int i)
{
    return has_features(i) && !tiles_refused(&levels[i]);
}

static int find(const char *isa)
{
    for (int i = 0; i < N_LEVELS; i++)
        if (strcmp(levels[i].name, isa) == 0)
            return i;
    return -1;
}

const char *wsam_isa_name(int index)
{
    return index >= 0 && index < N_LEVELS ? levels[index].name : NULL;
}

int wsam_isa_supported(const char *isa)
{
    const int i = isa ? find(isa) : -1;
    return i >= 0 && supported(i);
}

const char *wsam_isa_missing(const char *isa)
{
    const int i = isa ? find(isa) : -1;
    if (i < 0)
        return "unknown on this architecture";
    if (!has_features(i))
        return "this machine does not have it";
    switch (tiles_refused(&levels[i])) {
    case 0:
        return NULL;
    case ENOSPC:
        return "the system refuses tile registers: an alternate signal stack is too small for them";
    case EPERM:
    case EACCES:
        return "the system refuses tile registers: a filter of system calls forbids arch_prctl";
    default:
        return "the system refuses tile registers (arch_prctl)";
    }
}

/* The cores of Intel that have AMX leave bf16 to it: their vdpbf16ps runs every other cycle on one
 * pipe, half of the rate of f32 multiply-adds (88 against 177 GFLOP/s of a core of Emerald Rapids),
 * so that the f32 kernels of the level below are the faster ones. */
static int runs_slower(const level *l)
{
    return l->features & WS_CPU_AVX512BF16 && ws_cpu_features() & WS_CPU_AMX;
}

const char *wsam_isa_best(void)
{
    int best = 0;
    for (int i = 0; i < N_LEVELS; i++)
        if (supported(i) && !runs_slower(&levels[i]))
            best = i;
    return levels[best].name;
}

static const wsam_kernels *refuse(wsam_error *error, wsam_status status, const char *isa,
                                  const char *why)
{
    if (error) {
        error->status = status;
        snprintf(error->message, sizeof error->message, "isa level '%.40s': %s", isa, why);
    }
    return NULL;
}

const wsam_kernels *ws_kernels_find(const char *isa, wsam_error *error)
{
    if (!isa || !*isa)
        isa = getenv("WEAKSAM_ISA");
    if (!isa || !*isa)
        isa = wsam_isa_best();
    const int i = find(isa);
    if (i < 0)
        return refuse(error, WSAM_ERR_ARGUMENT, isa, "unknown on this architecture");
    const char *why = wsam_isa_missing(isa);
    if (why)
        return refuse(error, WSAM_ERR_UNSUPPORTED, isa, why);
    return &tables[i];
}

wsam_status wsam_kernels_for(const char *isa, const wsam_kernels **kernels, wsam_error *error)
{
    wsam_error own;
    *kernels = ws_kernels_find(isa, error ? error : &own);
    return *kernels ? WSAM_OK : (error ? error : &own)->status;
}
