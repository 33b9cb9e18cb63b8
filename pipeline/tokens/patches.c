/* pipeline/tokens/patches.c - see patches.h. */
#include "pipeline/tokens/patches.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/picture/picture.h"

wsam_status ws_patches_create(wsam_model *model, ws_patches **out, wsam_error *error)
{
    int64_t patch = 0;
    *out = NULL;
    if (!wsam_model_int(model, "clues.patch", &patch) || patch < 1 || patch > 64)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the model's clues.patch is missing or out of range");
    ws_patches *p = calloc(1, sizeof *p);
    if (!p)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a clue network");
    p->model = model;
    p->patch = (int)patch;
    p->threads = wsam_model_threads(model);
    wsam_status status = wsam_kernels_for(wsam_model_isa(model), &p->kernels, error);
    if (!status)
        status = ws_normalise_table_read(model, &p->table, error);
    if (!status)
        status = wsam_session_create(model, "clues", &p->session, error);
    if (status)
        ws_patches_free(p);
    else
        *out = p;
    return status;
}

void ws_patches_free(ws_patches *p)
{
    if (!p)
        return;
    wsam_session_free(p->session);
    free(p);
}

/* The picture at a size of whole patches, through the network. */
static wsam_status run(ws_patches *p, const wsam_picture *picture, const int size[2],
                       wsam_image *state, wsam_error *error)
{
    wsam_picture sized = {0};
    wsam_tensor in = {"image", WSAM_F32, 3, {size[0], size[1], 3}, NULL};
    wsam_status status = ws_resize(p->kernels, p->threads, picture, size[0], size[1],
                                   WSAM_FILTER_BICUBIC, &sized, error);
    if (status)
        return status;
    in.data = malloc((size_t)size[0] * (size_t)size[1] * 3 * sizeof(float));
    if (!in.data) {
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for a view");
    } else {
        ws_normalise(&p->table, &sized, 0, p->threads, in.data, sized.width);
        status = wsam_session_bind(p->session, &in, 1, state, error);
    }
    free(in.data);
    wsam_picture_free(&sized);
    return status;
}

wsam_status ws_patches_run(ws_patches *p, const wsam_picture *picture, int side,
                           wsam_progress_fn progress, void *user, wsam_image **state,
                           wsam_feature_map *map, wsam_error *error)
{
    const int longest = picture->width > picture->height ? picture->width : picture->height;
    const double scale = (double)side / longest / p->patch;
    int size[2];
    wsam_tensor t;
    *state = NULL;
    for (int d = 0; d < 2; d++) {
        const int cells = (int)((d ? picture->width : picture->height) * scale + 0.5);
        size[d] = p->patch * (cells > 1 ? cells : 1);
    }
    const wsam_dim dims[2] = {{"height", size[0]}, {"width", size[1]}};
    wsam_status status = wsam_session_reserve(p->session, dims, 2, error);
    if (!status)
        status = wsam_image_create(p->model, "clues", dims, 2, state, error);
    wsam_session_set_progress(p->session, progress, user);
    if (!status)
        status = run(p, picture, size, *state, error);
    wsam_session_set_progress(p->session, NULL, NULL);
    if (!status && (wsam_image_output(*state, "tokens", &t, NULL) || t.rank != 3))
        status = ws_fail(error, WSAM_ERR_UNSUPPORTED,
                         "the clue network's file gives no tokens: convert its checkpoint again");
    if (!status)
        *map = (wsam_feature_map){.source = "clues",
                                  .height = (int)t.shape[0],
                                  .width = (int)t.shape[1],
                                  .channels = (int)t.shape[2],
                                  .row = (size_t)(t.shape[1] * t.shape[2]),
                                  .values = t.data};
    return status;
}
