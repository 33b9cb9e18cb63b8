/* pipeline/stages/clue_maps.c - clue maps from a safetensors file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/stages/stages.h"
#include "weights/import/source.h"

enum { MAX_SIDE = 65535 };

static wsam_status read_map(const ws_source *s, const ws_source_tensor *t, const char *name,
                            wsam_clue_maps *out, wsam_error *error)
{
    const size_t n = (size_t)ws_source_elements(t);
    if (t->rank != 2 || t->dims[0] < 1 || t->dims[1] < 1 || t->dims[0] > MAX_SIDE ||
        t->dims[1] > MAX_SIDE)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%s' is no map [H,W]", s->path, t->name);
    float *values = malloc((n + 1) * sizeof *values);
    char *copy = strdup(name);
    out->names[out->n] = copy;
    out->maps[out->n] = (wsam_clue_map){.class_index = (int32_t)out->n,
                                        .height = (int)t->dims[0],
                                        .width = (int)t->dims[1],
                                        .values = values,
                                        .weight = 1};
    out->n++;
    if (!values || !copy)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for a map", s->path);
    const wsam_status status = ws_source_read(s, t, values, error);
    for (size_t i = 0; i < n && !status; i++)
        if (!isfinite(values[i]))
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%s' holds values that are not finite",
                           s->path, t->name);
    return status;
}

static wsam_status read_maps(const ws_source *s, const char *kind, wsam_clue_maps *out,
                             wsam_error *error)
{
    const size_t length = strlen(kind);
    wsam_status status = WSAM_OK;
    out->names = calloc(s->n_tensors + 1, sizeof *out->names);
    out->maps = calloc(s->n_tensors + 1, sizeof *out->maps);
    if (!out->names || !out->maps)
        return ws_no_memory(error, s->path);
    for (size_t i = 0; i < s->n_tensors && !status; i++) {
        const char *name = s->tensors[i].name;
        if (strncmp(name, kind, length) == 0 && name[length] == '.' && name[length + 1])
            status = read_map(s, &s->tensors[i], name + length + 1, out, error);
    }
    return status;
}

wsam_status wsam_clue_maps_load(const char *path, const char *kind, wsam_clue_maps **maps,
                                wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_source *s;
    *maps = NULL;
    wsam_status status = ws_source_open(path, &s, error);
    if (status)
        return status;
    wsam_clue_maps *m = calloc(1, sizeof *m);
    status = m ? read_maps(s, kind, m, error) : ws_no_memory(error, path);
    ws_source_close(s);
    if (status)
        wsam_clue_maps_free(m);
    else
        *maps = m;
    return status;
}

void wsam_clue_maps_free(wsam_clue_maps *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->n; i++) {
        float *values;
        memcpy(&values, &m->maps[i].values, sizeof values); /* ours, although shown as constant */
        free(values);
        free(m->names[i]);
    }
    free(m->names);
    free(m->maps);
    free(m);
}
