/* pipeline/regions/region_workers.c - regions of the pictures of a folder, a file for each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/regions/finder.h"
#include "pipeline/regions/network.h"
#include "pipeline/regions/region_file.h"
#include "pipeline/tokens/frozen.h"
#include "weaksam/regions.h"

struct wsam_region_workers {
    wsam_region_options options;
    ws_region_finder *finders;
    ws_frozen *frozen; /* with `cells`, in place of finders */
};

void wsam_region_options_default(wsam_region_options *o)
{
    memset(o, 0, sizeof *o);
    o->workers = 1;
    o->network_size = 640;
    wsam_propose_options_default(&o->propose);
}

int wsam_is_region_clues(const wsam_model *model)
{
    return ws_is_region_network(model);
}

void wsam_region_workers_free(wsam_region_workers *w)
{
    if (!w)
        return;
    for (int i = 0; w->finders && i < w->options.workers; i++)
        ws_region_finder_free(&w->finders[i]);
    for (int i = 0; w->frozen && i < w->options.workers; i++)
        ws_frozen_free(&w->frozen[i]);
    free(w->finders);
    free(w->frozen);
    free(w);
}

static wsam_status create_worker(wsam_region_workers *w, int i, wsam_error *error)
{
    const wsam_region_options *o = &w->options;
    return o->cells ? ws_frozen_create(&w->frozen[i], o->network ? o->network : o->model,
                                       o->network_size, error)
                    : ws_region_finder_create(&w->finders[i], o->model, o->network, o->network_size,
                                              error);
}

wsam_status wsam_region_workers_create(const wsam_region_options *o, wsam_region_workers **out,
                                       wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    if (o->workers < 1 || o->workers > 1024 || !(o->model || (o->cells && o->network)) ||
        !o->folder)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "regions want a model, a folder and 1 to 1024 workers");
    wsam_region_workers *w = calloc(1, sizeof *w);
    if (w)
        w->finders = calloc((size_t)o->workers, sizeof *w->finders);
    if (w)
        w->frozen = calloc((size_t)o->workers, sizeof *w->frozen);
    wsam_status status = w && w->finders && w->frozen
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for the workers");
    if (w)
        w->options = *o;
    for (int i = 0; i < o->workers && !status; i++)
        status = create_worker(w, i, error);
    if (!status && o->give_up) {
        w->options.propose.everything.progress = o->give_up;
        w->options.propose.everything.progress_user = o->give_up_user;
    }
    if (status)
        wsam_region_workers_free(w);
    else
        *out = w;
    return status;
}

static wsam_status find_regions(wsam_region_workers *w, int worker, const wsam_picture *picture,
                                const char *image, wsam_run_output *out, wsam_error *error)
{
    ws_regions r = {0};
    wsam_propose_stats stats = {0};
    wsam_status status =
        ws_regions_find(&w->finders[worker], picture, NULL, &w->options.propose, &r, &stats, error);
    out->prompts = stats.prompts[WSAM_SOURCE_GRID];
    if (!status)
        status = ws_kept_regions_store(w->options.folder, image, &r, error);
    ws_finder_free_regions(&r);
    return status;
}

static wsam_status find_cells(wsam_region_workers *w, int worker, const wsam_picture *picture,
                              const char *image, wsam_error *error)
{
    const wsam_region_options *o = &w->options;
    char *path = ws_region_path(o->folder, image, "regions");
    const wsam_status status =
        path ? ws_frozen_save(&w->frozen[worker], picture, o->give_up, o->give_up_user, path, error)
             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a path");
    free(path);
    return status;
}

wsam_status wsam_region_workers_run(void *user, int worker, const wsam_run_item *item,
                                    wsam_run_output *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_region_workers *w = user;
    wsam_picture picture = {0};
    out->stage = WSAM_RUN_LOAD;
    wsam_status status = wsam_picture_load(item->path, &w->options.limits, &picture, error);
    if (!status) {
        out->stage = WSAM_RUN_PROPOSE;
        out->width = picture.width;
        out->height = picture.height;
        status = w->options.cells ? find_cells(w, worker, &picture, item->image, error)
                                  : find_regions(w, worker, &picture, item->image, out, error);
    }
    wsam_picture_free(&picture);
    return status;
}
