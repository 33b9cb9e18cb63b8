/* pipeline/learn/verdict.c - see verdict.h. */
#include "pipeline/learn/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/coco/box_overlap.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/train/fit.h"
#include "weaksam/stages.h"

/* Twice as many labels, or half of them, is another kind of label. A head that tells classes by
 * chance has learnt nothing; half-trained heads that never agree on a box follow noise. */
static const double most_growth = 2.0, least_share = 0.5, least_skill = 0.2, least_agreement = 0.1;

static int is_label(const wsam_instance *a)
{
    return a->reviewed != WSAM_REVIEWED_REJECTED && !a->crowd;
}

/* Labels of image i and a class. */
static size_t count_class(const wsam_coco_document *d, size_t i, const char *name)
{
    size_t n = 0;
    for (size_t k = d->first[i]; k < d->first[i + 1]; k++) {
        const wsam_instance *a = &d->instances.items[k];
        n += is_label(a) && strcmp(d->class_names[a->class_index], name) == 0;
    }
    return n;
}

static ws_label_stats count(const wsam_coco_document *d)
{
    ws_label_stats s = {0};
    for (size_t i = 0; i < d->n_images; i++)
        for (size_t c = 0; c < d->n_classes; c++) {
            const size_t n = count_class(d, i, d->class_names[c]);
            s.boxes += n;
            s.pairs += n > 0;
        }
    return s;
}

static int meets(const wsam_coco_document *d, size_t i, const wsam_coco_document *e, size_t j,
                 const char *name)
{
    for (size_t k = d->first[i]; k < d->first[i + 1]; k++)
        for (size_t m = e->first[j]; m < e->first[j + 1]; m++) {
            const wsam_instance *a = &d->instances.items[k], *b = &e->instances.items[m];
            if (is_label(a) && is_label(b) && strcmp(d->class_names[a->class_index], name) == 0 &&
                strcmp(e->class_names[b->class_index], name) == 0 &&
                ws_box_overlap_iou(a->bbox, b->bbox) >= 0.5)
                return 1;
        }
    return 0;
}

static wsam_status count_met(const wsam_coco_document *d, const wsam_coco_document *e, size_t *met,
                             wsam_error *error)
{
    ws_name_index names;
    const wsam_status status = ws_image_names_make(&names, e->file_names, e->n_images, error);
    *met = 0;
    for (size_t i = 0; i < d->n_images && !status; i++) {
        const size_t j = ws_image_names_find(&names, d->file_names[i]);
        for (size_t c = 0; c < d->n_classes && j != SIZE_MAX; c++)
            *met += (size_t)meets(d, i, e, j, d->class_names[c]);
    }
    ws_image_names_free(&names);
    return status;
}

__attribute__((format(printf, 3, 4))) static void say(ws_verdict *v, int better, const char *format,
                                                      ...)
{
    va_list args;
    v->better = better;
    va_start(args, format);
    vsnprintf(v->why, sizeof v->why, format, args);
    va_end(args);
}

static void judge(ws_verdict *v)
{
    const wsam_train_fit *f = &v->fit;
    const double skill = f->chance < 1 ? (f->label_ap - f->chance) / (1 - f->chance) : 0;
    const double growth = v->first.boxes ? (double)v->learnt.boxes / (double)v->first.boxes : 1;
    if (!v->learnt.boxes)
        say(v, 0, "there are none");
    else if (growth > most_growth || growth < least_share)
        say(v, 0, "%zu labels became %zu, which no better knowledge of the same objects does",
            v->first.boxes, v->learnt.boxes);
    else if (f->label_ap >= 0 && skill < least_skill)
        say(v, 0,
            "heads on half of the images tell classes of the others hardly better than a "
            "guess (AP %.1f, a guess %.1f)",
            100 * f->label_ap, 100 * f->chance);
    else if (f->label_ap >= 0 && f->agreement < least_agreement)
        say(v, 0, "heads on half of the images find the same box in %.0f %% of %llu cases alone",
            100 * f->agreement, (unsigned long long)f->pairs);
    else
        say(v, 1,
            "%zu labels became %zu, and %zu of %zu kinds of object in an image are where "
            "they were",
            v->first.boxes, v->learnt.boxes, v->met, v->first.pairs);
}

wsam_status ws_verdict_make(const char *first, const char *learnt, const char *fit, ws_verdict *v,
                            wsam_error *error)
{
    wsam_coco_document *d = NULL, *e = NULL;
    int fitted = 0;
    *v = (ws_verdict){.fit.label_ap = -1};
    wsam_status status = wsam_coco_load(first, NULL, &d, error);
    if (!status)
        status = wsam_coco_load(learnt, NULL, &e, error);
    if (!status) {
        v->first = count(d);
        v->learnt = count(e);
        status = count_met(d, e, &v->met, error);
    }
    if (!status)
        status = ws_fit_read(fit, &v->fit, &fitted, error);
    if (!fitted)
        v->fit.label_ap = -1;
    if (!status)
        judge(v);
    wsam_coco_free(d);
    wsam_coco_free(e);
    return status;
}
