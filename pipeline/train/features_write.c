/* pipeline/train/features_write.c - maps collected whole, then reduced. See features.h. Maps that a
 * file of their own has are read from there when their time comes, not copied. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/half.h"
#include "base/output.h"
#include "base/outputs.h"
#include "base/text.h"
#include "kernels/float_scope.h"
#include "pipeline/train/features.h"
#include "pipeline/train/pca.h"
#include "pipeline/train/random.h"

enum { FITTED = 500, PATH = 4096 };

struct wsam_features_writer {
    char path[PATH];
    FILE *raw, *out; /* what was collected: a file without a name; the result */
    ws_outputs files;
    size_t n_sources, n, capacity;
    ws_reduction sources[WSAM_FEATURE_SOURCES];
    ws_cached_picture *pictures; /* offsets are those of the raw file, until reduced */
    char **stored;               /* [capacity], or of this file; NULL: the raw one */
    size_t *cached;              /* [capacity]: place in `like` from 1, reduced; 0: none */
    const wsam_features *like;
    uint16_t *halves; /* one map */
    float *floats, *turned[WSAM_FEATURE_SOURCES];
    size_t room; /* values */
};

static void discard(wsam_features_writer *w)
{
    if (w->raw)
        fclose(w->raw);
    ws_outputs_finish(&w->files, WSAM_ERR_CANCELLED, NULL); /* what is not finished goes */
    for (size_t i = 0; i < w->n; i++) {
        free(w->pictures[i].name);
        free(w->stored[i]);
    }
    for (size_t i = 0; i < WSAM_FEATURE_SOURCES; i++) {
        free(w->sources[i].weight);
        free(w->sources[i].bias);
        free(w->turned[i]);
    }
    free(w->pictures);
    free(w->stored);
    free(w->cached);
    free(w->halves);
    free(w->floats);
    free(w);
}

static wsam_status io_failed(const wsam_features_writer *w, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", w->path, strerror(errno));
}

wsam_status wsam_features_create(const char *path, const wsam_feature_source *sources, size_t n,
                                 wsam_features_writer **writer, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *writer = NULL;
    if (!n || n > WSAM_FEATURE_SOURCES || strlen(path) > PATH - 8)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: expected 1 to %d sources", path,
                       WSAM_FEATURE_SOURCES);
    wsam_features_writer *w = calloc(1, sizeof *w);
    if (!w)
        return ws_no_memory(error, path);
    snprintf(w->path, sizeof w->path, "%s", path);
    w->n_sources = n;
    for (size_t i = 0; i < n; i++) {
        snprintf(w->sources[i].name, sizeof w->sources[i].name, "%.15s", sources[i].name);
        w->sources[i].components = (uint32_t)sources[i].components;
        w->sources[i].max_side = (uint32_t)sources[i].max_side;
    }
    const int fd = ws_output_scratch(path);
    w->raw = fd < 0 ? NULL : fdopen(fd, "w+b");
    if (!w->raw) {
        if (fd >= 0)
            close(fd);
        const wsam_status status = io_failed(w, error);
        discard(w);
        return status;
    }
    *writer = w;
    return WSAM_OK;
}

static int copy_reduction(const ws_reduction *from, ws_reduction *to)
{
    const size_t weights = (size_t)from->components * from->channels * sizeof *to->weight;
    to->channels = from->channels;
    to->components = from->components;
    to->weight = malloc(weights);
    to->bias = malloc(from->components * sizeof *to->bias);
    if (!to->weight || !to->bias)
        return 0;
    memcpy(to->weight, from->weight, weights);
    memcpy(to->bias, from->bias, from->components * sizeof *to->bias);
    return 1;
}

