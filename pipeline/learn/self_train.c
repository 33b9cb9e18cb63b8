/* pipeline/learn/self_train.c - all steps of learning over the files of a run, each of them once. */
#include "pipeline/learn/self_train.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/dataset/journal.h"
#include "pipeline/dataset/lease.h"
#include "pipeline/learn/held_out.h"
#include "pipeline/learn/verdict.h"
#include "weaksam/report.h"

void wsam_self_train_options_default(wsam_self_train_options *o)
{
    *o = (wsam_self_train_options){.config = "", .feature_seed = 1};
    wsam_feature_models_default(&o->models);
    wsam_train_options_default(WSAM_TRAIN_MIL, &o->mil);
    wsam_train_options_default(WSAM_TRAIN_RETRAIN, &o->retrain);
    wsam_detect_options_default(&o->detect);
    o->detect.min_score = 0.0;
    o->detect.nms = 0.3;
    wsam_pgt_options_default(&o->pgt);
}

/* ---- which labels ---- */

/* The labels that are taken: the retrained head's, the first head's, or those of before. */
static const char *const candidates[] = {"boxes.json", "pgt.json", NULL};

/* Images that people reviewed say it better than any sign: the best of the three, and the later one
 * of equals. */
static const char *choose_judged(const ws_learning *l, const ws_judged *j)
{
    const char *chosen = j->learnt >= j->mil && j->learnt >= j->first ? candidates[0]
                         : j->mil >= j->first                         ? candidates[1]
                                                                      : NULL;
    ws_self_train_remark(l, "labels of %s are taken: they are best on the %zu complete images",
                         chosen ? chosen : "the stages", j->complete);
    return chosen;
}

static wsam_status choose_labels(const ws_learning *l, const char **chosen, wsam_error *error)
{
    ws_path first, learnt, fit;
    ws_verdict v;
    ws_judged judged;
    const wsam_status read = ws_held_out_read(
        ws_self_train_path(l, fit, ws_learn_files[WSAM_SELF_TRAIN_JUDGED]), &judged, error);
    if (read)
        return read;
    if (judged.complete >= WS_HELD_OUT_LEAST) {
        *chosen = choose_judged(l, &judged);
        return WSAM_OK;
    }
    for (int i = 0; candidates[i]; i++) {
        const wsam_status status =
            ws_verdict_make(ws_self_train_path(l, first, "../pgt.json"),
                            ws_self_train_path(l, learnt, candidates[i]),
                            ws_self_train_path(l, fit, "mil/fit.json"), &v, error);
        if (status)
            return status;
        *chosen = candidates[i];
        if (v.better) {
            ws_self_train_remark(l, "labels of %s are taken: %s", candidates[i], v.why);
            return WSAM_OK;
        }
        ws_self_train_remark(l, "labels of %s are not taken: %s", candidates[i], v.why);
    }
    *chosen = NULL;
    ws_self_train_remark(l, "nothing was learnt that is better: masks.json is the one of before");
    return WSAM_OK;
}

static wsam_status segment(ws_learning *l, const char *output, wsam_error *error)
{
    ws_path path;
    const char *chosen = NULL;
    wsam_status status = choose_labels(l, &chosen, error);
    if (status)
        return status;
    if (!chosen)
        return ws_outputs_copy(ws_self_train_path(l, path, "../masks.json"), output, error);
    const wsam_self_train_events *e = &l->o->events;
    const wsam_masks_document_options o = {.images = l->o->images,
                                           .limits = l->o->models.limits,
                                           .progress = ws_self_train_progress,
                                           .progress_user = l->watch,
                                           .failed = e->failed,
                                           .failed_user = e->user};
    wsam_masks_summary sum = {0};
    ws_image_maps maps = {.n = 0};
    wsam_coco_document *d = NULL;
    status = wsam_coco_load_masks(ws_self_train_path(l, path, chosen), NULL, &d, error);
    if (!status)
        status = ws_image_maps_open(&l->o->models, 0, &maps, error);
    if (!status)
        status = wsam_masks_document(maps.segmenter, d, &o, output, &sum, error);
    if (!status)
        ws_self_train_remark(
            l, "%zu images, %zu failed; %zu boxes, %zu masks; left out: %zu without a pixel",
            sum.images, sum.failed, sum.boxes, sum.written, sum.empty);
    l->failed = sum.failed;
    ws_image_maps_close(&maps);
    wsam_coco_free(d);
    return status;
}

