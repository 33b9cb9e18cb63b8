/* kernels/tiles.h - who owns the tile registers of AMX, and when they are given back.
 *
 * Their configuration is volatile across calls, so that whoever uses them sets it; but a host that
 * has tiles of its own keeps them over a call of ours, and a thread that has none leaves without
 * any: released tiles stay out of signal frames and let a core sleep. A loop over tasks opens a
 * region in every thread. The first kernel of the region that uses tiles saves what the thread had
 * and configures ours; closing the region puts that back, or releases the tiles. A kernel that is
 * called outside of a region does both for itself. */
#ifndef WS_KERNELS_TILES_H
#define WS_KERNELS_TILES_H

#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(WS_AMX)

enum { WS_TILES = 8, WS_TILE_ROWS = 16, WS_TILE_BYTES = 64 };

/* What a thread's tiles were before a region took them. Written when `taken`. */
typedef struct ws_tile_region {
    _Alignas(64) uint8_t config[64];
    uint8_t data[WS_TILES][WS_TILE_ROWS][WS_TILE_BYTES];
    int taken, nested;
} ws_tile_region;

/* A region of the calling thread. Inside of another one it is part of that. */
void ws_tiles_open(ws_tile_region *region);
void ws_tiles_close(ws_tile_region *region);

/* Around a kernel's tile operations: the open region's tiles, else some of `own`'s. */
void ws_tiles_begin(ws_tile_region *own);
void ws_tiles_end(ws_tile_region *own);

/* Whether there are tiles; the C model has them on every processor. */
int ws_tiles_present(int processor_has);
/* Linux gives tiles to processes that ask for them, once and before the first use: 0, or the
 * system's error (of an alternate signal stack that is too small for tiles, or a filter of system
 * calls). Inherited by fork, lost by exec. */
int ws_tiles_request(void);
/* "AMX", or "C model" in the programs that test with it. */
const char *ws_tiles_name(void);

#else

typedef struct ws_tile_region {
    int none;
} ws_tile_region;

static inline void ws_tiles_open(ws_tile_region *region)
{
    (void)region;
}

static inline void ws_tiles_close(ws_tile_region *region)
{
    (void)region;
}

#endif
#endif
