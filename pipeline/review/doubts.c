/* pipeline/review/doubts.c - see doubts.h. */
#include "pipeline/review/doubts.h"
#include "base/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/coco/box_overlap.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/train/features.h"

/* Pseudo labels of the stages and of both heads of --learn. */
static const char *const scorers[] = {"pgt.json", "learn/pgt.json", "learn/boxes.json"};

static char *path_in(const ws_review_session *s, const char *name)
{
    const size_t size = strlen(s->options->output) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", s->options->output, name);
    return path;
}

static int same_object(const ws_review_session *s, const wsam_instance *a,
                       const wsam_coco_document *d, const wsam_instance *b)
{
    return strcmp(s->classes[a->class_index], d->class_names[b->class_index]) == 0 &&
           ws_box_overlap_iou(a->bbox, b->bbox) >= 0.5;
}

/* Objects of the session that a scorer lacks, and the other way round. */
static size_t count_apart(const ws_review_session *s, const ws_review_image *image,
                          const wsam_coco_document *d, size_t at)
{
    size_t apart = 0;
    for (size_t i = 0; i < image->n; i++) {
        int met = image->objects[i].a.reviewed != WSAM_REVIEWED_NO;
        for (size_t k = d->first[at]; k < d->first[at + 1] && !met; k++)
            met = same_object(s, &image->objects[i].a, d, &d->instances.items[k]);
        apart += !met;
    }
    for (size_t k = d->first[at]; k < d->first[at + 1]; k++) {
        int met = d->instances.items[k].reviewed != WSAM_REVIEWED_NO;
        for (size_t i = 0; i < image->n && !met; i++)
            met = same_object(s, &image->objects[i].a, d, &d->instances.items[k]);
        apart += !met;
    }
    return apart;
}

static wsam_status compare(const ws_review_session *s, const char *path, ws_doubts *out,
                           wsam_error *error)
{
    wsam_coco_document *d = NULL;
    ws_name_index names;
    wsam_status status = wsam_coco_load(path, NULL, &d, error);
    if (status)
        return status;
    status = ws_image_names_make(&names, d->file_names, d->n_images, error);
    for (size_t i = 0; i < s->n_images && !status; i++) {
        const size_t at = ws_image_names_find(&names, s->images[i].name);
        if (at != SIZE_MAX)
            out->disagreement[i] += (double)count_apart(s, &s->images[i], d, at);
    }
    ws_image_names_free(&names);
    wsam_coco_free(d);
    return status;
}

/* The mean of an image's maps, less the mean of all images, as a direction. */
static void sign(const wsam_features *f, size_t at, float *values, float *out)
{
    ws_pool_map maps[WSAM_FEATURE_SOURCES];
    ws_features_maps(f, at, values, maps);
    for (size_t m = 0; m < f->n_sources; m++) {
        const size_t cells = (size_t)maps[m].height * (size_t)maps[m].width;
        const size_t n = (size_t)maps[m].channels;
        for (size_t c = 0; c < cells; c++)
            for (size_t k = 0; k < n; k++)
                out[k] += maps[m].values[c * n + k] / (float)cells;
        out += n;
    }
}

static void centre(ws_doubts *d, size_t n)
{
    for (size_t k = 0; k < d->n_values; k++) {
        float mean = 0;
        for (size_t i = 0; i < n; i++)
            mean += d->signatures[i * d->n_values + k] / (float)n;
        for (size_t i = 0; i < n; i++)
            d->signatures[i * d->n_values + k] -= mean;
    }
    for (size_t i = 0; i < n; i++) {
        float *v = d->signatures + i * d->n_values, sum = 0;
        for (size_t k = 0; k < d->n_values; k++)
            sum += v[k] * v[k];
        for (size_t k = 0; k < d->n_values && sum > 0; k++)
            v[k] /= sqrtf(sum);
    }
}

static wsam_status look_at_features(const ws_review_session *s, const char *path, ws_doubts *d,
                                    wsam_error *error)
{
    wsam_features *f = NULL;
    const wsam_status status = wsam_features_open(path, &f, error);
    if (status)
        return status;
    float *values = malloc(ws_features_room(f) * sizeof *values);
    d->n_values = f->components;
    d->signatures = calloc(s->n_images * d->n_values + 1, sizeof *d->signatures);
    for (size_t i = 0; i < s->n_images && values && d->signatures; i++) {
        const size_t at = wsam_features_find(f, s->images[i].name);
        if (at != SIZE_MAX)
            sign(f, at, values, d->signatures + i * d->n_values);
    }
    const int missing = !values || !d->signatures;
    if (!missing)
        centre(d, s->n_images);
    free(values);
    wsam_features_close(f);
    return missing ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review") : WSAM_OK;
}

wsam_status ws_doubts_load(const ws_review_session *s, ws_doubts *d, wsam_error *error)
{
    *d = (ws_doubts){.disagreement = calloc(s->n_images + 1, sizeof *d->disagreement)};
    wsam_status status =
        d->disagreement ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    const size_t n = sizeof scorers / sizeof scorers[0];
    for (size_t i = 0; i <= n && !status; i++) {
        char *path = path_in(s, i < n ? scorers[i] : "learn/features");
        int there = 0;
        status = path ? ws_file_there(path, &there, error)
                      : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
        if (!status && there)
            status = i < n ? compare(s, path, d, error) : look_at_features(s, path, d, error);
        free(path);
    }
    return status;
}

void ws_doubts_free(ws_doubts *d)
{
    free(d->disagreement);
    free(d->signatures);
    *d = (ws_doubts){0};
}

/* Frames of a film, and shots of a burst, are above 0.95; images of one kind of scene are not. */
int ws_doubts_alike(const ws_doubts *d, size_t a, size_t b)
{
    const float *x = d->signatures + a * d->n_values, *y = d->signatures + b * d->n_values;
    float sum = 0;
    for (size_t k = 0; k < d->n_values; k++)
        sum += x[k] * y[k];
    return sum > 0.95f;
}