/* The final masks, as they become final.json: what is decided on the page is about that file. */
static wsam_status review(const ws_learning *l, const char *output, wsam_error *error)
{
    ws_path dataset;
    wsam_report_options o;
    wsam_report_options_default(&o);
    o.dataset = ws_self_train_path(l, dataset, ws_learn_files[WSAM_SELF_TRAIN_MASKS]);
    o.title = "final.json";
    o.folder = l->o->images;
    o.output = output;
    o.limits = l->o->models.limits;
    o.progress = ws_self_train_progress;
    o.progress_user = l->watch;
    wsam_report_summary sum;
    const wsam_status status = wsam_report(&o, &sum, error);
    if (!status)
        ws_self_train_remark(l, "%zu instances of %zu images on the page, %zu left out",
                             sum.instances, sum.pictures, sum.left_out);
    return status;
}

static wsam_status run_step(ws_learning *l, wsam_self_train_step step, const char *output,
                            wsam_error *error)
{
    switch (step) {
    case WSAM_SELF_TRAIN_FEATURES:
        return ws_self_train_cache(l, output, error);
    case WSAM_SELF_TRAIN_MIL:
        return ws_self_train_train(l, NULL, "mil", output, error);
    case WSAM_SELF_TRAIN_SCORES:
        return ws_self_train_score(l, ws_learn_files[WSAM_SELF_TRAIN_MIL], output, error);
    case WSAM_SELF_TRAIN_PGT:
        return ws_self_train_choose(l, ws_learn_files[WSAM_SELF_TRAIN_SCORES], output, error);
    case WSAM_SELF_TRAIN_RETRAIN:
        return ws_self_train_retrain(l, output, error);
    case WSAM_SELF_TRAIN_DETECTIONS:
        return ws_self_train_score(l, ws_learn_files[WSAM_SELF_TRAIN_RETRAIN], output, error);
    case WSAM_SELF_TRAIN_BOXES:
        return ws_self_train_choose(l, ws_learn_files[WSAM_SELF_TRAIN_DETECTIONS], output, error);
    case WSAM_SELF_TRAIN_JUDGED:
        return ws_held_out_make(l, output, error);
    case WSAM_SELF_TRAIN_MASKS:
        return segment(l, output, error);
    case WSAM_SELF_TRAIN_REVIEW:
    case WSAM_SELF_TRAIN_STEPS:
    default:
        return review(l, output, error);
    }
}

/* Results are files that appear when they are complete: a step whose file is there is done. What a step needed and
 * nobody reads again is no fault where it stays. A process that stood still while another took over stops: that one may
 * learn with other options. */
static wsam_status do_steps(ws_learning *l, unsigned *ran, wsam_error *error)
{
    ws_path output;
    wsam_status status = WSAM_OK;
    for (int i = 0; i < WSAM_SELF_TRAIN_STEPS && !status; i++) {
        const wsam_self_train_step step = (wsam_self_train_step)i;
        int there;
        status = ws_file_there(ws_self_train_path(l, output, ws_learn_files[i]), &there, error);
        if (!status && !there) {
            if (l->o->events.step)
                l->o->events.step(l->o->events.user, step);
            *ran |= 1u << i;
            status = run_step(l, step, output, error);
        }
        if (ws_lease_keeper_lost(&l->watch->keeper))
            return ws_fail(error, WSAM_ERR_CANCELLED, "%s: another process has begun to learn",
                           l->folder);
        if (step == WSAM_SELF_TRAIN_FEATURES && !status)
            ws_self_train_cache_drop_maps(l);
        if (step == WSAM_SELF_TRAIN_MIL && !status)
            ws_self_train_drop_checkpoints(l, "mil");
        if (step == WSAM_SELF_TRAIN_RETRAIN && !status)
            ws_self_train_retrain_clear(l, NULL);
    }
    return status;
}

