/* pipeline/train/features_read.c - a cache opened, and boxes pooled from it. See features.h. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/error.h"
#include "base/half.h"
#include "kernels/float_scope.h"
#include "pipeline/train/features.h"

/* A part of the file that is read from its front. */
typedef struct cursor {
    const unsigned char *at;
    size_t left;
    int short_of; /* something was missing */
} cursor;

static void take(cursor *c, void *to, size_t n)
{
    if (n > c->left) {
        c->short_of = 1;
        memset(to, 0, n);
        return;
    }
    memcpy(to, c->at, n);
    c->at += n;
    c->left -= n;
}

static uint32_t take_u32(cursor *c)
{
    uint32_t v;
    take(c, &v, sizeof v);
    return v;
}

static wsam_status damaged(const char *path, const char *what, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT, "%s: no feature cache, or damaged (%s)", path, what);
}

static wsam_status map_file(wsam_features *f, const char *path, wsam_error *error)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* no wait for a pipe */
    if (fd < 0 || fstat(fd, &st)) {
        const int why = errno;
        if (fd >= 0)
            close(fd);
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(why));
    }
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(ws_features_header)) {
        close(fd);
        return damaged(path, "too short", error);
    }
    f->size = (size_t)st.st_size;
    void *bytes = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
    const int why = errno;
    close(fd);
    if (bytes == MAP_FAILED)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(why));
    f->bytes = bytes;
    return WSAM_OK;
}

static int inside(const wsam_features *f, uint64_t offset, uint64_t size)
{
    return offset <= f->size && size <= f->size - offset;
}

static wsam_status read_sources(wsam_features *f, cursor c, int version, const char *path,
                                wsam_error *error)
{
    for (size_t i = 0; i < f->n_sources; i++) {
        ws_reduction *s = &f->sources[i];
        take(&c, s->name, sizeof s->name);
        s->channels = take_u32(&c);
        s->components = take_u32(&c);
        s->max_side = version > 1 ? take_u32(&c) : 0;
        if (c.short_of || s->name[WS_SOURCE_LABEL - 1] || s->channels > WSAM_FEATURE_CHANNELS ||
            !s->components || s->components > s->channels || s->max_side > 65536)
            return damaged(path, "its sources", error);
        const size_t weights = (size_t)s->channels * s->components;
        s->weight = malloc(weights * sizeof *s->weight);
        s->bias = malloc(s->components * sizeof *s->bias);
        if (!s->weight || !s->bias)
            return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its sources", path);
        take(&c, s->weight, weights * sizeof *s->weight);
        take(&c, s->bias, s->components * sizeof *s->bias);
        for (size_t k = 0; k < weights; k++)
            c.short_of |= !isfinite(s->weight[k]);
        f->components += s->components;
    }
    return c.short_of || c.left ? damaged(path, "its projections", error) : WSAM_OK;
}

static int read_map(const wsam_features *f, cursor *c, const ws_reduction *s, ws_cached_map *m)
{
    take(c, m, sizeof *m);
    const uint64_t bytes = (uint64_t)m->height * m->width * s->components * sizeof(uint16_t);
    return m->height && m->width && m->height <= WS_MOST_SIDE && m->width <= WS_MOST_SIDE &&
           m->height * m->width <= WS_MOST_CELLS && m->scale_x > 0.0f && m->scale_y > 0.0f &&
           m->offset % 2 == 0 && inside(f, m->offset, bytes);
}

static wsam_status read_index(wsam_features *f, cursor c, const char *path, wsam_error *error)
{
    for (size_t i = 0; i < f->n; i++) {
        ws_cached_picture *p = &f->pictures[i];
        const uint32_t length = take_u32(&c);
        if (c.short_of || length > 4096 || length > c.left)
            return damaged(path, "its index", error);
        p->name = calloc(length + 1, 1);
        if (!p->name)
            return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its index", path);
        take(&c, p->name, length);
        p->width = take_u32(&c);
        p->height = take_u32(&c);
        for (size_t s = 0; s < f->n_sources; s++) {
            if (!read_map(f, &c, &f->sources[s], &p->maps[s]) || c.short_of)
                return damaged(path, "a map in its index", error);
            const size_t cells = (size_t)p->maps[s].height * p->maps[s].width;
            f->most_cells = cells > f->most_cells ? cells : f->most_cells;
        }
    }
    return c.short_of || c.left ? damaged(path, "its index", error) : WSAM_OK;
}

static int by_picture_name(const void *x, const void *y)
{
    const ws_cached_picture *const *a = x, *const *b = y;
    const int order = strcmp((*a)->name, (*b)->name);
    return order ? order : (*a > *b) - (*a < *b);
}

static wsam_status sort_names(wsam_features *f, const char *path, wsam_error *error)
{
    f->by_name = malloc((f->n + 1) * sizeof *f->by_name);
    if (!f->by_name)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its index", path);
    for (size_t i = 0; i < f->n; i++)
        f->by_name[i] = &f->pictures[i];
    if (f->n)
        qsort(f->by_name, f->n, sizeof *f->by_name, by_picture_name);
    return WSAM_OK;
}