wsam_status wsam_features_create_like(const char *path, const wsam_features *like,
                                      wsam_features_writer **writer, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_feature_source sources[WSAM_FEATURE_SOURCES];
    for (size_t i = 0; i < like->n_sources; i++)
        sources[i] = (wsam_feature_source){like->sources[i].name, (int)like->sources[i].components,
                                           (int)like->sources[i].max_side};
    wsam_status status = wsam_features_create(path, sources, like->n_sources, writer, error);
    for (size_t i = 0; i < like->n_sources && !status; i++)
        if (!copy_reduction(&like->sources[i], &(*writer)->sources[i]))
            status = ws_no_memory(error, path);
    if (status && *writer) {
        discard(*writer);
        *writer = NULL;
    }
    return status;
}

/* ---- collecting ---- */

static wsam_status picture_room(wsam_features_writer *w, wsam_error *error)
{
    if (w->n < w->capacity)
        return WSAM_OK;
    const size_t capacity = w->capacity ? 2 * w->capacity : 64;
    void *p = realloc(w->pictures, capacity * sizeof *w->pictures);
    if (!p)
        return ws_no_memory(error, w->path);
    w->pictures = p;
    char **stored = realloc(w->stored, capacity * sizeof *stored);
    if (!stored)
        return ws_no_memory(error, w->path);
    w->stored = stored;
    size_t *cached = realloc(w->cached, capacity * sizeof *cached);
    if (!cached)
        return ws_no_memory(error, w->path);
    w->cached = cached;
    w->capacity = capacity;
    return WSAM_OK;
}

static wsam_status value_room(wsam_features_writer *w, size_t values, wsam_error *error)
{
    if (values <= w->room)
        return WSAM_OK;
    free(w->halves);
    free(w->floats);
    w->halves = malloc(values * sizeof *w->halves);
    w->floats = malloc(values * sizeof *w->floats);
    w->room = w->halves && w->floats ? values : 0;
    return w->room ? WSAM_OK : ws_no_memory(error, w->path);
}

static wsam_status check_map(const wsam_features_writer *w, size_t s, const wsam_feature_map *m,
                             wsam_error *error)
{
    const ws_reduction *r = &w->sources[s];
    if (m->height < 1 || m->width < 1 || m->height > WS_MOST_SIDE || m->width > WS_MOST_SIDE ||
        m->height * m->width > WS_MOST_CELLS || m->channels < 1 ||
        m->channels > WSAM_FEATURE_CHANNELS ||
        (r->channels && r->channels != (uint32_t)m->channels) || !(m->scale_x > 0.0f) ||
        !(m->scale_y > 0.0f))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: a map %dx%dx%d of '%s' does not fit the rest",
                       w->path, m->height, m->width, m->channels, r->name);
    return WSAM_OK;
}

/* Writes a map behind the others of the raw file. */
static wsam_status put_map(wsam_features_writer *w, const wsam_feature_map *m, uint64_t *offset,
                           wsam_error *error)
{
    const size_t row = (size_t)m->width * (size_t)m->channels, n = row * (size_t)m->height;
    const long at = ftell(w->raw);
    for (size_t i = 0; i < n; i++)
        w->halves[i] = ws_half_from_float(m->values[i / row * m->row + i % row]);
    if (at < 0 || fwrite(w->halves, sizeof *w->halves, n, w->raw) != n)
        return io_failed(w, error);
    *offset = (uint64_t)at;
    return WSAM_OK;
}

/* Map s of a picture: its values, or where they lie in a file. */
static wsam_status take_map(wsam_features_writer *w, size_t s, const ws_stored_map *from,
                            ws_cached_map *to, wsam_error *error)
{
    const wsam_feature_map *m = &from->map;
    uint64_t offset = from->offset;
    wsam_status status = check_map(w, s, m, error);
    if (!status)
        status = value_room(w, (size_t)m->height * (size_t)m->width * (size_t)m->channels, error);
    if (!status && m->values)
        status = put_map(w, m, &offset, error);
    if (status)
        return status;
    w->sources[s].channels = (uint32_t)m->channels;
    *to = (ws_cached_map){offset, (uint32_t)m->height, (uint32_t)m->width, m->scale_x, m->scale_y};
    return WSAM_OK;
}

