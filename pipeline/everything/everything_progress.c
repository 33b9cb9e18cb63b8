/* pipeline/everything/everything_progress.c - how far a call of the mask generator is. */
#include "base/error.h"
#include "pipeline/everything/everything_run.h"

static int call_progress(const ws_generator_run *r, double work)
{
    const wsam_everything_options *o = r->options;
    return o->progress && o->progress(o->progress_user, work / r->work_total);
}

int ws_everything_progress_encode(void *user, double fraction)
{
    const ws_generator_run *r = user;
    return call_progress(r, r->work_done + fraction * r->encoding);
}

wsam_status ws_everything_progress_advance(ws_generator_run *r, double work)
{
    r->work_done += work;
    if (call_progress(r, r->work_done))
        return ws_fail(r->error, WSAM_ERR_CANCELLED, "everything: cancelled");
    return WSAM_OK;
}

void ws_everything_progress_plan(ws_generator_run *r)
{
    for (int i = 0; i < r->n_crops; i++)
        r->points_total += ws_everything_grid_size(r->options, r->crops[i].layer);
    const double clean = r->options->min_mask_region_area > 0 ? WS_CLEAN_WORK : 0;
    r->work_total = (double)r->points_total * (1 + WS_ENCODE_WORK + clean + WS_EMIT_WORK);
}
