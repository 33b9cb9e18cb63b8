/* pipeline/learn/self_train_cache.c - the feature cache of a run: of what its stages left of every
 * image, else of the images themselves. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "kernels/float_scope.h"
#include "pipeline/learn/self_train.h"
#include "pipeline/train/features.h"

wsam_status wsam_self_train_maps(const char *output, char **path, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const size_t size = strlen(output) + 32;
    *path = NULL;
    if (size > WS_LEARN_PATH - 32)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    *path = malloc(size);
    if (!*path)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a path");
    snprintf(*path, size, "%s/learn/maps", output);
    return WSAM_OK;
}

wsam_status wsam_self_train_prepare(const char *output, char **path, wsam_error *error)
{
    static const char *const folders[] = {"", "/learn", "/learn/maps"};
    ws_path folder;
    wsam_status status = wsam_self_train_maps(output, path, error);
    for (int i = 0; i < 3 && !status; i++) {
        snprintf(folder, sizeof folder, "%s%s", output, folders[i]);
        status = ws_file_folder_make(folder, error);
    }
    if (status) {
        free(*path);
        *path = NULL;
    }
    return status;
}

static int is_visible(const void *user, const char *name)
{
    (void)user;
    return *name != '.';
}

wsam_status ws_self_train_cache_remove(const char *folder, wsam_error *error)
{
    return ws_file_remove_all(folder, is_visible, NULL, error);
}

static wsam_feature_models models_of(const ws_learning *l)
{
    wsam_feature_models models = l->o->models;
    if (l->o->patches_alone && models.clue_model)
        models.model = NULL;
    return models;
}

/* One image: what the stages left of it, or, where they did not do it again, what the cache of before
 * has. *missing: neither. */
static wsam_status add_image(const ws_learning *l, const wsam_features *before,
                             wsam_features_writer *w, const char *image, int *missing,
                             wsam_error *error)
{
    ws_path path;
    char *maps = wsam_feature_maps_path(ws_self_train_path(l, path, "maps"), image);
    int fresh = 0;
    wsam_status status = maps ? ws_file_there(maps, &fresh, error) : ws_no_memory(error, image);
    const size_t at = before ? wsam_features_find(before, image) : SIZE_MAX;
    if (!status && fresh)
        status = wsam_features_add_saved(w, image, maps, error);
    else if (!status && at != SIZE_MAX)
        status = ws_features_add_cached(w, before, at, error);
    else
        *missing = !status;
    free(maps);
    return status;
}

/* The cache from what the stages left of the images. With a cache of before (NULL: none) it has that
 * one's components, on which the heads were trained. *missing: nothing is left of an image. */
static wsam_status gather(const ws_learning *l, const wsam_features *before, const char *output,
                          int *missing, wsam_error *error)
{
    const wsam_feature_models models = models_of(l);
    wsam_feature_source sources[2];
    wsam_features_writer *w = NULL;
    ws_box_list list;
    ws_path proposals;
    wsam_status status =
        ws_boxes_read(ws_self_train_path(l, proposals, "../proposals.jsonl"), &list, error);
    if (!status)
        status = before
                     ? wsam_features_create_like(output, before, &w, error)
                     : wsam_features_create(output, sources,
                                            ws_image_maps_sources(&models, 0, sources), &w, error);
    for (size_t i = 0; i < list.n && !status && !*missing; i++)
        status = add_image(l, before, w, list.items[i].image, missing, error);
    if (w)
        status = wsam_features_finish(w, *missing ? WSAM_ERR_CANCELLED : status, l->o->feature_seed,
                                      models.runtime.threads, error);
    ws_boxes_free(&list);
    return *missing ? WSAM_OK : status;
}

/* By looking at all images once more. `like`: the cache whose components stay, or NULL. */
static wsam_status look_again(const ws_learning *l, const char *like, const char *output,
                              wsam_error *error)
{
    ws_path proposals;
    wsam_features_build_options o;
    wsam_features_build_options_default(&o);
    o.models = models_of(l);
    o.proposals = ws_self_train_path(l, proposals, "../proposals.jsonl");
    o.images = l->o->images;
    o.output = output;
    o.like = like;
    o.seed = l->o->feature_seed;
    o.progress = ws_self_train_progress;
    o.progress_user = l->watch;
    return wsam_features_build(&o, error);
}

wsam_status ws_self_train_cache(const ws_learning *l, const char *output, wsam_error *error)
{
    ws_path before;
    wsam_features *cache = NULL;
    int missing = l->o->list == NULL;
    int grows = 0;
    wsam_status status =
        ws_file_there(ws_self_train_path(l, before, WS_LEARN_BEFORE), &grows, error);
    if (!status && grows)
        status = wsam_features_open(before, &cache, error);
    if (!status)
        status = missing ? WSAM_OK : gather(l, cache, output, &missing, error);
    wsam_features_close(cache);
    if (!status && missing)
        status = look_again(l, grows ? before : NULL, output, error);
    return !status && grows ? ws_file_remove(before, error) : status;
}

/* With the cache the maps have served, which take several times its room. */
void ws_self_train_cache_drop_maps(const ws_learning *l)
{
    ws_path path;
    ws_self_train_cache_remove(ws_self_train_path(l, path, "maps"), NULL);
    rmdir(path);
}
