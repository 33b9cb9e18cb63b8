/* kernels/arm/gemm_f32_8x8_neon.c - the f32 product on AArch64 base instructions, and the bf16
 * one: operands rounded when they are packed and prepared, then the same arithmetic.
 *
 * Tile: 16 accumulators of 4 columns, and two steps of k of both operands twice over: all 32
 * registers. fmla by lane needs no broadcast of A.
 *
 * The loop is assembly because its order is the point. Cores that issue in order also write back in
 * order: on a Cortex-A53 a load (4 cycles, 7 with four registers) behind a multiply (10) waits
 * until it ends behind it. Four loads of four registers for 64 multiplies, addresses that are
 * not counted up by the loads (that result would come after 1 cycle), and one wait for all of the
 * additions and the branch every 128 multiplies leave 82 % of its multiply rate; 12 columns and
 * five loads per step of k, as gcc orders them, leave 60 % (bench/mca.txt). Cores that issue out
 * of order reach the limit either way. */
#include <arm_neon.h>

#include "kernels/gemm.h"

enum { MR = 8, NR = 8, G = 1, S8 = 0 };
typedef float el;

static size_t panel_bytes(size_t k)
{
    return ws_align64(k * NR * sizeof(float));
}

/* Sums v<c0>, v<c1> of a row of the tile += its value, lane l of v<a>, times v<b0>, v<b1>. */
#define ROW(c0, c1, b0, b1, a, l)                                                                  \
    "fmla v" #c0 ".4s, v" #b0 ".4s, v" #a ".s[" #l "]\n\t"                                         \
    "fmla v" #c1 ".4s, v" #b1 ".4s, v" #a ".s[" #l "]\n\t"
/* One step of k: eight columns in v<b0>, v<b1>, eight rows in v<a0>, v<a1>. */
#define ROWS_0_1(b0, b1, a0) ROW(0, 1, b0, b1, a0, 0) ROW(2, 3, b0, b1, a0, 1)
#define ROWS_2_7(b0, b1, a0, a1)                                                                   \
    ROW(4, 5, b0, b1, a0, 2)                                                                       \
    ROW(6, 7, b0, b1, a0, 3)                                                                       \
    ROW(8, 9, b0, b1, a1, 0)                                                                       \
    ROW(10, 11, b0, b1, a1, 1)                                                                     \
    ROW(12, 13, b0, b1, a1, 2)                                                                     \
    ROW(14, 15, b0, b1, a1, 3)
#define LOAD4(r0, r1, r2, r3, from)                                                                \
    "ld1 {v" #r0 ".4s, v" #r1 ".4s, v" #r2 ".4s, v" #r3 ".4s}, [%[" #from "]]\n\t"
/* Two steps of k from one set of registers while the next two arrive in the other. */
#define TWO_STEPS_EVEN(a, b)                                                                       \
    LOAD4(20, 21, 22, 23, a)                                                                       \
    ROWS_0_1(24, 25, 16)                                                                           \
    LOAD4(28, 29, 30, 31, b)                                                                       \
    ROWS_2_7(24, 25, 16, 17)                                                                       \
    ROWS_0_1(26, 27, 18) ROWS_2_7(26, 27, 18, 19)
#define TWO_STEPS_ODD(a, b)                                                                        \
    LOAD4(16, 17, 18, 19, a)                                                                       \
    ROWS_0_1(28, 29, 20)                                                                           \
    LOAD4(24, 25, 26, 27, b)                                                                       \
    ROWS_2_7(28, 29, 20, 21)                                                                       \
    ROWS_0_1(30, 31, 22) ROWS_2_7(30, 31, 22, 23)
#define ADVANCE(p) "add %[" #p "], %[" #p "], #256\n\t"
#define CLEAR(r)   "movi v" #r ".4s, #0\n\t"

/* Each element is one chain of fused multiply-adds in rising k. In the last round of eight steps
 * the loads for a next one read the operands' beginning again: nothing beyond their end is touched.
 */
