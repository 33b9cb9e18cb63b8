/* kernels/template/gemm_places.h - where prepared rows stand. Included by gemm_rows_<level>.h after
 * `enum { WS_CHUNK }`, the words of a vector.
 *
 * Prepared rows stand in tiles of h rows (ws_tiles). Inside a tile the 32-bit words of k (one f32,
 * two bf16 or four s8 values) run in chunks of a vector: [chunk][h][WS_CHUNK]. A row writes whole
 * vectors, without a transposition, and the tile's loop reads one stream with one pointer. */
#include "kernels/gemm.h"

/* Words of a prepared row, for `values` values of k per word. */
static inline size_t ws_row_words(size_t k, size_t values)
{
    return ws_groups(ws_groups(k, values), WS_CHUNK) * WS_CHUNK;
}

/* Where a prepared row goes: chunk c at to + c * step words. */
typedef struct ws_row_place {
    void *to;
    size_t step;
    int32_t *prepared;
    size_t m, tiles, words; /* rows, tiles, words of a row */
    size_t tile, row, end;  /* the current tile and row; one past the tile's last row */
} ws_row_place;

static inline void ws_open_tile(ws_row_place *place)
{
    place->end = ws_tile_start(place->m, place->tiles, place->tile + 1);
    place->to = place->prepared + place->row * place->words;
    place->step = (place->end - place->row) * WS_CHUNK;
}

static inline ws_row_place ws_first_place(void *prepared, size_t m, size_t mr, size_t words)
{
    ws_row_place place = {.prepared = prepared, .m = m, .tiles = ws_tiles(m, mr), .words = words};
    ws_open_tile(&place);
    return place;
}

/* The place of row i. */
static inline ws_row_place ws_place_of(void *prepared, size_t m, size_t mr, size_t words, size_t i)
{
    ws_row_place place = {.prepared = prepared, .m = m, .tiles = ws_tiles(m, mr), .words = words};
    while (ws_tile_start(m, place.tiles, place.tile + 1) <= i)
        place.tile++;
    place.row = ws_tile_start(m, place.tiles, place.tile);
    ws_open_tile(&place);
    place.to = (int32_t *)place.to + (i - place.row) * WS_CHUNK;
    return place;
}

static inline void ws_next_place(ws_row_place *place)
{
    place->to = (int32_t *)place->to + WS_CHUNK;
    if (++place->row == place->end && place->row < place->m) {
        place->tile++;
        ws_open_tile(place);
    }
}
