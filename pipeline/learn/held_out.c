/* pipeline/learn/held_out.c - see held_out.h. */
#include "pipeline/learn/held_out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/input.h"
#include "base/json_parse.h"
#include "base/locale.h"
#include "base/outputs.h"
#include "pipeline/coco/dataset.h"
#include "weaksam/evaluate.h"

enum { FOLDS = 2 };

#define TRUTH  "held_out.truth.json"
#define BOXES  "held_out.json"
#define LABELS "held_out.labels.json"

typedef struct held {
    const ws_learning *l;
    wsam_coco_document *reviewed;
    int *fold; /* [reviewed images]: -1 where they are not complete */
    ws_name_index names;
    ws_judged found;
} held;

/* ---- who is held out ---- */

/* Seconds of review, among the members of an image that nothing else reads. */
static double seconds_of(const char *more)
{
    cJSON *root = NULL;
    double seconds = 0;
    char *text = more && *more == ',' ? strdup(more) : NULL;
    const size_t n = text ? strlen(text) : 0;
    char *object = text ? malloc(n + 2) : NULL;
    if (object) {
        snprintf(object, n + 2, "{%s}", text + 1);
        if (!ws_json_parse("the image", 0, object, n + 1, &root, NULL)) {
            const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "seconds");
            seconds = cJSON_IsNumber(item) && item->valuedouble > 0 ? item->valuedouble : 0;
        }
    }
    cJSON_Delete(root);
    free(object);
    free(text);
    return seconds;
}

static wsam_status deal(held *h, wsam_error *error)
{
    const wsam_coco_document *d = h->reviewed;
    h->fold = malloc((d->n_images + 1) * sizeof *h->fold);
    if (!h->fold)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the reviewed images");
    for (size_t i = 0; i < d->n_images; i++) {
        h->fold[i] = -1;
        h->found.seconds += seconds_of(d->more[i]);
        if (d->reviews[i] == WSAM_REVIEW_COMPLETE)
            h->fold[i] = (int)(h->found.complete++ % FOLDS);
    }
    return ws_image_names_make(&h->names, d->file_names, d->n_images, error);
}

/* The fold of an image of another document; -1: none. */
static int fold_of(const held *h, const char *name)
{
    const size_t i = ws_image_names_find(&h->names, name);
    return i == SIZE_MAX ? -1 : h->fold[i];
}

/* ---- documents ---- */

static wsam_status adopt(wsam_coco_document *d, const wsam_coco_document *truth, wsam_error *error)
{
    wsam_truth_counts counts = {0};
    return wsam_coco_adopt(d, truth, &counts, NULL, error);
}

/* What was decided about the images of a fold, taken back. */
static void forget(const held *h, wsam_coco_document *truth, int fold)
{
    for (size_t i = 0; i < truth->n_images; i++) {
        if (h->fold[i] != fold)
            continue;
        truth->reviews[i] = WSAM_REVIEW_NONE;
        for (size_t k = truth->first[i]; k < truth->first[i + 1]; k++)
            truth->instances.items[k].reviewed = WSAM_REVIEWED_NO;
    }
}

/* The images of a fold (-1: of all folds) of a document, to a writer. */
static wsam_status put_fold(const held *h, const wsam_coco_document *d, int fold,
                            wsam_coco_writer *w, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < d->n_images && !status; i++) {
        const int own = fold_of(h, d->file_names[i]);
        if (own < 0 || (fold >= 0 && own != fold))
            continue;
        const wsam_coco_image image = {.id = d->image_ids[i],
                                       .file_name = d->file_names[i],
                                       .width = d->sizes[2 * i],
                                       .height = d->sizes[2 * i + 1]};
        wsam_instances list = {0};
        list.items = malloc((d->first[i + 1] - d->first[i] + 1) * sizeof *list.items);
        if (!list.items)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the reviewed images");
        for (size_t k = d->first[i]; k < d->first[i + 1]; k++)
            if (d->instances.items[k].reviewed != WSAM_REVIEWED_REJECTED) {
                list.items[list.n] = d->instances.items[k];
                list.items[list.n].reviewed = WSAM_REVIEWED_NO; /* plain boxes, read by anything */
                list.items[list.n].json = NULL;
                list.items[list.n++].id = 0;
            }
        status = wsam_coco_put(w, &image, &list, error);
        free(list.items);
    }
    return status;
}

static wsam_status open_writer(const char *path, const wsam_coco_document *like,
                               wsam_coco_writer **w, wsam_error *error)
{
    const wsam_classes classes = {like->n_classes, (const char *const *)like->class_names,
                                  like->class_ids, like->id_texts};
    return wsam_coco_open(path, WSAM_COCO_BOXES, &classes, NULL, w, error);
}

/* ---- folds ---- */

static const char *named(const ws_learning *l, ws_path path, int fold, const char *end)
{
    char name[40];
    snprintf(name, sizeof name, "fold-%d%s", fold, end);
    return ws_self_train_path(l, path, name);
}

