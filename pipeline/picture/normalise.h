/* pipeline/picture/normalise.h - pixels of a picture as a network's input of the same size. */
#ifndef WS_PIPELINE_PICTURE_NORMALISE_H
#define WS_PIPELINE_PICTURE_NORMALISE_H

#include "base/error.h"
#include "weaksam/picture.h"

/* The normalised value of every byte, per channel. */
typedef struct ws_pixel_table {
    float value[3][256];
} ws_pixel_table;

/* From the model's picture.unit, picture.mean and picture.std. */
wsam_status ws_normalise_table_read(const wsam_model *model, ws_pixel_table *table,
                                    wsam_error *error);

/* out [height][out_width][3], of which the first `width` pixels of a row are written; grey pictures
 * give three equal channels. */
void ws_normalise(const ws_pixel_table *table, const wsam_picture *picture, int mirrored,
                  int threads, float *out, int out_width);

#endif
