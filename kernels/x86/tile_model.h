/* kernels/x86/tile_model.h - the tile operations in plain C, for tests on machines without AMX: the
 * kernels' own sources compile with it in place of the instructions. It follows the instructions'
 * description: sizes come from the configuration, an operation without one ends the program as the
 * processor would, and bf16 products keep the two chains and the order of tdpbf16ps. Denormals are
 * the control word's, which the runtime sets as the instruction has it. */
#ifndef WS_KERNELS_X86_TILE_MODEL_H
#define WS_KERNELS_X86_TILE_MODEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct ws_tile_file {
    ws_tile_config config;
    uint8_t tile[WS_TILES][WS_TILE_ROWS][WS_TILE_BYTES];
} ws_tile_file;

/* The calling thread's registers. */
ws_tile_file *ws_tile_model(void);

static inline void tile_configure(const ws_tile_config *config)
{
    memset(ws_tile_model(), 0, sizeof(ws_tile_file));
    if (config->palette)
        ws_tile_model()->config = *config;
}

static inline void tile_read_config(ws_tile_config *config)
{
    *config = ws_tile_model()->config;
}

static inline void tile_release(void)
{
    memset(ws_tile_model(), 0, sizeof(ws_tile_file));
}

static inline ws_tile_file *model_of(int t, const char *operation)
{
    ws_tile_file *f = ws_tile_model();
    if (f->config.palette == 1 && f->config.rows[t] && f->config.row_bytes[t])
        return f;
    fprintf(stderr, "%s of tile %d, which is not configured\n", operation, t);
    abort();
}

static inline void tile_zero(int t)
{
    memset(model_of(t, "tilezero")->tile[t], 0, sizeof(ws_tile_model()->tile[t]));
}

static inline void tile_load(int t, const void *from, size_t stride)
{
    ws_tile_file *f = model_of(t, "tileloadd");
    memset(f->tile[t], 0, sizeof f->tile[t]);
    for (size_t i = 0; i < f->config.rows[t]; i++)
        memcpy(f->tile[t][i], (const char *)from + i * stride, f->config.row_bytes[t]);
}

static inline void tile_load_once(int t, const void *from, size_t stride)
{
    tile_load(t, from, stride);
}

static inline void tile_store(int t, void *to, size_t stride)
{
    const ws_tile_file *f = model_of(t, "tilestored");
    for (size_t i = 0; i < f->config.rows[t]; i++)
        memcpy((char *)to + i * stride, f->tile[t][i], f->config.row_bytes[t]);
}

static inline void tile_dot_s8(int sum, int a, int b)
{
    ws_tile_file *f = model_of(sum, "tdpbssd");
    for (size_t i = 0; i < f->config.rows[sum]; i++) {
        int32_t row[WS_TILE_BYTES / 4];
        const int8_t *x = (const int8_t *)model_of(a, "tdpbssd")->tile[a][i];
        memcpy(row, f->tile[sum][i], sizeof row);
        for (size_t k = 0; k < f->config.row_bytes[a] / 4u; k++) {
            const int8_t *y = (const int8_t *)model_of(b, "tdpbssd")->tile[b][k];
            for (size_t j = 0; j < f->config.row_bytes[sum] / 4u; j++)
                for (size_t q = 0; q < 4; q++)
                    row[j] += x[4 * k + q] * y[4 * j + q];
        }
        memcpy(f->tile[sum][i], row, sizeof row);
    }
}

static inline float model_bf16(const uint8_t *p)
{
    const uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 24;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline void tile_dot_bf16(int sum, int a, int b)
{
    ws_tile_file *f = model_of(sum, "tdpbf16ps");
    for (size_t i = 0; i < f->config.rows[sum]; i++) {
        float row[WS_TILE_BYTES / 4], even[WS_TILE_BYTES / 4] = {0}, odd[WS_TILE_BYTES / 4] = {0};
        const uint8_t *x = model_of(a, "tdpbf16ps")->tile[a][i];
        memcpy(row, f->tile[sum][i], sizeof row);
        for (size_t k = 0; k < f->config.row_bytes[a] / 4u; k++) {
            const uint8_t *y = model_of(b, "tdpbf16ps")->tile[b][k];
            const float x0 = model_bf16(x + 4 * k), x1 = model_bf16(x + 4 * k + 2);
            for (size_t j = 0; j < f->config.row_bytes[sum] / 4u; j++) {
                even[j] = __builtin_fmaf(x0, model_bf16(y + 4 * j), even[j]);
                odd[j] = __builtin_fmaf(x1, model_bf16(y + 4 * j + 2), odd[j]);
            }
        }
        for (size_t j = 0; j < f->config.row_bytes[sum] / 4u; j++)
            row[j] += even[j] + odd[j];
        memcpy(f->tile[sum][i], row, sizeof row);
    }
}

#endif
