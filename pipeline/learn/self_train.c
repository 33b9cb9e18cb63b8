/* pipeline/learn/self_train.c - all steps of learning over the files of a run, each of them once. */
#include "pipeline/learn/self_train.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "kernels/float_scope.h"
#include "pipeline/learn/verdict.h"
#include "weaksam/report.h"

static const char *const files[WSAM_SELF_TRAIN_STEPS] = {
    "features",        "mil.wsam",   "scores.json", "pgt.json",   "head.wsam",
    "detections.json", "boxes.json", "masks.json",  "review.html"};

const char *wsam_self_train_step_name(wsam_self_train_step step)
{
    return (unsigned)step < WSAM_SELF_TRAIN_STEPS ? files[step] : NULL;
}

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

/* ---- what the results belong to ---- */

/* The classes that images have: a new one wants another head. */
static void put_classes(const ws_learning *l, ws_text *t)
{
    const wsam_labels *list = l->o->list;
    for (size_t c = 0; list && c < list->n_classes; c++)
        for (size_t i = 0; i < list->first[list->n]; i++)
            if (list->classes[i] == (int32_t)c) {
                ws_json_string(t, list->names[c]);
                break;
            }
    ws_text_put(t, "\n", 1);
}

/* What heads follow from: the configuration, the classes, what people decided; but not the images,
 * so that more of them leave what was learnt as it is. With `results`, also what the stages gave. */
static wsam_status make_key(const ws_learning *l, int results, ws_text *t, wsam_error *error)
{
    ws_path path;
    char proposals[17] = "", points[17] = "", reviewed[17] = "";
    wsam_status status = WSAM_OK;
    if (results)
        status = wsam_file_checksum(ws_learn_path(l, path, "../proposals.jsonl"), proposals, error);
    if (!status && results)
        status = wsam_file_checksum(ws_learn_path(l, path, "../points.jsonl"), points, error);
    if (!status && *l->reviewed)
        status = wsam_file_checksum(l->reviewed, reviewed, error);
    if (status)
        return status;
    ws_text_printf(t, "%s\n%s %s %s\n", l->o->config, proposals, points, reviewed);
    put_classes(l, t);
    return t->failed ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for the configuration") : WSAM_OK;
}

static int key_is(const char *path, const char *key)
{
    const size_t n = strlen(key);
    char *old = malloc(n + 1);
    FILE *f = fopen(path, "rb");
    const int same = old && f && fread(old, 1, n + 1, f) == n && memcmp(old, key, n) == 0;
    if (f)
        fclose(f);
    free(old);
    return same;
}

static wsam_status write_key(const char *path, const char *key, wsam_error *error)
{
    FILE *f = fopen(path, "wb");
    const int written = f && fputs(key, f) >= 0;
    if ((f && fclose(f)) || !written)
        return ws_fail(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
    return WSAM_OK;
}

/* Other options, classes or decisions: all goes. */
static void drop_all(const ws_learning *l)
{
    ws_path path;
    ws_remove_files(ws_learn_path(l, path, "mil"));
    ws_remove_files(ws_learn_path(l, path, "retrain"));
    ws_remove_files(l->folder);
}

/* Other images: heads stay, what they say is asked again, and the cache grows. */
static void drop_results(const ws_learning *l)
{
    static const wsam_self_train_step results[] = {
        WSAM_SELF_TRAIN_SCORES, WSAM_SELF_TRAIN_PGT,   WSAM_SELF_TRAIN_DETECTIONS,
        WSAM_SELF_TRAIN_BOXES,  WSAM_SELF_TRAIN_MASKS, WSAM_SELF_TRAIN_REVIEW};
    ws_path path, before;
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++)
        unlink(ws_learn_path(l, path, files[results[i]]));
    rename(ws_learn_path(l, path, "features"), ws_learn_path(l, before, "features.before"));
}

