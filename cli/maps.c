/* cli/maps.c - the maps of pictures that a head looks at: of a clue network, of a segmenter. */
#include <stdlib.h>
#include <string.h>

#include "cli/detection_head.h"

wsam_status cli_maps_open(const cli_common *common, const char *clue_model, int clue_size,
                          cli_maps *m, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    if (common->model)
        status = cli_load(common, &m->loaded, error);
    if (status || !clue_model)
        return status;
    wsam_clues_params_default(&m->params);
    m->params.size = clue_size;
    m->params.n_scales = 1;
    m->params.mirror = 0;
    m->params.maps = WSAM_CLUES_TOKENS;
    status = wsam_model_open(clue_model, &common->runtime, &m->clue_model, error);
    return status ? status : wsam_clues_create(m->clue_model, &m->clues, error);
}

static void forget(cli_maps *m)
{
    wsam_embedding_free(m->embedding);
    wsam_clues_result_free(m->result);
    m->embedding = NULL;
    m->result = NULL;
    m->n = 0;
}

void cli_maps_close(cli_maps *m)
{
    forget(m);
    wsam_clues_free(m->clues);
    wsam_model_close(m->clue_model);
    cli_unload(&m->loaded);
}

/* Tokens alone: without classes there are no maps to make points of. */
static wsam_status read_clues(cli_maps *m, const char *path, wsam_error *error)
{
    static const int32_t none[1];
    const wsam_picture_limits limits = {0};
    wsam_picture picture = {0};
    wsam_status status = wsam_picture_load(path, &limits, &picture, error);
    if (!status)
        status = wsam_clues_run(m->clues, &picture, none, 0, &m->params, &m->result, error);
    if (!status)
        wsam_clues_map(m->result, &m->maps[m->n++]);
    wsam_picture_free(&picture);
    return status;
}

wsam_status cli_maps_read(cli_maps *m, const char *path, wsam_error *error)
{
    const cli_limits limits = {0};
    wsam_status status = WSAM_OK;
    forget(m);
    if (m->clues)
        status = read_clues(m, path, error);
    if (!status && m->loaded.segmenter) {
        status = cli_encode(&m->loaded, path, &limits, &m->embedding, error);
        if (!status)
            wsam_embedding_map(m->embedding, &m->maps[m->n++]);
    }
    return status;
}

const wsam_feature_map *cli_maps_find(const cli_maps *m, const char *source)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->maps[i].source, source) == 0)
            return &m->maps[i];
    return NULL;
}

int cli_take_clue_size(const char *command, const char *value, int *size)
{
    long long n;
    if (!cli_int(value, 0, 16384, &n))
        return cli_usage(command, "--clue-max-side '%s': wants 0 to 16384", value);
    *size = (int)n;
    return CLI_OK;
}
