/* kernels/x86/peak_amx.c - tdpbssd and tdpbf16ps on four tiles of sums, as many as the kernels have:
 * four times 16 cycles cover the latency of 52. */
#include "kernels/peak.h"
#include "kernels/x86/tile_ops.h"

double ws_peak_s8_amx(size_t count)
{
    ws_tile_region own;
    ws_tiles_begin(&own);
    for (size_t i = 0; i < count; i++) {
        tile_dot_s8(0, 4, 6);
        tile_dot_s8(1, 4, 7);
        tile_dot_s8(2, 5, 6);
        tile_dot_s8(3, 5, 7);
    }
    ws_tiles_end(&own);
    return 2.0 * 16 * 16 * 64 * 4 * (double)count;
}

double ws_peak_bf16_amx(size_t count)
{
    ws_tile_region own;
    ws_tiles_begin(&own);
    for (size_t i = 0; i < count; i++) {
        tile_dot_bf16(0, 4, 6);
        tile_dot_bf16(1, 4, 7);
        tile_dot_bf16(2, 5, 6);
        tile_dot_bf16(3, 5, 7);
    }
    ws_tiles_end(&own);
    return 2.0 * 16 * 16 * 32 * 4 * (double)count;
}
