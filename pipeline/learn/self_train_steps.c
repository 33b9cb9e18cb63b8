/* pipeline/learn/self_train_steps.c - training, scoring and choosing labels on the files of a learning run. */
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/learn/blend.h"
#include "pipeline/learn/self_train.h"

void ws_self_train_remark(const ws_learning *l, const char *format, ...)
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

wsam_status ws_self_train_train(const ws_learning *l, const char *labels, const char *state_folder,
                                const char *output, wsam_error *error)
{
    ws_path features, proposals, pgt, state;
    const int retrain = labels != NULL;
    const wsam_train_input input = {.features = ws_self_train_path(l, features, "features"),
                                    .proposals =
                                        ws_self_train_path(l, proposals, "../proposals.jsonl"),
                                    .labels = l->o->labels,
                                    .images = l->o->images,
                                    .pgt = ws_self_train_path(l, pgt, retrain ? labels : "")};
    wsam_train_options o = retrain ? l->o->retrain : l->o->mil;
    o.stage = retrain ? WSAM_TRAIN_RETRAIN : WSAM_TRAIN_MIL;
    o.state = ws_self_train_path(l, state, state_folder);
    o.threads = l->o->models.runtime.threads;
    o.isa = l->o->models.runtime.isa;
    o.progress = ws_self_train_training;
    o.progress_user = l->watch;
    wsam_train_summary sum = {0};
    wsam_train_fit fit = {.label_ap = -1};
    o.fit = &fit;
    const wsam_status status = wsam_train_files(&input, &o, output, &sum, error);
    if (!status && fit.label_ap >= 0)
        ws_self_train_remark(
            l,
            "%llu iterations; heads on half of the images: image labels of the others AP %.1f "
            "(a guess: %.1f), the same best box in %.0f %% of %llu cases",
            (unsigned long long)fit.iterations, 100 * fit.label_ap, 100 * fit.chance,
            100 * fit.agreement, (unsigned long long)fit.pairs);
    if (sum.unlabelled)
        ws_self_train_remark(l, "%zu of %zu images have no labels: left out", sum.unlabelled,
                             sum.images);
    return status;
}

wsam_status ws_self_train_score(const ws_learning *l, const char *head, const char *output,
                                wsam_error *error)
{
    ws_path path, features, proposals;
    wsam_detect_files_options o;
    wsam_detect_files_options_default(&o);
    o.head = ws_self_train_path(l, path, head);
    o.features = ws_self_train_path(l, features, "features");
    o.proposals = ws_self_train_path(l, proposals, "../proposals.jsonl");
    o.models = l->o->models;
    o.images = l->o->images;
    o.labels = l->o->labels;
    o.detect = l->o->detect;
    o.progress = ws_self_train_progress;
    o.progress_user = l->watch;
    wsam_detect_summary sum;
    const wsam_status status = wsam_detect_files(&o, output, &sum, error);
    if (!status)
        ws_self_train_remark(l, "%zu images, %zu boxes", sum.images, sum.boxes);
    return status;
}

wsam_status ws_self_train_load_scores(const ws_learning *l, const char *scores,
                                      wsam_coco_document **d, wsam_error *error)
{
    ws_path path;
    const wsam_status status = wsam_coco_load(ws_self_train_path(l, path, scores), NULL, d, error);
    return status ? status
                  : ws_blend_scores(*d, ws_self_train_path(l, path, "../scores.json"), error);
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
        ws_self_train_remark(l, "%zu reviewed images are not among these images", unknown);
    wsam_coco_free(truth);
    return status;
}

wsam_status ws_self_train_choose(const ws_learning *l, const char *scores, const char *output,
                                 wsam_error *error)
{
    wsam_coco_document *d = NULL;
    wsam_pgt_summary sum = {0};
    wsam_truth_counts before = {0};
    wsam_status status = ws_self_train_load_scores(l, scores, &d, error);
    const size_t scored = d ? d->instances.n : 0;
    if (!status && *l->reviewed)
        status = adopt(l, d, &before, error);
    if (!status)
        status = wsam_pgt_document(d, NULL, &l->o->pgt, output, &sum, error);
    if (!status)
        ws_self_train_remark(
            l,
            "%zu images, %zu scored boxes; %zu pseudo labels; left out: %zu not chosen, %zu "
            "for what people decided",
            d->n_images, scored, sum.written, sum.not_chosen,
            sum.truth.again + sum.truth.refused + sum.truth.complete + before.again +
                before.refused + before.complete);
    wsam_coco_free(d);
    return status;
}

void ws_self_train_drop_checkpoints(const ws_learning *l, const char *state)
{
    static const char end[] = ".safetensors";
    ws_path path;
    DIR *folder = opendir(ws_self_train_path(l, path, state));
    const struct dirent *e;
    while (folder && (e = readdir(folder)) != NULL) {
        const size_t n = strlen(e->d_name);
        if (n > sizeof end && strcmp(e->d_name + n + 1 - sizeof end, end) == 0)
            unlinkat(dirfd(folder), e->d_name, 0);
    }
    if (folder)
        closedir(folder);
}
