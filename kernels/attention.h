/* kernels/attention.h - what the attention family's files share. */
#ifndef WS_KERNELS_ATTENTION_H
#define WS_KERNELS_ATTENTION_H

#include "base/error.h"
#include "weaksam/kernels.h"

/* One window (or the whole grid): its real tokens, row-major inside a grid that is grid_w wide. */
typedef struct ws_attention_block {
    int y0, x0;         /* first token */
    int h, w;           /* real tokens */
    int side_h, side_w; /* with the padding: the window, or the grid */
} ws_attention_block;

static inline int ws_windows_across(int n, int window)
{
    return window ? (n + window - 1) / window : 1;
}

static inline int ws_window_count(const wsam_attention_shape *s)
{
    return ws_windows_across(s->q_h, s->window) * ws_windows_across(s->q_w, s->window);
}

/* Window number i in row-major order; the whole grid when there are no windows. */
static inline ws_attention_block ws_window(const wsam_attention_shape *s, int i)
{
    ws_attention_block b = {0, 0, s->q_h, s->q_w, s->q_h, s->q_w};
    if (s->window) {
        const int across = ws_windows_across(s->q_w, s->window);
        b.y0 = i / across * s->window;
        b.x0 = i % across * s->window;
        b.h = s->q_h - b.y0 < s->window ? s->q_h - b.y0 : s->window;
        b.w = s->q_w - b.x0 < s->window ? s->q_w - b.x0 : s->window;
        b.side_h = b.side_w = s->window;
    }
    return b;
}

/* Grid sides that relative positions refer to. */
static inline int ws_bias_h(const wsam_attention_shape *s)
{
    return s->window ? s->window : s->q_h;
}

static inline int ws_bias_w(const wsam_attention_shape *s)
{
    return s->window ? s->window : s->q_w;
}

#if defined(__x86_64__)
void ws_attention_init_avx2(wsam_kernels *table);
void ws_attention_init_avx512(wsam_kernels *table);
void ws_attention_init_avx512bf16(wsam_kernels *table);
void ws_attention_init_amx(wsam_kernels *table);
#elif defined(__aarch64__)
void ws_attention_init_neon(wsam_kernels *table);
void ws_attention_init_i8mm(wsam_kernels *table);
#endif

#endif
