/* kernels/x86/tiles.c - see kernels/tiles.h. Compiled for every x86-64: only what follows a granted
 * request executes a tile instruction. */
#include "kernels/tiles.h"

#ifdef WS_AMX

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernels/x86/tile_ops.h"

_Static_assert(sizeof(ws_tile_config) == 64, "what ldtilecfg reads");

/* Tiles are state of a thread: a region that is open lets all kernels within use one configuration
 * (ldtilecfg clears 8 KB of registers). */
static _Thread_local ws_tile_region *open_region;

/* Calls f(t) for all tiles: their numbers are part of the instructions. */
#define EACH_TILE(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7)

/* Tiles that the host's configuration gives rows and columns. */
#define SAVE(t)                                                                                    \
    if (config->rows[t] && config->row_bytes[t])                                                   \
        tile_store(t, region->data[t], WS_TILE_BYTES);
#define RESTORE(t)                                                                                 \
    if (config->rows[t] && config->row_bytes[t])                                                   \
        tile_load(t, region->data[t], WS_TILE_BYTES);

static void take(ws_tile_region *region)
{
    static const ws_tile_config ours = {
        .palette = 1,
        .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
        .rows = {16, 16, 16, 16, 16, 16, 16, 16},
    };
    ws_tile_config *config = (ws_tile_config *)(void *)region->config;
    /* The host may use tiles, too: what it has in them is put aside and comes back. */
    tile_read_config(config);
    if (config->palette) {
        EACH_TILE(SAVE)
    }
    tile_configure(&ours);
    region->taken = 1;
}

static void give_back(ws_tile_region *region)
{
    const ws_tile_config *config = (const ws_tile_config *)(const void *)region->config;
    region->taken = 0;
    if (!config->palette) {
        tile_release();
        return;
    }
    tile_configure(config);
    EACH_TILE(RESTORE)
}

/* Nothing is configured yet: a region in which no kernel needs tiles costs nothing. */
void ws_tiles_open(ws_tile_region *region)
{
    region->taken = 0;
    region->nested = open_region != NULL;
    if (!region->nested)
        open_region = region;
}

void ws_tiles_close(ws_tile_region *region)
{
    if (region->nested)
        return;
    open_region = NULL;
    if (region->taken)
        give_back(region);
}

/* Outside of a region a kernel configures for itself. */
void ws_tiles_begin(ws_tile_region *own)
{
    own->taken = 0;
    if (!open_region)
        take(own);
    else if (!open_region->taken)
        take(open_region);
}

void ws_tiles_end(ws_tile_region *own)
{
    if (own->taken)
        give_back(own);
}

#ifdef WS_TILE_MODEL

static _Thread_local ws_tile_file model;

ws_tile_file *ws_tile_model(void)
{
    return &model;
}

int ws_tiles_present(int processor_has)
{
    (void)processor_has;
    return 1;
}

/* A request that every system grants, through the same call. */
int ws_tiles_request(void)
{
    const long get_fs = 0x1003;
    unsigned long fs;
    return syscall(SYS_arch_prctl, get_fs, &fs) ? errno : 0;
}

const char *ws_tiles_name(void)
{
    return "C model";
}

#else

int ws_tiles_present(int processor_has)
{
    return processor_has;
}

int ws_tiles_request(void)
{
    const long request = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM */
    return syscall(SYS_arch_prctl, request, tile_data) ? errno : 0;
}

const char *ws_tiles_name(void)
{
    return "AMX";
}

#endif
#endif