/* Results of other options or other proposals go; the maps belong to the stages. */
static wsam_status drop_stale(const ws_learning *l, wsam_error *error)
{
    ws_path path;
    ws_text learnt = {0}, results = {0};
    wsam_status status = make_key(l, 0, &learnt, error);
    if (!status)
        status = make_key(l, 1, &results, error);
    const int same = !status && key_is(ws_learn_path(l, path, "learnt"), learnt.text);
    if (!status && (!same || l->o->relearn)) {
        drop_all(l);
        status = write_key(ws_learn_path(l, path, "learnt"), learnt.text, error);
        if (!status)
            status = write_key(ws_learn_path(l, path, "key"), results.text, error);
    } else if (!status && !key_is(ws_learn_path(l, path, "key"), results.text)) {
        ws_path head;
        if (access(ws_learn_path(l, head, files[WSAM_SELF_TRAIN_RETRAIN]), F_OK))
            drop_all(l); /* nothing was learnt to its end */
        else
            drop_results(l);
        status = write_key(ws_learn_path(l, path, "learnt"), learnt.text, error);
        if (!status)
            status = write_key(ws_learn_path(l, path, "key"), results.text, error);
    }
    free(learnt.text);
    free(results.text);
    return status;
}

/* ---- the steps ---- */

static void remark(const ws_learning *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void remark(const ws_learning *l, const char *format, ...)
{
    char line[512];
    va_list args;
    if (!l->o->events.remark)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    l->o->events.remark(l->o->events.user, line);
}

static wsam_status train(const ws_learning *l, int retrain, const char *output, wsam_error *error)
{
    ws_path features, proposals, pgt, state;
    const wsam_train_input input = {.features = ws_learn_path(l, features, "features"),
                                    .proposals = ws_learn_path(l, proposals, "../proposals.jsonl"),
                                    .labels = l->o->labels,
                                    .images = l->o->images,
                                    .pgt = ws_learn_path(l, pgt, "pgt.json")};
    wsam_train_options o = retrain ? l->o->retrain : l->o->mil;
    o.stage = retrain ? WSAM_TRAIN_RETRAIN : WSAM_TRAIN_MIL;
    o.state = ws_learn_path(l, state, retrain ? "retrain" : "mil");
    o.threads = l->o->models.runtime.threads;
    o.isa = l->o->models.runtime.isa;
    o.progress = l->o->events.training;
    o.progress_user = l->o->events.user;
    wsam_train_summary sum = {0};
    wsam_train_fit fit = {.label_ap = -1};
    o.fit = &fit;
    const wsam_status status = wsam_train_files(&input, &o, output, &sum, error);
    if (!status && fit.label_ap >= 0)
        remark(l,
               "%llu iterations; heads on half of the images: image labels of the others AP %.1f "
               "(a guess: %.1f), the same best box in %.0f %% of %llu cases",
               (unsigned long long)fit.iterations, 100 * fit.label_ap, 100 * fit.chance,
               100 * fit.agreement, (unsigned long long)fit.pairs);
    if (sum.unlabelled)
        remark(l, "%zu of %zu images have no labels: left out", sum.unlabelled, sum.images);
    return status;
}

static wsam_status score(const ws_learning *l, const char *head, const char *output,
                         wsam_error *error)
{
    ws_path path, features, proposals;
    wsam_detect_files_options o;
    wsam_detect_files_options_default(&o);
    o.head = ws_learn_path(l, path, head);
    o.features = ws_learn_path(l, features, "features");
    o.proposals = ws_learn_path(l, proposals, "../proposals.jsonl");
    o.models = l->o->models;
    o.images = l->o->images;
    o.labels = l->o->labels;
    o.detect = l->o->detect;
    o.progress = l->o->events.progress;
    o.progress_user = l->o->events.user;
    wsam_detect_summary sum;
    const wsam_status status = wsam_detect_files(&o, output, &sum, error);
    if (!status)
        remark(l, "%zu images, %zu boxes", sum.images, sum.boxes);
    return status;
}

/* What people decided in OUTPUT/reviewed.json goes before what machines found. */
static wsam_status adopt(const ws_learning *l, wsam_coco_document *d, wsam_truth_counts *counts,
                         wsam_error *error)
{
    wsam_coco_document *truth = NULL;
    size_t unknown = 0;
    wsam_status status = wsam_coco_load(l->reviewed, NULL, &truth, error);
    if (!status)
        status = wsam_coco_adopt(d, truth, counts, &unknown, error);
    if (!status && unknown)
        remark(l, "%zu reviewed images are not among these images", unknown);
    wsam_coco_free(truth);
    return status;
}

static wsam_status choose_boxes(const ws_learning *l, const char *scores, const char *output,
                                wsam_error *error)
{
    ws_path path;
    wsam_coco_document *d = NULL;
    wsam_pgt_summary sum = {0};
    wsam_truth_counts before = {0};
    wsam_status status = wsam_coco_load(ws_learn_path(l, path, scores), NULL, &d, error);
    const size_t scored = d ? d->instances.n : 0;
    if (!status && *l->reviewed)
        status = adopt(l, d, &before, error);
    if (!status)
        status = wsam_pgt_document(d, NULL, &l->o->pgt, output, &sum, error);
    if (!status)
        remark(l,
               "%zu images, %zu scored boxes; %zu pseudo labels; left out: %zu not chosen, %zu "
               "for what people decided",
               d->n_images, scored, sum.written, sum.not_chosen,
               sum.truth.again + sum.truth.refused + sum.truth.complete + before.again +
                   before.refused + before.complete);
    wsam_coco_free(d);
    return status;
}

/* ---- which labels ---- */

/* The labels that are taken: the retrained head's, the first head's, or those of before. */
static const char *const candidates[] = {"boxes.json", "pgt.json", NULL};

static wsam_status choose_labels(const ws_learning *l, const char **chosen, wsam_error *error)
{
    ws_path first, learnt, fit;
    ws_verdict v;
    for (int i = 0; candidates[i]; i++) {
        const wsam_status status = ws_verdict_make(
            ws_learn_path(l, first, "../pgt.json"), ws_learn_path(l, learnt, candidates[i]),
            ws_learn_path(l, fit, "mil/fit.json"), &v, error);
        if (status)
            return status;
        *chosen = candidates[i];
        if (v.better) {
            remark(l, "labels of %s are taken: %s", candidates[i], v.why);
            return WSAM_OK;
        }
        remark(l, "labels of %s are not taken: %s", candidates[i], v.why);
    }
    *chosen = NULL;
    remark(l, "nothing was learnt that is better: masks.json is the one of before");
    return WSAM_OK;
}

static wsam_status copy_file(const char *from, const char *to, wsam_error *error)
{
    char bytes[1 << 14];
    size_t n;
    ws_outputs out = {0};
    FILE *in = fopen(from, "rb");
    FILE *f = in ? ws_outputs_open(&out, to, error) : NULL;
    wsam_status status = WSAM_OK;
    if (!in)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", from, strerror(errno));
    else if (!f)
        status = WSAM_ERR_IO;
    while (f && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
        fwrite(bytes, 1, n, f);
    if (f && ferror(in))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", from, strerror(errno));
    if (f && !status)
        status = ws_outputs_close(&out, error);
    if (in)
        fclose(in);
    return ws_outputs_finish(&out, status, error);
}

static wsam_status segment(ws_learning *l, const char *output, wsam_error *error)
{
    ws_path path;
    const char *chosen = NULL;
    wsam_status status = choose_labels(l, &chosen, error);
    if (status)
        return status;
    if (!chosen)
        return copy_file(ws_learn_path(l, path, "../masks.json"), output, error);
    const wsam_self_train_events *e = &l->o->events;
    const wsam_masks_document_options o = {.images = l->o->images,
                                           .limits = l->o->models.limits,
                                           .progress = e->progress,
                                           .progress_user = e->user,
                                           .failed = e->failed,
                                           .failed_user = e->user};
    wsam_masks_summary sum = {0};
    ws_image_maps maps = {.n = 0};
    wsam_coco_document *d = NULL;
    status = wsam_coco_load_masks(ws_learn_path(l, path, chosen), NULL, &d, error);
    if (!status)
        status = ws_image_maps_open(&l->o->models, 0, &maps, error);
    if (!status)
        status = wsam_masks_document(maps.segmenter, d, &o, output, &sum, error);
    if (!status)
        remark(l, "%zu images, %zu failed; %zu boxes, %zu masks; left out: %zu without a pixel",
               sum.images, sum.failed, sum.boxes, sum.written, sum.empty);
    l->failed = sum.failed;
    ws_image_maps_close(&maps);
    wsam_coco_free(d);
    return status;
}

/* The labels that the head was trained on, those first that it could not believe. */
static wsam_status review(const ws_learning *l, const char *output, wsam_error *error)
{
    ws_path dataset, suspects;
    wsam_report_options o;
    wsam_report_options_default(&o);
    o.dataset = ws_learn_path(l, dataset, "pgt.json");
    o.folder = l->o->images;
    o.output = output;
    o.suspects = ws_learn_path(l, suspects, "retrain/pgt_suspects.json");
    o.limits = l->o->models.limits;
    o.progress = l->o->events.progress;
    o.progress_user = l->o->events.user;
    wsam_report_summary sum;
    const wsam_status status = wsam_report(&o, &sum, error);
    if (!status)
        remark(l, "%zu instances of %zu images on the page, %zu left out", sum.instances,
               sum.pictures, sum.left_out);
    return status;
}

static wsam_status run_step(ws_learning *l, wsam_self_train_step step, const char *output,
                            wsam_error *error)
{
    switch (step) {
    case WSAM_SELF_TRAIN_FEATURES:
        return ws_learn_cache(l, output, error);
    case WSAM_SELF_TRAIN_MIL:
        return train(l, 0, output, error);
    case WSAM_SELF_TRAIN_SCORES:
        return score(l, files[WSAM_SELF_TRAIN_MIL], output, error);
    case WSAM_SELF_TRAIN_PGT:
        return choose_boxes(l, files[WSAM_SELF_TRAIN_SCORES], output, error);
    case WSAM_SELF_TRAIN_RETRAIN:
        return train(l, 1, output, error);
    case WSAM_SELF_TRAIN_DETECTIONS:
        return score(l, files[WSAM_SELF_TRAIN_RETRAIN], output, error);
    case WSAM_SELF_TRAIN_BOXES:
        return choose_boxes(l, files[WSAM_SELF_TRAIN_DETECTIONS], output, error);
    case WSAM_SELF_TRAIN_MASKS:
        return segment(l, output, error);
    case WSAM_SELF_TRAIN_REVIEW:
    case WSAM_SELF_TRAIN_STEPS:
    default:
        return review(l, output, error);
    }
}

/* Results are files that appear when they are complete: a step whose file is there is done. */
static wsam_status do_steps(ws_learning *l, unsigned *ran, wsam_error *error)
{
    ws_path output;
    wsam_status status = WSAM_OK;
    for (int i = 0; i < WSAM_SELF_TRAIN_STEPS && !status; i++) {
        const wsam_self_train_step step = (wsam_self_train_step)i;
        if (access(ws_learn_path(l, output, files[i]), F_OK)) {
            if (l->o->events.step)
                l->o->events.step(l->o->events.user, step);
            *ran |= 1u << i;
            status = run_step(l, step, output, error);
        }
        if (step == WSAM_SELF_TRAIN_FEATURES && !status)
            ws_learn_drop_maps(l);
    }
    return status;
}

static wsam_status lock_folder(const ws_learning *l, int *lock, wsam_error *error)
{
    ws_path path;
    *lock = open(ws_learn_path(l, path, ".lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0)
        return ws_fail(error, WSAM_ERR_IO, "%.300s: %s", l->folder, strerror(errno));
    if (flock(*lock, LOCK_EX | LOCK_NB))
        return ws_fail(error, WSAM_ERR_CANCELLED, "%.300s: another process learns from this run",
                       l->folder);
    return WSAM_OK;
}

wsam_status wsam_self_train(const wsam_self_train_options *options,
                            wsam_self_train_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_learning l = {.o = options};
    unsigned ran = 0;
    int lock = -1;
    char *maps = NULL;
    wsam_status status = wsam_self_train_prepare(options->output, &maps, error);
    free(maps);
    if (status)
        return status;
    snprintf(l.folder, sizeof l.folder, "%.4000s/learn", options->output);
    if (!options->models.model || !options->models.clue_model || !options->images ||
        !options->labels)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "self-training needs a model, a clue model, images and labels");
    snprintf(l.reviewed, sizeof l.reviewed, "%.4000s/reviewed.json", options->output);
    if (access(l.reviewed, F_OK))
        *l.reviewed = 0;
    status = lock_folder(&l, &lock, error);
    if (!status)
        status = drop_stale(&l, error);
    if (!status)
        status = do_steps(&l, &ran, error);
    if (lock >= 0)
        close(lock);
    if (summary)
        *summary = (wsam_self_train_summary){ran, l.failed};
    return status;
}