/* Pseudo labels as the second head gets them, but without what was decided about the fold. */
static wsam_status label_fold(const held *h, int fold, wsam_error *error)
{
    ws_path path;
    wsam_coco_document *d = NULL, *truth = NULL;
    wsam_status status = ws_self_train_load_scores(h->l, "scores.json", &d, error);
    if (!status)
        status = wsam_coco_load(h->l->reviewed, NULL, &truth, error);
    if (!status) {
        forget(h, truth, fold);
        status = adopt(d, truth, error);
    }
    if (!status)
        status = wsam_pgt_document(d, NULL, &h->l->o->pgt, named(h->l, path, fold, ".pgt.json"),
                                   NULL, error);
    wsam_coco_free(d);
    wsam_coco_free(truth);
    return status;
}

static wsam_status do_fold(const held *h, int fold, wsam_error *error)
{
    ws_path path;
    char labels[40], state[40], head[40];
    snprintf(labels, sizeof labels, "fold-%d.pgt.json", fold);
    snprintf(state, sizeof state, "fold-%d", fold);
    snprintf(head, sizeof head, "fold-%d.wsam", fold);
    int there;
    wsam_status status = ws_file_there(named(h->l, path, fold, ".json"), &there, error);
    if (status || there)
        return status;
    ws_self_train_remark(h->l, "a head that does not see half of the complete images (%d of %d)",
                         fold + 1, FOLDS);
    status = label_fold(h, fold, error);
    if (!status)
        status = ws_self_train_train(h->l, labels, state, named(h->l, path, fold, ".wsam"), error);
    if (!status)
        status = ws_self_train_score(h->l, head, named(h->l, path, fold, ".json"), error);
    return status;
}

wsam_status ws_held_out_drop(const ws_learning *l, wsam_error *error)
{
    static const char *const ends[] = {".pgt.json",    ".wsam", ".wsam.svg",
                                       ".safetensors", ".json", "/.lock"};
    ws_path path;
    wsam_status status = WSAM_OK;
    for (int fold = 0; fold < FOLDS && !status; fold++) {
        status = ws_self_train_cache_remove(named(l, path, fold, ""), error);
        for (size_t i = 0; i < sizeof ends / sizeof ends[0] && !status; i++)
            status = ws_file_remove(named(l, path, fold, ends[i]), error);
        rmdir(named(l, path, fold, ""));
    }
    return status;
}

static wsam_status join_folds(const held *h, wsam_error *error)
{
    ws_path path, output;
    wsam_coco_document *d[FOLDS] = {NULL};
    wsam_coco_writer *w = NULL;
    wsam_status status = WSAM_OK;
    for (int fold = 0; fold < FOLDS && !status; fold++)
        status = wsam_coco_load(named(h->l, path, fold, ".json"), NULL, &d[fold], error);
    if (!status)
        status = open_writer(ws_self_train_path(h->l, output, BOXES), d[0], &w, error);
    for (int fold = 0; fold < FOLDS && !status; fold++)
        status = put_fold(h, d[fold], fold, w, error);
    if (w)
        status = wsam_coco_finish(w, status, error);
    for (int fold = 0; fold < FOLDS; fold++)
        wsam_coco_free(d[fold]);
    return status;
}

/* ---- figures ---- */

/* What people left of the complete images, in all classes that machines know. */
static wsam_status write_truth(const held *h, wsam_error *error)
{
    ws_path path, output;
    wsam_coco_document *d = NULL, *truth = NULL;
    wsam_coco_writer *w = NULL;
    wsam_status status =
        wsam_coco_load(ws_self_train_path(h->l, path, "scores.json"), NULL, &d, error);
    if (!status)
        status = wsam_coco_load(h->l->reviewed, NULL, &truth, error);
    if (!status)
        status = adopt(d, truth, error);
    if (!status)
        status = open_writer(ws_self_train_path(h->l, output, TRUTH), d, &w, error);
    if (w)
        status = wsam_coco_finish(w, put_fold(h, d, -1, w, error), error);
    wsam_coco_free(d);
    wsam_coco_free(truth);
    return status;
}

/* The labels that would be chosen from scores, those of a head or (NULL) of the stages, on the complete images alone. */
static wsam_status write_labels(const held *h, const char *scores, wsam_error *error)
{
    ws_path path, chosen, output;
    wsam_coco_document *d = NULL;
    wsam_coco_writer *w = NULL;
    ws_self_train_path(h->l, chosen, "held_out.pgt.json");
    wsam_status status =
        scores ? ws_self_train_load_scores(h->l, scores, &d, error)
               : wsam_coco_load(ws_self_train_path(h->l, path, "../scores.json"), NULL, &d, error);
    if (!status)
        status = wsam_pgt_document(d, NULL, &h->l->o->pgt, chosen, NULL, error);
    wsam_coco_free(d);
    d = NULL;
    if (!status)
        status = wsam_coco_load(chosen, NULL, &d, error);
    if (!status)
        status = open_writer(ws_self_train_path(h->l, output, LABELS), d, &w, error);
    if (w)
        status = wsam_coco_finish(w, put_fold(h, d, -1, w, error), error);
    wsam_coco_free(d);
    unlink(chosen);
    return status;
}

