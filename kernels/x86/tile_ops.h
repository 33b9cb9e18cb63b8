/* kernels/x86/tile_ops.h - the tile operations: AMX, or a C model of it (WS_TILE_MODEL).
 *
 * Tiles are named by number, so that these are macros; a compiler's own tile types would let it
 * spill them (wrongly, before clang 20). The instructions are written here rather than taken from
 * the compiler's header: gcc 12 tells the compiler neither that a load reads memory nor that a
 * configuration is more than its first 8 bytes, and drops stores before it. */
#ifndef WS_KERNELS_X86_TILE_OPS_H
#define WS_KERNELS_X86_TILE_OPS_H

#include "kernels/tiles.h"

/* Operand of ldtilecfg and sttilecfg. Palette 0: no tiles. */
typedef struct ws_tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} ws_tile_config;

#ifdef WS_TILE_MODEL
#include "kernels/x86/tile_model.h"
#else

static inline void tile_configure(const ws_tile_config *config)
{
    __asm__ volatile("ldtilecfg %0" : : "m"(*config) : "memory");
}

static inline void tile_read_config(ws_tile_config *config)
{
    __asm__ volatile("sttilecfg %0" : "=m"(*config) : : "memory");
}

static inline void tile_release(void)
{
    __asm__ volatile("tilerelease" : : : "memory");
}

#define tile_zero(t) __asm__ volatile("tilezero %%tmm" #t : :)

/* 16 rows of 64 bytes, `stride` bytes apart. */
#define tile_load(t, from, stride)                                                                 \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t                                               \
                     :                                                                             \
                     : "r"((const void *)(from)), "r"((size_t)(stride))                            \
                     : "memory")

/* The same for what is used once: not kept in L1. */
#define tile_load_once(t, from, stride)                                                            \
    __asm__ volatile("tileloaddt1 (%0,%1,1), %%tmm" #t                                             \
                     :                                                                             \
                     : "r"((const void *)(from)), "r"((size_t)(stride))                            \
                     : "memory")

#define tile_store(t, to, stride)                                                                  \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)"                                           \
                     :                                                                             \
                     : "r"((void *)(to)), "r"((size_t)(stride))                                    \
                     : "memory")

/* sum[m][n] += a[m][k] . b[k/4][n][4] of s8; of bf16 with pairs in place of fours. */
#define tile_dot_s8(sum, a, b) __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #sum : :)
#define tile_dot_bf16(sum, a, b)                                                                   \
    __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum : :)

#endif
#endif