/* Maps in the order of the sources; `path`: the file that has their values, or NULL. */
static wsam_status take_picture(wsam_features_writer *w, const char *image, int width, int height,
                                const ws_stored_map *const *maps, const char *path,
                                wsam_error *error)
{
    wsam_status status = picture_room(w, error);
    if (status)
        return status;
    ws_cached_picture *p = &w->pictures[w->n];
    *p = (ws_cached_picture){.width = (uint32_t)width, .height = (uint32_t)height};
    for (size_t s = 0; s < w->n_sources && !status; s++)
        status = take_map(w, s, maps[s], &p->maps[s], error);
    if (status)
        return status;
    p->name = strdup(image);
    w->stored[w->n] = path ? strdup(path) : NULL;
    w->cached[w->n] = 0;
    if (!p->name || (path && !w->stored[w->n])) {
        free(p->name);
        free(w->stored[w->n]);
        return ws_no_memory(error, w->path);
    }
    w->n++;
    return WSAM_OK;
}

wsam_status ws_features_add_cached(wsam_features_writer *w, const wsam_features *like, size_t index,
                                   wsam_error *error)
{
    const ws_cached_picture *from = &like->pictures[index];
    wsam_status status = picture_room(w, error);
    for (size_t s = 0; s < w->n_sources && !status; s++) {
        const ws_cached_map *m = &from->maps[s];
        status = value_room(w, (size_t)m->height * m->width * w->sources[s].components, error);
    }
    if (status)
        return status;
    w->pictures[w->n] = *from;
    w->pictures[w->n].name = strdup(from->name);
    w->stored[w->n] = NULL;
    w->cached[w->n] = 1;
    if (!w->pictures[w->n].name)
        return ws_no_memory(error, w->path);
    w->like = like;
    w->n++;
    return WSAM_OK;
}

wsam_status ws_features_add_stored(wsam_features_writer *w, const char *image, int width,
                                   int height, const ws_stored_map *maps, size_t n,
                                   const char *path, wsam_error *error)
{
    const ws_stored_map *sorted[WSAM_FEATURE_SOURCES];
    for (size_t s = 0; s < w->n_sources; s++) {
        size_t i = 0;
        while (i < n && strcmp(maps[i].map.source, w->sources[s].name) != 0)
            i++;
        if (i == n)
            return ws_fail(error, WSAM_ERR_MISMATCH, "%s: there is no map '%s' of it", image,
                           w->sources[s].name);
        sorted[s] = &maps[i];
    }
    return take_picture(w, image, width, height, sorted, path, error);
}

wsam_status wsam_features_add(wsam_features_writer *w, const char *image, int width, int height,
                              const wsam_feature_map *maps, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_stored_map own[WSAM_FEATURE_SOURCES];
    const ws_stored_map *sorted[WSAM_FEATURE_SOURCES];
    for (size_t s = 0; s < w->n_sources; s++) {
        own[s] = (ws_stored_map){maps[s], 0};
        sorted[s] = &own[s];
    }
    return take_picture(w, image, width, height, sorted, NULL, error);
}

wsam_status wsam_features_add_named(wsam_features_writer *w, const char *image, int width,
                                    int height, const wsam_feature_map *maps, size_t n,
                                    wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_stored_map own[WSAM_FEATURE_SOURCES];
    if (n > WSAM_FEATURE_SOURCES)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: over %d maps", image, WSAM_FEATURE_SOURCES);
    for (size_t i = 0; i < n; i++)
        own[i] = (ws_stored_map){maps[i], 0};
    return ws_features_add_stored(w, image, width, height, own, n, NULL, error);
}

/* ---- reducing ---- */