static void tile(size_t k, const float *a, const float *b, void *sums)
{
    size_t eights = k / 8, rest = k % 8;
    const float *a1 = a + 16, *a2 = a + 32, *a3 = a + 48, *a4 = eights == 1 ? a : a + 64;
    const float *b1 = b + 16, *b2 = b + 32, *b3 = b + 48, *b4 = eights == 1 ? b : b + 64;
    /* clang-format off */
    __asm__ volatile(
        CLEAR(0) CLEAR(1) CLEAR(2) CLEAR(3) CLEAR(4) CLEAR(5) CLEAR(6) CLEAR(7) CLEAR(8) CLEAR(9)
        CLEAR(10) CLEAR(11) CLEAR(12) CLEAR(13) CLEAR(14) CLEAR(15)
        "cbz %[eights], 2f\n\t"
        LOAD4(16, 17, 18, 19, a)
        LOAD4(24, 25, 26, 27, b)
        "1:\n\t"
        TWO_STEPS_EVEN(a1, b1)
        TWO_STEPS_ODD(a2, b2)
        TWO_STEPS_EVEN(a3, b3)
        TWO_STEPS_ODD(a4, b4)
        "sub %[eights], %[eights], #1\n\t"
        ADVANCE(a4)
        ADVANCE(b4)
        "cmp %[eights], #1\n\t"
        ADVANCE(a1) ADVANCE(a2) ADVANCE(a3)
        ADVANCE(b1) ADVANCE(b2) ADVANCE(b3)
        "csel %[a4], %[a], %[a4], eq\n\t"
        "csel %[b4], %[b], %[b4], eq\n\t"
        "cbnz %[eights], 1b\n\t"
        "2: cbz %[rest], 4f\n\t"
        "sub %[a1], %[a1], #64\n\t"
        "sub %[b1], %[b1], #64\n\t"
        "3:\n\t"
        "ldp q16, q17, [%[a1]], #32\n\t"
        "ldp q24, q25, [%[b1]], #32\n\t"
        ROWS_0_1(24, 25, 16) ROWS_2_7(24, 25, 16, 17)
        "subs %[rest], %[rest], #1\n\t"
        "b.ne 3b\n\t"
        "4: st1 {v0.4s, v1.4s, v2.4s, v3.4s}, [%[sums]], #64\n\t"
        "st1 {v4.4s, v5.4s, v6.4s, v7.4s}, [%[sums]], #64\n\t"
        "st1 {v8.4s, v9.4s, v10.4s, v11.4s}, [%[sums]], #64\n\t"
        "st1 {v12.4s, v13.4s, v14.4s, v15.4s}, [%[sums]]\n\t"
        : [eights] "+r"(eights), [rest] "+r"(rest), [sums] "+r"(sums),
          [a1] "+r"(a1), [a2] "+r"(a2), [a3] "+r"(a3), [a4] "+r"(a4),
          [b1] "+r"(b1), [b2] "+r"(b2), [b3] "+r"(b3), [b4] "+r"(b4)
        : [a] "r"(a), [b] "r"(b)
        : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
          "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
          "v25", "v26", "v27", "v28", "v29", "v30", "v31");
    /* clang-format on */
}

#include "kernels/arm/gemm_driver_neon.h"

static size_t packed_bytes(size_t n, size_t k)
{
    return ws_panels(n, NR) * panel_bytes(k);
}

static void pack_f32(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                     size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 0, p0, p1, packed);
}

static void pack_bf16(size_t n, size_t k, wsam_type type, const void *weight, const float *scale,
                      size_t p0, size_t p1, void *packed)
{
    (void)scale;
    ws_pack_f32(n, k, NR, type, weight, 1, p0, p1, packed);
}

/* Four rows at a time would save stores, but a prepared row is read by every panel: the cost is
 * small. */
static void prepare(size_t m, size_t k, const wsam_rows *rows, int bf16, void *prepared)
{
    const size_t padded = padded_k(k);
    float *row = (float *)(void *)((char *)prepared + ws_align64(m * sizeof(float)));
    float *tiles = (float *)(void *)((char *)prepared + tiles_offset(m, k));
    for (size_t i = 0; i < ws_panels(m, MR) * MR; i++) {
        float *to = tiles + i / MR * tile_elements(k) + i % MR;
        if (i < m)
            ws_load_row(rows, i, k, padded, row);
        for (size_t p = 0; p < padded; p++, to += MR) {
            const float x = i < m ? row[p] : 0.0f;
            *to = bf16 ? ws_f32_from_bf16(ws_bf16_from_f32(x)) : x;
        }
    }
}

static void prepare_f32(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    prepare(m, k, rows, 0, prepared);
}

static void prepare_bf16(size_t m, size_t k, const wsam_rows *rows, void *prepared)
{
    prepare(m, k, rows, 1, prepared);
}

void ws_gemm_init_neon(wsam_kernels *table)
{
    table->gemm_f32 = (wsam_gemm_kernel){.name = "gemm_f32_8x8_neon",
                                         .nr = NR,
                                         .rows = 64,
                                         .packed_bytes = packed_bytes,
                                         .pack = pack_f32,
                                         .prepared_bytes = prepared_bytes,
                                         .prepare = prepare_f32,
                                         .run = run};
    table->gemm_bf16 = table->gemm_f32;
    table->gemm_bf16.name = "gemm_bf16_8x8_neon";
    table->gemm_bf16.pack = pack_bf16;
    table->gemm_bf16.prepare = prepare_bf16;
}
