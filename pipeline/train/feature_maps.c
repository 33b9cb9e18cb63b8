/* pipeline/train/feature_maps.c - the maps of one picture in a file: what the stages leave for the
 * cache. A header, a record per map, and the values of all, fp16. Little-endian. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/half.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/train/features.h"

#define MAGIC "WSMAPS1\n"

typedef struct maps_header {
    char magic[8];
    uint32_t n, width, height, zero;
} maps_header;

typedef struct map_record {
    char source[WS_SOURCE_LABEL];
    uint32_t height, width, channels;
    float scale_x, scale_y;
} map_record;

void wsam_embedding_map(const wsam_embedding *embedding, wsam_feature_map *map)
{
    int grid, channels;
    const float *values = wsam_embedding_data(embedding, &grid, &channels);
    const wsam_transform *t = wsam_embedding_transform(embedding);
    const int cell = t->size / grid;
    *map = (wsam_feature_map){.source = "sam",
                              .height = (t->content_height + cell - 1) / cell,
                              .width = (t->content_width + cell - 1) / cell,
                              .channels = channels,
                              .row = (size_t)grid * (size_t)channels,
                              .scale_x = (float)t->content_width / (float)t->width / (float)cell,
                              .scale_y = (float)t->content_height / (float)t->height / (float)cell,
                              .values = values};
}

void wsam_clues_map(const wsam_clues_result *result, wsam_feature_map *map)
{
    *map = (wsam_feature_map){.source = "clues",
                              .height = result->token_height,
                              .width = result->token_width,
                              .channels = result->token_channels,
                              .row = (size_t)result->token_width * (size_t)result->token_channels,
                              .scale_x = result->token_scale_x,
                              .scale_y = result->token_scale_y,
                              .values = result->tokens};
}

/* ---- writing ---- */

static wsam_status put_values(FILE *f, const wsam_feature_map *m, wsam_error *error)
{
    const size_t row = (size_t)m->width * (size_t)m->channels;
    uint16_t *halves = malloc((row + 1) * sizeof *halves);
    if (!halves)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a map");
    for (int y = 0; y < m->height; y++) {
        for (size_t i = 0; i < row; i++)
            halves[i] = ws_half_from_float(m->values[(size_t)y * m->row + i]);
        fwrite(halves, sizeof *halves, row, f);
    }
    free(halves);
    return WSAM_OK;
}

wsam_status wsam_feature_maps_save(const char *path, int width, int height,
                                   const wsam_feature_map *maps, size_t n, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_outputs out = {0};
    maps_header h = {
        .magic = "", .n = (uint32_t)n, .width = (uint32_t)width, .height = (uint32_t)height};
    memcpy(h.magic, MAGIC, sizeof h.magic);
    if (!n || n > WSAM_FEATURE_SOURCES)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: expected 1 to %d maps", path,
                       WSAM_FEATURE_SOURCES);
    FILE *f = ws_outputs_open(&out, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    if (f)
        fwrite(&h, sizeof h, 1, f);
    for (size_t i = 0; i < n && f; i++) {
        map_record r = {.height = (uint32_t)maps[i].height,
                        .width = (uint32_t)maps[i].width,
                        .channels = (uint32_t)maps[i].channels,
                        .scale_x = maps[i].scale_x,
                        .scale_y = maps[i].scale_y};
        snprintf(r.source, sizeof r.source, "%.15s", maps[i].source);
        fwrite(&r, sizeof r, 1, f);
    }
    for (size_t i = 0; i < n && f && !status; i++)
        status = put_values(f, &maps[i], error);
    if (!status)
        status = ws_outputs_close(&out, error);
    return ws_outputs_finish(&out, status, error);
}

/* ---- reading ---- */

/* Values of all maps that the records promise; 0 where a record is absurd. */
static uint64_t promised(const map_record *records, uint32_t n)
{
    uint64_t values = 0;
    for (uint32_t i = 0; i < n; i++) {
        const map_record *r = &records[i];
        if (!r->height || !r->width || r->height > WS_MOST_SIDE || r->width > WS_MOST_SIDE ||
            r->height * r->width > WS_MOST_CELLS || !r->channels ||
            r->channels > WSAM_FEATURE_CHANNELS || r->source[WS_SOURCE_LABEL - 1] ||
            !(r->scale_x > 0.0f) || !(r->scale_y > 0.0f))
            return 0;
        values += (uint64_t)r->height * r->width * r->channels;
    }
    return values;
}

/* Header and records out of the bytes of a file, which must be just as long as they say. */
static int parse(const char *bytes, size_t size, maps_header *h, map_record *records)
{
    if (size < sizeof *h)
        return 0;
    memcpy(h, bytes, sizeof *h);
    const size_t front = sizeof *h + (size_t)h->n * sizeof *records;
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0 || !h->n || h->n > WSAM_FEATURE_SOURCES ||
        !h->width || !h->height || h->width > 1u << 30 || h->height > 1u << 30 || size < front)
        return 0;
    memcpy(records, bytes + sizeof *h, h->n * sizeof *records);
    const uint64_t values = promised(records, h->n);
    return values && size - front == 2 * values;
}

wsam_status wsam_features_add_saved(wsam_features_writer *writer, const char *image,
                                    const char *path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_stored_map maps[WSAM_FEATURE_SOURCES];
    map_record records[WSAM_FEATURE_SOURCES];
    maps_header h;
    char *bytes = NULL;
    size_t size = 0;
    wsam_status status = ws_file_read_whole(path, (uint64_t)1 << 32, &bytes, &size, error);
    if (!status && !parse(bytes, size, &h, records))
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no maps of an image, or damaged", path);
    free(bytes);
    if (status)
        return status;
    uint64_t at = sizeof h + h.n * sizeof *records;
    for (uint32_t i = 0; i < h.n; i++) {
        const map_record *r = &records[i];
        const size_t row = (size_t)r->width * r->channels;
        maps[i].map = (wsam_feature_map){.source = r->source,
                                         .height = (int)r->height,
                                         .width = (int)r->width,
                                         .channels = (int)r->channels,
                                         .row = row,
                                         .scale_x = r->scale_x,
                                         .scale_y = r->scale_y};
        maps[i].offset = at;
        at += 2 * row * r->height;
    }
    return ws_features_add_stored(writer, image, (int)h.width, (int)h.height, maps, h.n, path,
                                  error);
}

char *wsam_feature_maps_path(const char *folder, const char *image)
{
    const size_t size = strlen(folder) + 32;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%016llx.maps", folder,
                 (unsigned long long)XXH64(image, strlen(image), 0));
    return path;
}