/* A whole map of picture i in f32 into w->floats; its number of cells. */
static size_t read_raw(wsam_features_writer *w, size_t i, size_t s)
{
    const ws_cached_map *m = &w->pictures[i].maps[s];
    const size_t cells = (size_t)m->height * m->width, n = cells * w->sources[s].channels;
    FILE *f = w->stored[i] ? fopen(w->stored[i], "rb") : w->raw;
    if (!f)
        return 0;
    errno = EIO; /* where a file is shorter than it was */
    const int whole =
        !fseek(f, (long)m->offset, SEEK_SET) && fread(w->halves, sizeof *w->halves, n, f) == n;
    const int why = errno;
    if (w->stored[i])
        fclose(f);
    errno = why;
    for (size_t k = 0; k < n && whole; k++)
        w->floats[k] = ws_half_to_float(w->halves[k]);
    return whole ? cells : 0;
}

/* Components of source s, unless they are another cache's. */
static wsam_status fit(wsam_features_writer *w, size_t s, uint64_t seed, int threads,
                       wsam_error *error)
{
    ws_reduction *r = &w->sources[s];
    ws_pca pca;
    if (r->weight)
        return WSAM_OK;
    uint32_t *order = calloc(w->n + 1, sizeof *order);
    if (!order)
        return ws_no_memory(error, w->path);
    wsam_status status = ws_pca_create(&pca, r->channels, error);
    ws_permute(ws_key(seed, WS_STREAM_PCA, 0, 0), order, w->n);
    for (size_t i = 0; i < w->n && i < FITTED && !status; i++) {
        const size_t cells = read_raw(w, order[i], s);
        if (!cells)
            status = io_failed(w, error);
        else
            ws_pca_add(&pca, cells, w->floats, threads);
    }
    r->components = r->components < r->channels ? r->components : r->channels;
    r->weight = malloc((size_t)r->components * r->channels * sizeof *r->weight);
    r->bias = malloc(r->components * sizeof *r->bias);
    if (!status && (!r->weight || !r->bias))
        status = ws_no_memory(error, w->path);
    if (!status)
        status = ws_pca_solve(&pca, r->components, r->weight, r->bias, error);
    ws_pca_free(&pca);
    free(order);
    return status;
}

/* weight^T, so that the inner loop runs over components side by side. */
static float *turn(const ws_reduction *r)
{
    float *turned = malloc((size_t)r->components * r->channels * sizeof *turned);
    if (!turned)
        return NULL;
    for (size_t c = 0; c < r->components; c++)
        for (size_t k = 0; k < r->channels; k++)
            turned[k * r->components + c] = r->weight[c * r->channels + k];
    return turned;
}

static void project(const ws_reduction *r, const float *turned, size_t cells, const float *x,
                    uint16_t *out)
{
    float sum[WSAM_FEATURE_CHANNELS];
    for (size_t i = 0; i < cells; i++, x += r->channels) {
        memcpy(sum, r->bias, r->components * sizeof *sum);
        for (size_t k = 0; k < r->channels; k++)
            for (size_t c = 0; c < r->components; c++)
                sum[c] += turned[k * r->components + c] * x[k];
        for (size_t c = 0; c < r->components; c++)
            *out++ = ws_half_from_float(sum[c]);
    }
}

static wsam_status write_maps(wsam_features_writer *w, wsam_error *error)
{
    uint64_t at = sizeof(ws_features_header);
    for (size_t s = 0; s < w->n_sources; s++)
        if (!(w->turned[s] = turn(&w->sources[s])))
            return ws_no_memory(error, w->path);
    for (size_t i = 0; i < w->n; i++)
        for (size_t s = 0; s < w->n_sources; s++) {
            ws_cached_map *m = &w->pictures[i].maps[s];
            const size_t cells = w->cached[i] ? (size_t)m->height * m->width : read_raw(w, i, s);
            const size_t n = cells * w->sources[s].components;
            if (!cells)
                return io_failed(w, error);
            if (w->cached[i])
                memcpy(w->halves, (const unsigned char *)w->like->bytes + m->offset,
                       n * sizeof *w->halves);
            else
                project(&w->sources[s], w->turned[s], cells, w->floats, w->halves);
            if (fwrite(w->halves, sizeof *w->halves, n, w->out) != n)
                return io_failed(w, error);
            m->offset = at;
            at += n * sizeof *w->halves;
        }
    return WSAM_OK;
}

