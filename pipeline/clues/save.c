/* pipeline/clues/save.c - clue maps for programs (safetensors) and for people (heat maps). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/clues/clues.h"
#include "pipeline/picture/picture.h"
#include "weights/export/safetensors_writer.h"

static void add_maps(ws_tensors *t, const wsam_clues *c, const char *kind,
                     const wsam_clue_map *maps, size_t n)
{
    char name[WSAM_CLUES_NAME + 16];
    for (size_t k = 0; maps && k < n; k++) {
        const int dims[2] = {maps[k].height, maps[k].width};
        snprintf(name, sizeof name, "%s.%s", kind, c->names[maps[k].class_index]);
        ws_tensors_add(t, name, 2, dims, maps[k].values);
    }
}

wsam_status wsam_clues_save_tensors(const wsam_clues *c, const wsam_clues_result *r,
                                    const char *path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char name[WSAM_CLUES_NAME + 16];
    ws_tensors t = {0};
    const int classes = (int)r->n_classes;
    ws_tensors_note_int(&t, "height", r->height);
    ws_tensors_note_int(&t, "width", r->width);
    ws_tensors_add(&t, "logits", 1, &classes, r->logits);
    add_maps(&t, c, "coarse", r->coarse, r->n);
    add_maps(&t, c, "fine", r->fine, r->n);
    for (size_t k = 0; r->cross && k < r->n; k++) {
        const wsam_clue_map *first = &r->cross[k * r->n_cross];
        const int dims[3] = {(int)r->n_cross, first->height, first->width};
        snprintf(name, sizeof name, "cross.%s", c->names[first->class_index]);
        ws_tensors_add(&t, name, 3, dims, first->values); /* a class's maps follow each other */
    }
    return ws_tensors_save(&t, path, error);
}

/* Blue, cyan, green, yellow, red: five colours with straight lines between. */
static void colour_of(float value, float rgb[3])
{
    static const float stops[5][3] = {
        {0, 0, 160}, {0, 160, 255}, {0, 220, 60}, {255, 220, 0}, {255, 0, 0}};
    const float at = value > 0.0f ? (value < 1.0f ? value * 4.0f : 4.0f) : 0.0f;
    const int i = at < 3.0f ? (int)at : 3;
    const float t = at - (float)i;
    for (int c = 0; c < 3; c++)
        rgb[c] = stops[i][c] + t * (stops[i + 1][c] - stops[i][c]);
}

wsam_status wsam_clues_heat(const wsam_clue_map *map, const wsam_picture *picture,
                            wsam_picture *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    uint8_t *to;
    wsam_status status = ws_picture_valid(picture, error);
    if (!status && (map->height != picture->height || map->width != picture->width))
        status = ws_fail(error, WSAM_ERR_MISMATCH, "a map of %d x %d for an image of %d x %d",
                         map->width, map->height, picture->width, picture->height);
    if (!status)
        status = ws_picture_new(picture->height, picture->width, out, &to, error);
    if (status)
        return status;
    for (int y = 0; y < picture->height; y++) {
        const uint8_t *from = picture->pixels + (size_t)y * picture->stride;
        const float *values = map->values + (size_t)y * (size_t)map->width;
        for (int x = 0; x < picture->width; x++, from += picture->channels, to += 3) {
            const float grey =
                picture->channels == 3
                    ? 0.299f * (float)from[0] + 0.587f * (float)from[1] + 0.114f * (float)from[2]
                    : (float)from[0];
            float rgb[3];
            colour_of(values[x], rgb);
            for (int c = 0; c < 3; c++)
                to[c] = (uint8_t)(0.5f * grey + 0.5f * rgb[c] + 0.5f);
        }
    }
    return WSAM_OK;
}
