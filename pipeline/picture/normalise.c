/* pipeline/picture/normalise.c - see normalise.h. */
#include "pipeline/picture/normalise.h"

#include "runtime/run/threads.h"

wsam_status ws_normalise_table_read(const wsam_model *model, ws_pixel_table *table,
                                    wsam_error *error)
{
    size_t n_unit, n_mean, n_std;
    const double *unit = wsam_model_numbers(model, "picture.unit", &n_unit);
    const double *mean = wsam_model_numbers(model, "picture.mean", &n_mean);
    const double *std = wsam_model_numbers(model, "picture.std", &n_std);
    if (n_unit != 1 || n_mean != 3 || n_std != 3)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the model's picture.unit, picture.mean or picture.std is missing");
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++)
            table->value[c][v] = ((float)v / (float)*unit - (float)mean[c]) / (float)std[c];
    return WSAM_OK;
}

typedef struct job {
    const ws_pixel_table *table;
    const wsam_picture *picture;
    int mirrored;
    float *out;
    int out_width;
} job;

static void normalise_row(void *arg, int y, int worker)
{
    const job *j = arg;
    const int width = j->picture->width, channels = j->picture->channels;
    const uint8_t *from = j->picture->pixels + (size_t)y * j->picture->stride;
    float *row = j->out + (size_t)y * (size_t)j->out_width * 3;
    (void)worker;
    for (int x = 0; x < width; x++, from += channels) {
        float *to = row + 3 * (j->mirrored ? width - 1 - x : x);
        for (int c = 0; c < 3; c++)
            to[c] = j->table->value[c][from[channels == 3 ? c : 0]];
    }
}

void ws_normalise(const ws_pixel_table *table, const wsam_picture *picture, int mirrored,
                  int threads, float *out, int out_width)
{
    job j = {table, picture, mirrored, out, out_width};
    ws_parallel_for(threads, picture->height, normalise_row, &j);
}
