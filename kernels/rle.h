/* kernels/rle.h - writing run lengths. */
#ifndef WS_KERNELS_RLE_H
#define WS_KERNELS_RLE_H

#include "weaksam/masks.h"

/* Collects runs of any length, joins equal neighbours and counts what does not fit the buffer. */
typedef struct ws_run_writer {
    wsam_rle *rle;
    uint64_t run;
    int value;
} ws_run_writer;

/* Runs begin with zeros, which may be none. */
static inline ws_run_writer ws_runs_begin(wsam_rle *rle)
{
    rle->n = 0;
    return (ws_run_writer){.rle = rle};
}

/* Beyond the capacity only the count goes on: a second call knows what it takes. */
static inline void ws_runs_push(wsam_rle *rle, uint64_t run)
{
    if (rle->n < rle->capacity)
        rle->counts[rle->n] = (uint32_t)run;
    rle->n++;
}

static inline void ws_runs_put(ws_run_writer *w, int value, uint64_t length)
{
    if (!length)
        return;
    if (value != w->value) {
        ws_runs_push(w->rle, w->run);
        w->run = 0;
        w->value = value;
    }
    w->run += length;
}

static inline wsam_status ws_runs_end(ws_run_writer *w)
{
    ws_runs_push(w->rle, w->run);
    return w->rle->n > w->rle->capacity ? WSAM_ERR_LIMIT : WSAM_OK;
}

/* In 64 bits: height x width may be up to 2^32 - 1. */
static inline uint64_t ws_rle_pixels(const wsam_rle *rle)
{
    return (uint64_t)rle->height * (uint64_t)rle->width;
}

#endif