static wsam_status measure(const held *h, const char *scores, double *ap50, wsam_error *error)
{
    ws_path path;
    wsam_eval_truth *truth = NULL;
    wsam_eval_results *results = NULL;
    wsam_eval_figures *figures = NULL;
    wsam_eval_options o;
    wsam_eval_options_default(&o);
    o.threads = h->l->o->models.runtime.threads;
    wsam_status status = write_labels(h, scores, error);
    if (!status)
        status = wsam_eval_read_truth(ws_self_train_path(h->l, path, TRUTH), NULL, &truth, error);
    if (!status)
        status = wsam_eval_read_results(truth, ws_self_train_path(h->l, path, LABELS), NULL,
                                        &results, error);
    if (!status)
        status = wsam_eval(truth, results, WSAM_EVAL_BBOX, &o, &figures, error);
    *ap50 = status ? -1 : figures->coco[WSAM_EVAL_AP50];
    wsam_eval_figures_free(figures);
    wsam_eval_results_free(results);
    wsam_eval_truth_free(truth);
    unlink(ws_self_train_path(h->l, path, LABELS));
    return status;
}

static const char format[] = "{\"complete\":%zu,\"seconds\":%.1f,\"first\":%.6f,\"mil\":%.6f,"
                             "\"learnt\":%.6f}\n";

static void print(FILE *f, const ws_judged *j)
{
    const locale_t before = ws_locale_plain();
    fprintf(f, format, j->complete, j->seconds, j->first, j->mil, j->learnt);
    ws_locale_restore(before);
}

/* One line more of the curve: what an hour of review has brought. */
static wsam_status extend_curve(const held *h, wsam_error *error)
{
    ws_path path;
    ws_self_train_path(h->l, path, "../review");
    mkdir(path, 0777); /* opening the file tells when that failed */
    FILE *f = fopen(ws_self_train_path(h->l, path, "../review/curve.jsonl"), "a");
    if (f)
        print(f, &h->found);
    if (!f || fclose(f))
        return ws_fail(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
    return WSAM_OK;
}

static wsam_status judge(held *h, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int fold = 0; fold < FOLDS && !status; fold++)
        status = do_fold(h, fold, error);
    if (!status)
        status = join_folds(h, error);
    if (!status)
        status = write_truth(h, error);
    if (!status)
        status = measure(h, NULL, &h->found.first, error);
    if (!status)
        status = measure(h, "scores.json", &h->found.mil, error);
    if (!status)
        status = measure(h, BOXES, &h->found.learnt, error);
    if (!status)
        status = extend_curve(h, error);
    if (!status) {
        ws_self_train_remark(h->l,
                             "%zu complete images, seen by no head that judges them: AP50 of the "
                             "stages' labels %.1f, of the first head's %.1f, of the second's %.1f",
                             h->found.complete, 100 * h->found.first, 100 * h->found.mil,
                             100 * h->found.learnt);
        ws_held_out_drop(h->l, NULL); /* nobody reads what stays */
    }
    return status;
}

wsam_status ws_held_out_make(const ws_learning *l, const char *output, wsam_error *error)
{
    ws_outputs out = {0};
    held h = {.l = l, .found = {.first = -1, .mil = -1, .learnt = -1}};
    wsam_status status =
        *l->reviewed ? wsam_coco_load(l->reviewed, NULL, &h.reviewed, error) : WSAM_OK;
    if (!status && h.reviewed)
        status = deal(&h, error);
    if (!status && h.found.complete >= WS_HELD_OUT_LEAST)
        status = judge(&h, error);
    FILE *f = status ? NULL : ws_outputs_open(&out, output, error);
    if (!status && !f)
        status = WSAM_ERR_IO;
    if (f) {
        print(f, &h.found);
        status = ws_outputs_close(&out, error);
    }
    ws_image_names_free(&h.names);
    wsam_coco_free(h.reviewed);
    free(h.fold);
    return ws_outputs_finish(&out, status, error);
}

wsam_status ws_held_out_read(const char *path, ws_judged *j, wsam_error *error)
{
    char *text;
    size_t size;
    int there;
    *j = (ws_judged){0};
    wsam_status status = ws_file_there(path, &there, error);
    if (!status && there)
        status = ws_input_whole(path, 4096, &text, &size, error);
    if (status || !there)
        return status == WSAM_ERR_FORMAT ? WSAM_OK : status; /* damaged */
    const locale_t before = ws_locale_plain();
    const int n =
        sscanf(text, "{\"complete\":%zu,\"seconds\":%lf,\"first\":%lf,\"mil\":%lf,\"learnt\":%lf}",
               &j->complete, &j->seconds, &j->first, &j->mil, &j->learnt);
    ws_locale_restore(before);
    free(text);
    if (n != 5)
        *j = (ws_judged){0};
    return WSAM_OK;
}