/* ---- the tables behind the maps ---- */

static void put(ws_text *t, const void *from, size_t n)
{
    ws_text_put(t, from, n);
}

static void put_u32(ws_text *t, uint32_t v)
{
    put(t, &v, sizeof v);
}

static void put_index(const wsam_features_writer *w, ws_text *t)
{
    for (size_t i = 0; i < w->n; i++) {
        const ws_cached_picture *p = &w->pictures[i];
        put_u32(t, (uint32_t)strlen(p->name));
        put(t, p->name, strlen(p->name));
        put_u32(t, p->width);
        put_u32(t, p->height);
        for (size_t s = 0; s < w->n_sources; s++)
            put(t, &p->maps[s], sizeof p->maps[s]);
    }
}

static void put_sources(const wsam_features_writer *w, ws_text *t)
{
    for (size_t s = 0; s < w->n_sources; s++) {
        const ws_reduction *r = &w->sources[s];
        put(t, r->name, sizeof r->name);
        put_u32(t, r->channels);
        put_u32(t, r->components);
        put_u32(t, r->max_side);
        put(t, r->weight, (size_t)r->components * r->channels * sizeof *r->weight);
        put(t, r->bias, r->components * sizeof *r->bias);
    }
}

static wsam_status write_tables(wsam_features_writer *w, wsam_error *error)
{
    ws_text index = {0}, sources = {0};
    ws_features_header h = {.magic = "", .n_sources = (uint32_t)w->n_sources, .n_images = w->n};
    const long end = ftell(w->out);
    wsam_status status = WSAM_OK;
    memcpy(h.magic, WS_FEATURES_MAGIC, sizeof h.magic);
    put_index(w, &index);
    put_sources(w, &sources);
    if (index.failed || sources.failed || !index.text || !sources.text) {
        status = ws_no_memory(error, w->path);
        goto done;
    }
    h.index_offset = (uint64_t)end;
    h.index_size = index.n;
    h.sources_offset = h.index_offset + h.index_size;
    h.sources_size = sources.n;
    h.hash = XXH3_64bits(index.text, index.n) ^ XXH3_64bits(sources.text, sources.n);
    if (end < 0 || fwrite(index.text, 1, index.n, w->out) != index.n ||
        fwrite(sources.text, 1, sources.n, w->out) != sources.n || fseek(w->out, 0, SEEK_SET) ||
        fwrite(&h, sizeof h, 1, w->out) != 1)
        status = io_failed(w, error);
done:
    free(index.text);
    free(sources.text);
    return status;
}

static wsam_status complete(wsam_features_writer *w, uint64_t seed, int threads, wsam_error *error)
{
    const ws_features_header empty = {.magic = ""};
    wsam_status status = WSAM_OK;
    if (!w->n)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: no images were added", w->path);
    for (size_t s = 0; s < w->n_sources && !status; s++)
        status = fit(w, s, seed, threads, error);
    if (status)
        return status;
    w->out = ws_outputs_open_seekable(&w->files, w->path, error);
    if (!w->out)
        return WSAM_ERR_IO;
    if (fwrite(&empty, sizeof empty, 1, w->out) != 1)
        return io_failed(w, error);
    status = write_maps(w, error);
    if (!status)
        status = write_tables(w, error);
    if (status)
        return status;
    return ws_outputs_finish(&w->files, ws_outputs_close(&w->files, error), error);
}

wsam_status wsam_features_finish(wsam_features_writer *w, wsam_status status, uint64_t seed,
                                 int threads, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    if (!status)
        status = complete(w, seed, threads > 0 ? threads : wsam_default_threads(), error);
    discard(w);
    return status;
}
