/* pipeline/segment/embedding.c - embeddings in memory and in files. */
#include "pipeline/segment/embedding.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "weights/export/safetensors_writer.h"
#include "weights/import/source.h"

enum { MAX_GRID = 1024, MAX_CHANNELS = 65536, MAX_SIDE = 16384 };

wsam_status ws_embedding_new(const wsam_transform *transform, const char *model_id, int grid,
                             int channels, wsam_embedding **out, wsam_error *error)
{
    static atomic_uint count;
    wsam_embedding *e = calloc(1, sizeof *e);
    *out = NULL;
    if (e)
        e->data = ws_alloc64((size_t)grid * (size_t)grid * (size_t)channels * sizeof *e->data);
    if (!e || !e->data) {
        free(e);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for an embedding");
    }
    e->transform = *transform;
    e->grid = grid;
    e->channels = channels;
    do
        e->serial = atomic_fetch_add(&count, 1) + 1;
    while (!e->serial);
    snprintf(e->model_id, sizeof e->model_id, "%s", model_id);
    *out = e;
    return WSAM_OK;
}

void wsam_embedding_free(wsam_embedding *e)
{
    if (!e)
        return;
    free(e->data);
    free(e);
}

const float *wsam_embedding_data(const wsam_embedding *e, int *grid, int *channels)
{
    *grid = e->grid;
    *channels = e->channels;
    return e->data;
}

const wsam_transform *wsam_embedding_transform(const wsam_embedding *e)
{
    return &e->transform;
}

const char *wsam_embedding_model(const wsam_embedding *e)
{
    return e->model_id;
}

/* [rows][columns] -> [columns][rows] */
static void transpose(const float *from, size_t rows, size_t columns, float *to)
{
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < rows; r++)
            *to++ = from[r * columns + c];
}

wsam_status wsam_embedding_save(const wsam_embedding *e, const char *path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const size_t tokens = (size_t)e->grid * (size_t)e->grid, channels = (size_t)e->channels;
    const int dims[3] = {e->channels, e->grid, e->grid};
    ws_tensors t = {0};
    float *planes = malloc(tokens * channels * sizeof *planes);
    if (!planes)
        return ws_no_memory(error, path);
    transpose(e->data, tokens, channels, planes);
    ws_tensors_note(&t, "model_id", e->model_id);
    ws_tensors_note_int(&t, "height", e->transform.height);
    ws_tensors_note_int(&t, "width", e->transform.width);
    ws_tensors_note_int(&t, "content_height", e->transform.content_height);
    ws_tensors_note_int(&t, "content_width", e->transform.content_width);
    ws_tensors_note_int(&t, "size", e->transform.size);
    ws_tensors_add(&t, "embedding", 3, dims, planes);
    const wsam_status status = ws_tensors_save(&t, path, error);
    free(planes);
    return status;
}

/* ---- reading ---- */

static wsam_status read_side(const ws_source *s, const char *key, int max, int *out,
                             wsam_error *error)
{
    const char *text = ws_source_note_value(s, key);
    char *end = NULL;
    const long value = text ? strtol(text, &end, 10) : 0;
    if (!text || !*text || *end || value < 1 || value > max)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: not an embedding: '%s' is missing or bad",
                       s->path, key);
    *out = (int)value;
    return WSAM_OK;
}

static wsam_status read_notes(const ws_source *s, wsam_transform *t, wsam_error *error)
{
    wsam_status status;
    if ((status = read_side(s, "height", 65535, &t->height, error)) ||
        (status = read_side(s, "width", 65535, &t->width, error)) ||
        (status = read_side(s, "size", MAX_SIDE, &t->size, error)) ||
        (status = read_side(s, "content_height", t->size, &t->content_height, error)))
        return status;
    return read_side(s, "content_width", t->size, &t->content_width, error);
}

static wsam_status read_embedding(const ws_source *s, wsam_embedding **out, wsam_error *error)
{
    const ws_source_tensor *t = ws_source_find(s, "embedding");
    const char *id = ws_source_note_value(s, "model_id");
    wsam_transform transform = {0};
    if (!t || !id || t->rank != 3 || t->dims[1] != t->dims[2] || t->dims[1] > MAX_GRID ||
        t->dims[0] > MAX_CHANNELS || t->dims[0] < 1 || t->dims[1] < 1)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: not an embedding: no tensor 'embedding' [C,g,g] "
                       "with 'model_id'",
                       s->path);
    wsam_status status = read_notes(s, &transform, error);
    if (status)
        return status;
    const size_t n = (size_t)ws_source_elements(t);
    float *planes = malloc(n * sizeof *planes);
    if (!planes)
        return ws_no_memory(error, s->path);
    status = ws_source_read(s, t, planes, error);
    if (!status)
        status = ws_source_check_finite(s, planes, n, error);
    if (!status)
        status = ws_embedding_new(&transform, id, (int)t->dims[1], (int)t->dims[0], out, error);
    if (!status) {
        transpose(planes, t->dims[0], n / t->dims[0], (*out)->data);
        snprintf((*out)->source, sizeof(*out)->source, "%s", s->path);
    }
    free(planes);
    return status;
}

wsam_status wsam_embedding_load(const char *path, wsam_embedding **embedding, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_source *s;
    *embedding = NULL;
    wsam_status status = ws_source_open(path, &s, error);
    if (status)
        return status;
    status = read_embedding(s, embedding, error);
    ws_source_close(s);
    return status;
}
