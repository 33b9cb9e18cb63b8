/* pipeline/learn/self_train_steps.c - training and scoring on the files of a learning run. */
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
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
    o.progress = l->o->events.training;
    o.progress_user = l->o->events.user;
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
    o.progress = l->o->events.progress;
    o.progress_user = l->o->events.user;
    wsam_detect_summary sum;
    const wsam_status status = wsam_detect_files(&o, output, &sum, error);
    if (!status)
        ws_self_train_remark(l, "%zu images, %zu boxes", sum.images, sum.boxes);
    return status;
}
