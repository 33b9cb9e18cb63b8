/* pipeline/regions/workers.c - regions of the pictures of a folder, a file for each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/regions/finder.h"
#include "pipeline/regions/network.h"
#include "pipeline/regions/region_file.h"
#include "weaksam/regions.h"

struct wsam_region_workers {
    wsam_region_options options;
    ws_region_finder *finders;
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
    free(w->finders);
    free(w);
}

wsam_status wsam_region_workers_create(const wsam_region_options *o, wsam_region_workers **out,
                                       wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    if (o->workers < 1 || o->workers > 1024 || !o->model || !o->folder)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "regions want a model, a folder and 1 to 1024 workers");
    wsam_region_workers *w = calloc(1, sizeof *w);
    if (w)
        w->finders = calloc((size_t)o->workers, sizeof *w->finders);
    wsam_status status =
        w && w->finders ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for the workers");
    if (w)
        w->options = *o;
    for (int i = 0; i < o->workers && !status; i++)
        status =
            ws_region_finder_create(&w->finders[i], o->model, o->network, o->network_size, error);
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

static wsam_status save(const wsam_region_workers *w, size_t index, const ws_regions *r,
                        wsam_error *error)
{
    const size_t size = strlen(w->options.folder) + 40;
    char *path = malloc(size);
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a path");
    snprintf(path, size, "%s/%zu.regions", w->options.folder, index);
    const wsam_status status = ws_region_file_save(path, r->proposals, &r->layout, r->rows, error);
    free(path);
    return status;
}

wsam_status wsam_region_workers_run(void *user, int worker, const wsam_run_item *item,
                                    wsam_run_output *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_region_workers *w = user;
    wsam_picture picture = {0};
    ws_regions r = {0};
    wsam_propose_stats stats = {0};
    out->stage = WSAM_RUN_LOAD;
    wsam_status status = wsam_picture_load(item->path, &w->options.limits, &picture, error);
    if (!status) {
        out->stage = WSAM_RUN_PROPOSE;
        out->width = picture.width;
        out->height = picture.height;
        status =
            ws_regions_find(&w->finders[worker], &picture, &w->options.propose, &r, &stats, error);
        out->prompts = stats.prompts[WSAM_SOURCE_GRID];
    }
    if (!status)
        status = save(w, item->index, &r, error);
    ws_regions_free(&r);
    wsam_picture_free(&picture);
    return status;
}
