/* weights/calibration.c - see calibration.h. */
#include "weights/calibration.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

const ws_channel_range *ws_calibration_find(const wsam_calibration *c, const char *norm,
                                            size_t channels)
{
    for (size_t i = 0; c && i < c->n; i++)
        if (strcmp(c->norms[i].norm, norm) == 0)
            return c->norms[i].channels == channels ? &c->norms[i] : NULL;
    return NULL;
}

static ws_channel_range *new_range(wsam_calibration *c, const char *norm, size_t channels)
{
    ws_channel_range *norms = ws_grow(c->norms, c->n, &c->capacity, sizeof *norms);
    if (!norms)
        return NULL;
    c->norms = norms;
    ws_channel_range *r = &c->norms[c->n];
    memset(r, 0, sizeof *r);
    if (strlen(norm) > WS_CAP_NAME)
        return NULL;
    strcpy(r->norm, norm);
    r->channels = channels;
    r->largest = calloc(channels, sizeof *r->largest);
    r->square = calloc(channels, sizeof *r->square);
    if (!r->largest || !r->square) {
        free(r->largest);
        free(r->square);
        return NULL;
    }
    c->n++;
    return r;
}

wsam_status ws_calibration_add(wsam_calibration *c, const char *norm, const float *values,
                               size_t rows, size_t channels, wsam_error *error)
{
    ws_channel_range *r = NULL;
    for (size_t i = 0; i < c->n && !r; i++)
        if (strcmp(c->norms[i].norm, norm) == 0)
            r = &c->norms[i];
    if (!r)
        r = new_range(c, norm, channels);
    if (!r)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory to calibrate '%s'", norm);
    if (r->channels != channels)
        return ws_fail(error, WSAM_ERR_MISMATCH, "'%s' has rows of %zu and of %zu channels", norm,
                       r->channels, channels);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < channels; j++) {
            const float v = values[i * channels + j];
            r->largest[j] = fmaxf(r->largest[j], fabsf(v));
            r->square[j] += (double)v * (double)v;
        }
    r->rows += rows;
    return WSAM_OK;
}

void wsam_calibration_free(wsam_calibration *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n; i++) {
        free(c->norms[i].largest);
        free(c->norms[i].square);
    }
    free(c->norms);
    free(c);
}
