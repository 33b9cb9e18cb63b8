/* pipeline/learn/image_maps.c - the maps of images that a head looks at: of a clue network, of a
 * segmenter. */
#include <string.h>

#include "pipeline/learn/learn.h"

void wsam_feature_models_default(wsam_feature_models *models)
{
    *models = (wsam_feature_models){.clue_size = WS_CLUE_SIZE};
    wsam_options_default(&models->runtime);
}

wsam_status ws_image_maps_open(const wsam_feature_models *models, int clues, ws_image_maps *m,
                               wsam_error *error)
{
    wsam_status status = WSAM_OK;
    m->limits = models->limits;
    if (models->model)
        status = wsam_model_open(models->model, &models->runtime, &m->model, error);
    if (!status && m->model)
        status = wsam_segmenter_create_encoder(m->model, &m->segmenter, error);
    if (status || !clues || !models->clue_model)
        return status;
    wsam_clues_params_default(&m->params);
    m->params.size = models->clue_size;
    m->params.n_scales = 1;
    m->params.mirror = 0;
    m->params.maps = WSAM_CLUES_TOKENS;
    status = wsam_model_open(models->clue_model, &models->runtime, &m->clue_model, error);
    return status ? status : wsam_clues_create(m->clue_model, &m->clues, error);
}

static void forget(ws_image_maps *m)
{
    wsam_embedding_free(m->embedding);
    wsam_clues_result_free(m->result);
    m->embedding = NULL;
    m->result = NULL;
    m->n = 0;
}

void ws_image_maps_close(ws_image_maps *m)
{
    forget(m);
    wsam_clues_free(m->clues);
    wsam_model_close(m->clue_model);
    wsam_segmenter_free(m->segmenter);
    wsam_model_close(m->model);
}

/* Tokens alone: without classes there are no maps to make points of. */
static wsam_status read_clues(ws_image_maps *m, const char *path, wsam_error *error)
{
    static const int32_t none[1];
    wsam_picture picture = {0};
    wsam_status status = wsam_picture_load(path, &m->limits, &picture, error);
    if (!status)
        status = wsam_clues_run(m->clues, &picture, none, 0, &m->params, &m->result, error);
    if (!status)
        wsam_clues_map(m->result, &m->maps[m->n++]);
    wsam_picture_free(&picture);
    return status;
}

wsam_status ws_image_maps_encode(ws_image_maps *m, const char *path, wsam_embedding **embedding,
                                 wsam_error *error)
{
    wsam_picture picture = {0};
    wsam_transform transform;
    wsam_status status = wsam_picture_load(path, &m->limits, &picture, error);
    if (status)
        return status;
    status = wsam_model_transform(m->model, picture.height, picture.width, &transform, error);
    if (status)
        ws_boxes_about(path, error);
    else
        status = wsam_segmenter_encode(m->segmenter, &picture, embedding, error);
    wsam_picture_free(&picture);
    return status;
}

wsam_status ws_image_maps_read(ws_image_maps *m, const char *path, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    forget(m);
    if (m->clues)
        status = read_clues(m, path, error);
    if (!status && m->segmenter) {
        status = ws_image_maps_encode(m, path, &m->embedding, error);
        if (!status)
            wsam_embedding_map(m->embedding, &m->maps[m->n++]);
    }
    return status;
}

const wsam_feature_map *ws_image_maps_find(const ws_image_maps *m, const char *source)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->maps[i].source, source) == 0)
            return &m->maps[i];
    return NULL;
}

/* Classes show in the clue network's tokens, edges in the embedding. */
size_t ws_image_maps_sources(const wsam_feature_models *models, int components,
                             wsam_feature_source sources[2])
{
    size_t n = 0;
    if (models->clue_model)
        sources[n++] = (wsam_feature_source){"clues", WS_CLUE_COMPONENTS, models->clue_size};
    if (models->model)
        sources[n++] = (wsam_feature_source){"sam", WS_SAM_COMPONENTS, 0};
    for (size_t i = 0; i < n && components; i++)
        sources[i].components = components;
    return n;
}