static wsam_status read_tables(wsam_features *f, const char *path, wsam_error *error)
{
    ws_features_header h;
    memcpy(&h, f->bytes, sizeof h);
    const int version = memcmp(h.magic, WS_FEATURES_MAGIC, sizeof h.magic) == 0     ? 2
                        : memcmp(h.magic, WS_FEATURES_MAGIC_1, sizeof h.magic) == 0 ? 1
                                                                                    : 0;
    if (!version || !h.n_sources || h.n_sources > WSAM_FEATURE_SOURCES ||
        !inside(f, h.index_offset, h.index_size) || !inside(f, h.sources_offset, h.sources_size) ||
        h.n_images > h.index_size / 12)
        return damaged(path, "its header", error);
    const unsigned char *bytes = f->bytes;
    const cursor index = {bytes + h.index_offset, (size_t)h.index_size, 0};
    const cursor sources = {bytes + h.sources_offset, (size_t)h.sources_size, 0};
    f->hash = XXH3_64bits(index.at, index.left) ^ XXH3_64bits(sources.at, sources.left);
    if (f->hash != h.hash)
        return damaged(path, "its checksum", error);
    f->n_sources = h.n_sources;
    f->n = (size_t)h.n_images;
    f->pictures = calloc(f->n + 1, sizeof *f->pictures);
    if (!f->pictures)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its index", path);
    wsam_status status = read_sources(f, sources, version, path, error);
    if (!status)
        status = read_index(f, index, path, error);
    return status ? status : sort_names(f, path, error);
}

wsam_status wsam_features_open(const char *path, wsam_features **features, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_features *f = calloc(1, sizeof *f);
    *features = NULL;
    if (!f)
        return ws_no_memory(error, path);
    wsam_status status = map_file(f, path, error);
    if (!status)
        status = read_tables(f, path, error);
    if (status) {
        wsam_features_close(f);
        return status;
    }
    *features = f;
    return WSAM_OK;
}

void wsam_features_close(wsam_features *f)
{
    if (!f)
        return;
    for (size_t i = 0; f->pictures && i < f->n; i++)
        free(f->pictures[i].name);
    for (size_t i = 0; i < WSAM_FEATURE_SOURCES; i++) {
        free(f->sources[i].weight);
        free(f->sources[i].bias);
    }
    free(f->pictures);
    free(f->by_name);
    if (f->bytes)
        munmap(f->bytes, f->size);
    free(f);
}

size_t wsam_features_count(const wsam_features *f)
{
    return f->n;
}

const char *wsam_features_image(const wsam_features *f, size_t index, int *width, int *height)
{
    if (index >= f->n)
        return NULL;
    if (width)
        *width = (int)f->pictures[index].width;
    if (height)
        *height = (int)f->pictures[index].height;
    return f->pictures[index].name;
}

size_t wsam_features_find(const wsam_features *f, const char *image)
{
    size_t low = 0;
    for (size_t high = f->n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(f->by_name[middle]->name, image) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->n && strcmp(f->by_name[low]->name, image) == 0
               ? (size_t)(f->by_name[low] - f->pictures)
               : SIZE_MAX;
}

size_t ws_features_room(const wsam_features *f)
{
    return f->most_cells * f->components;
}

void ws_features_maps(const wsam_features *f, size_t index, float *values,
                      ws_pool_map maps[WSAM_FEATURE_SOURCES])
{
    for (size_t s = 0; s < f->n_sources; s++) {
        const ws_cached_map *m = &f->pictures[index].maps[s];
        const size_t n = (size_t)m->height * m->width * f->sources[s].components;
        const unsigned char *from = (const unsigned char *)f->bytes + m->offset;
        for (size_t i = 0; i < n; i++) {
            uint16_t h;
            memcpy(&h, from + 2 * i, sizeof h);
            values[i] = ws_half_to_float(h);
        }
        maps[s] = (ws_pool_map){(int)m->height, (int)m->width, (int)f->sources[s].components,
                                m->scale_x,     m->scale_y,    values};
        values += n;
    }
}

void ws_features_pool_boxes(const wsam_kernels *kernels, const ws_pool_map *maps, size_t n_maps,
                            int bins, size_t n, const float (*boxes)[4], float *rows)
{
    size_t channels = 0, at = 0;
    for (size_t s = 0; s < n_maps; s++)
        channels += (size_t)maps[s].channels;
    for (size_t s = 0; s < n_maps; s++) {
        const wsam_roi_shape shape = {.height = maps[s].height,
                                      .width = maps[s].width,
                                      .channels = maps[s].channels,
                                      .scale_x = maps[s].scale_x,
                                      .scale_y = maps[s].scale_y,
                                      .bins = bins,
                                      .ratio = 2,
                                      .rule = WSAM_ROI_CLAMPED};
        for (size_t i = 0; i < n; i++)
            kernels->roi.align_f32(&shape, maps[s].values, boxes[i],
                                   rows + i * channels * (size_t)(bins * bins) + at, channels);
        at += (size_t)maps[s].channels;
    }
}
