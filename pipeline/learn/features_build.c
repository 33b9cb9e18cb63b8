/* pipeline/learn/features_build.c - a feature cache of the images of a proposals file. */
#include <stdlib.h>

#include "kernels/float_scope.h"
#include "pipeline/labels/picture_path.h"
#include "pipeline/learn/learn.h"

void wsam_features_build_options_default(wsam_features_build_options *o)
{
    *o = (wsam_features_build_options){.seed = 1};
    wsam_feature_models_default(&o->models);
}

static wsam_status add_image(const wsam_features_build_options *o, ws_image_maps *maps,
                             wsam_features_writer *w, const ws_boxes *b, wsam_error *error)
{
    char *path;
    wsam_status status = ws_picture_path(o->images, b->image, &path, error);
    if (!status)
        status = ws_image_maps_read(maps, path, error);
    if (!status)
        status =
            wsam_features_add_named(w, b->image, b->width, b->height, maps->maps, maps->n, error);
    free(path);
    return status;
}

static wsam_status open_cache(const wsam_features_build_options *o, wsam_features_writer **w,
                              wsam_error *error)
{
    wsam_feature_source sources[2];
    wsam_features *like = NULL;
    const size_t n = ws_image_maps_sources(&o->models, o->components, sources);
    if (!o->like)
        return wsam_features_create(o->output, sources, n, w, error);
    wsam_status status = wsam_features_open(o->like, &like, error);
    if (!status)
        status = wsam_features_create_like(o->output, like, w, error);
    wsam_features_close(like);
    return status;
}

wsam_status wsam_features_build(const wsam_features_build_options *o, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_image_maps maps = {.n = 0};
    ws_box_list list = {0};
    wsam_features_writer *w = NULL;
    wsam_status status = ws_image_maps_open(&o->models, 1, &maps, error);
    if (!status)
        status = ws_boxes_read(o->proposals, &list, error);
    if (!status)
        status = open_cache(o, &w, error);
    for (size_t i = 0; i < list.n && !status; i++) {
        status = add_image(o, &maps, w, &list.items[i], error);
        const double done = (double)(i + 1) / (double)list.n;
        if (o->progress && o->progress(o->progress_user, done) && !status)
            status =
                ws_fail(error, WSAM_ERR_CANCELLED,
                        "stopped after %zu of %zu images; nothing is kept of them", i + 1, list.n);
    }
    if (w)
        status = wsam_features_finish(w, status, o->seed, o->models.runtime.threads, error);
    ws_boxes_free(&list);
    ws_image_maps_close(&maps);
    return status;
}
