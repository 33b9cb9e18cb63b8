/* pipeline/pilot/pilot.c - weaksam/pilot.h: reads, works out, writes. */
#include "weaksam/pilot.h"

#include <math.h>

#include "base/locale.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/pilot/page.h"

void wsam_pilot_options_default(wsam_pilot_options *o)
{
    *o = (wsam_pilot_options){.n_costs = 3,
                              .costs = {{20, 1, 0}, {1, 1, 0}, {1, 5, 0}},
                              .iou = 0.5,
                              .seconds_per_mask = 79,
                              .images = 10000};
}

static wsam_status check(const wsam_pilot_options *o, wsam_error *error)
{
    if (!o->output || o->n_costs > WSAM_PILOT_MAX_COSTS || (o->rules && !o->n_costs))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "a pilot needs the folder of a run, and at most %d costs",
                       WSAM_PILOT_MAX_COSTS);
    if (!(o->iou > 0 && o->iou <= 1) || !(o->seconds_per_mask > 0))
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "IoU is above 0 and at most 1, and a mask takes time");
    for (size_t k = 0; k < o->n_costs; k++) {
        const wsam_pilot_costs *c = &o->costs[k];
        if (!(c->false_detection > 0 && c->miss > 0 && c->look >= 0) ||
            !isfinite(c->false_detection + c->miss + c->look))
            return ws_fail(
                error, WSAM_ERR_ARGUMENT,
                "costs of false detections and misses are above 0, of looking not below");
    }
    return WSAM_OK;
}

typedef wsam_status (*writer_fn)(const ws_pilot_facts *f, FILE *to, wsam_error *error);

static wsam_status write_one(ws_outputs *out, const ws_pilot_facts *f, const char *path,
                             writer_fn fn, wsam_error *error)
{
    FILE *to = ws_outputs_open(out, path, error);
    if (!to)
        return error ? error->status : WSAM_ERR_IO;
    const wsam_status status = fn(f, to, error);
    return status ? status : ws_outputs_close(out, error);
}

static wsam_status write_files(const ws_pilot_facts *f, wsam_error *error)
{
    ws_outputs out = {0};
    wsam_status status = WSAM_OK;
    if (f->o->page)
        status = write_one(&out, f, f->o->page, ws_pilot_page, error);
    if (f->o->json && !status)
        status = write_one(&out, f, f->o->json, ws_pilot_json, error);
    if (f->o->rules && !status)
        status = write_one(&out, f, f->o->rules, ws_pilot_json_rules, error);
    return ws_outputs_finish(&out, status, error);
}

static wsam_pilot_figure public_figure(ws_figure f)
{
    return (wsam_pilot_figure){f.value, f.low, f.high, f.few};
}

static wsam_pilot_summary summarize(const ws_pilot_facts *f)
{
    return (wsam_pilot_summary){.images = f->data.sample.n_pictures,
                                .unfinished = f->data.unfinished,
                                .ranked = f->data.ranked,
                                .unknown = f->data.unknown,
                                .detections = f->data.sample.n,
                                .objects = (size_t)f->everything.n_objects,
                                .precision = public_figure(f->everything.precision),
                                .recall = public_figure(f->everything.recall),
                                .false_per_image = public_figure(f->everything.wrong),
                                .missed_per_image = public_figure(f->everything.missed),
                                .brier_before = f->brier_before,
                                .brier_after = f->brier_after,
                                .ece_before = f->ece_before,
                                .ece_after = f->ece_after};
}

wsam_status wsam_pilot(const wsam_pilot_options *options, wsam_pilot_summary *summary,
                       wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_pilot_facts f;
    wsam_status status = check(options, error);
    if (status)
        return status;
    const locale_t before = ws_locale_plain();
    status = ws_pilot_facts_make(options, &f, error);
    if (!status) {
        status = write_files(&f, error);
        if (summary)
            *summary = summarize(&f);
        ws_pilot_facts_free(&f);
    }
    ws_locale_restore(before);
    return status;
}