static int is_asked_to_stop(void *user)
{
    const ws_learning *l = user;
    return l->o->events.progress && l->o->events.progress(l->o->events.user, 0.0);
}

/* One process learns from a run. Another waits: what it wants is there afterwards. */
static wsam_status take_folder(ws_learning *l, ws_lease *lease, wsam_error *error)
{
    ws_path path;
    wsam_status status = ws_lease_create(lease, ws_self_train_path(l, path, ".lease"), error);
    if (!status && l->o->lease_seconds > 0)
        lease->patience = l->o->lease_seconds;
    return status ? status : ws_lease_wait(lease, is_asked_to_stop, l, error);
}

/* The run that is learnt from is this process's: a run of other labels may have begun when the stages of this one were
 * through. From here on it does not (ws_shards_idle). */
static wsam_status hold_run(const ws_learning *l, ws_lease *lease, wsam_error *error)
{
    const wsam_labels *labels = l->o->list;
    char note[32];
    ws_manifest m;
    wsam_status status = ws_run_manifest_note(l->o->output, note, error);
    if (status || strcmp(note, "-") == 0)
        return status;
    if (!ws_lease_set_note(lease, note))
        return ws_fail(error, WSAM_ERR_CANCELLED, "%s: another process has begun to learn",
                       l->folder);
    status = labels ? ws_manifest_load(l->o->output, &m, error) : WSAM_OK;
    if (status || !labels)
        return status;
    int same = m.n == labels->n && m.n_classes == labels->n_classes;
    for (size_t i = 0; i < m.n && same; i++)
        same = strcmp(m.images[i], labels->images[i]) == 0;
    for (size_t i = 0; i < m.n_classes && same; i++)
        same = strcmp(m.classes[i], labels->names[i]) == 0;
    ws_manifest_free(&m);
    return same ? WSAM_OK
                : ws_fail(error, WSAM_ERR_MISMATCH,
                          "%s: another process works on it with other images or classes",
                          l->o->output);
}

/* The lease says who learns. Locks of training states are those of a process that was silent: one that is frozen still
 * holds them, on files that nobody else opens from now on. */
static void drop_locks(const ws_learning *l)
{
    static const char *const locks[] = {"mil/.lock", "again/.lock", "retrain/.lock", "fold-0/.lock",
                                        "fold-1/.lock"};
    ws_path path;
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++)
        unlink(ws_self_train_path(l, path, locks[i]));
}

wsam_status wsam_self_train(const wsam_self_train_options *options,
                            wsam_self_train_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_learning_watch watch = {.events = &options->events};
    ws_learning l = {.o = options, .watch = &watch};
    unsigned ran = 0;
    ws_lease lease = {0};
    char *maps = NULL;
    wsam_status status = wsam_self_train_prepare(options->output, &maps, error);
    free(maps);
    if (status)
        return status;
    snprintf(l.folder, sizeof l.folder, "%.4000s/learn", options->output);
    if (!options->models.model || !options->images || !options->labels)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "self-training needs a model, images and labels");
    snprintf(l.reviewed, sizeof l.reviewed, "%.4000s/reviewed.json", options->output);
    int there;
    status = ws_file_there(l.reviewed, &there, error);
    if (status)
        return status;
    if (!there)
        *l.reviewed = 0;
    status = take_folder(&l, &lease, error);
    if (status)
        return status;
    status = hold_run(&l, &lease, error);
    if (status) {
        ws_lease_release(&lease);
        return status;
    }
    ws_lease_keeper_start(&watch.keeper, &lease);
    drop_locks(&l);
    status = ws_self_train_key_drop_stale(&l, error);
    if (!status)
        status = do_steps(&l, &ran, error);
    ws_lease_keeper_stop(&watch.keeper);
    ws_lease_release(&lease);
    if (summary)
        *summary = (wsam_self_train_summary){ran, l.failed};
    return status;
}
