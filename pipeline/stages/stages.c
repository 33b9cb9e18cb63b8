/* pipeline/stages/stages.c - small things that the stages share. */
#include "pipeline/stages/stages.h"
#include "base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *wsam_source_name(wsam_source source)
{
    static const char *const names[WSAM_SOURCES] = {"grid", "coarse", "fine", "class", "cross"};
    return (unsigned)source < WSAM_SOURCES ? names[source] : NULL;
}

/* ---- run lengths ---- */

int ws_counts_text(const wsam_rle *rle, char **text, size_t *length)
{
    *length = wsam_rle_to_string(rle, NULL, 0);
    *text = malloc(*length + 1);
    if (!*text)
        return 0;
    wsam_rle_to_string(rle, *text, *length);
    (*text)[*length] = 0;
    return 1;
}

wsam_status ws_counts_rle(const char *text, size_t length, int height, int width, wsam_rle *rle,
                          wsam_error *error)
{
    *rle = (wsam_rle){.height = height, .width = width, .capacity = length + 1};
    rle->counts = malloc(rle->capacity * sizeof *rle->counts);
    if (!rle->counts)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for run lengths");
    return wsam_rle_from_string(text, length, rle, error);
}

void ws_put_counts(ws_text *t, int height, int width, const char *counts, size_t length)
{
    ws_text_printf(t, ",\"segmentation\":{\"size\":[%d,%d],\"counts\":", height, width);
    ws_json_bytes(t, counts, length);
    ws_text_put(t, "}", 1);
}

/* ---- numbers ---- */

void ws_put_float(ws_text *t, const char *name, double value)
{
    if (isfinite(value))
        ws_text_printf(t, ",\"%s\":%.9g", name, value);
    else
        ws_text_printf(t, ",\"%s\":null", name);
}

float ws_inclusive_iou(const float *a, const float *b)
{
    const float x0 = a[0] > b[0] ? a[0] : b[0], y0 = a[1] > b[1] ? a[1] : b[1];
    const float x1 = a[2] < b[2] ? a[2] : b[2], y1 = a[3] < b[3] ? a[3] : b[3];
    const float w = x1 - x0 + 1, h = y1 - y0 + 1;
    if (w <= 0 || h <= 0)
        return 0;
    const float area_a = (a[2] - a[0] + 1) * (a[3] - a[1] + 1);
    const float area_b = (b[2] - b[0] + 1) * (b[3] - b[1] + 1);
    return w * h / (area_a + area_b - w * h);
}

/* ---- instances ---- */

/* A raw score that is not above 0 has a score that is not, either. */
double wsam_instance_evidence(const wsam_instance *a)
{
    return a->raw_score > 0 ? a->raw_score : a->score;
}

void wsam_instances_clear(wsam_instances *instances)
{
    if (!instances)
        return;
    for (size_t i = 0; instances->items && i < instances->n; i++) {
        free(instances->items[i].counts);
        free(instances->items[i].json);
    }
    free(instances->items);
    *instances = (wsam_instances){0};
}

int ws_instance_copy(const wsam_instance *from, wsam_instance *to)
{
    *to = *from;
    to->counts = from->counts ? malloc(from->counts_length + 1) : NULL;
    to->json = from->json ? strdup(from->json) : NULL;
    if (to->counts)
        memcpy(to->counts, from->counts, from->counts_length + 1);
    return (to->counts || !from->counts) && (to->json || !from->json);
}

void wsam_proposals_free(wsam_proposals *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->items && i < p->n; i++)
        free(p->items[i].counts);
    free(p->items);
    free(p->image);
    free(p);
}

void wsam_clue_points_free(wsam_clue_points *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->classes && i < p->n_classes; i++)
        free(p->classes[i]);
    free(p->classes);
    free(p->logits);
    free(p->points);
    free(p->image);
    free(p);
}
