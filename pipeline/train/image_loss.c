/* pipeline/train/image_loss.c - losses of one image of a batch, by stage; counters of RoI drop. */
#include <string.h>

#include "pipeline/train/trainer.h"

typedef struct image_step {
    ws_trainer *t;
    ws_batch_item *item;
    size_t c, out, n;
    double *y, *dy, *rest; /* outputs and gradients in double; more scratch */
    double factor;         /* of the loss: 1 / images */
} image_step;

/* ---- MIL ---- */

static void image_labels(const ws_train_image *image, uint8_t *y, size_t c)
{
    memset(y, 0, c);
    for (size_t i = 0; i < image->n_labels; i++)
        y[image->labels[i]] = 1;
}

/* Scores of the head before: the two streams' for the first, the softmax for the others. */
static void refine(image_step *s, const double *scores, const uint8_t *labels, double *rest)
{
    static const double lambda[3] = {3.0, 1.0, 1.0};
    const size_t n = s->n, c = s->c;
    ws_trainer *t = s->t;
    const size_t row = s->item->first;
    double(*boxes)[4] = (void *)rest;
    ws_assignment targets = {t->label + row, rest + 4 * n, t->target + row};
    ws_ranked *ranked = (void *)(rest + 5 * n);
    size_t *seeds = (void *)(rest + 7 * n);
    double *soft = rest + 7 * n + n * c;
    for (size_t i = 0; i < 4 * n; i++)
        boxes[i / 4][i % 4] = (double)t->boxes[row + i / 4][i % 4];
    for (size_t k = 0; k < 3; k++) {
        const double *r = s->y + (2 + k) * c, *d = s->y + (5 + 4 * k) * c;
        ws_losses_refine_assign(n, c, scores, (const double(*)[4])boxes, labels, t->config.oicr,
                                &targets, ranked, seeds);
        const ws_refine_result loss = ws_losses_refine(
            n, c, r, d, s->out, &targets, lambda[k], s->dy + (2 + k) * c, s->dy + (5 + 4 * k) * c);
        s->item->loss[WS_LOSS_CLS] += s->factor * loss.classification;
        s->item->loss[WS_LOSS_REG] += s->factor * loss.regression;
        ws_losses_softmax_rows(n, c, r, s->out, soft);
        scores = soft;
    }
}

static void mil_losses(image_step *s)
{
    const size_t n = s->n, c = s->c;
    double *scores = s->rest, *p = scores + n * c, *work = p + c;
    uint8_t *labels = (void *)(work + 2 * n * c);
    double *rest = work + 2 * n * c + c;
    image_labels(&s->t->data->images[s->item->image], labels, c);
    s->item->loss[WS_LOSS_IMAGE] = s->factor * ws_losses_mil(n, c, s->y, s->y + c, s->out, labels,
                                                             scores, p, s->dy, s->dy + c, work);
    refine(s, scores, labels, rest);
}

/* ---- retraining ---- */

static ws_drop_rule current_rule(const ws_trainer *t)
{
    ws_drop_rule rule = t->config.drop;
    if ((double)t->iteration < t->config.drop_start * (double)t->iterations)
        rule.mode = WS_DROP_NONE;
    return rule;
}

static void detect_losses(image_step *s)
{
    ws_trainer *t = s->t;
    const size_t row = s->item->first;
    const ws_drop_rule rule = current_rule(t);
    const ws_refine_result loss =
        ws_losses_detect(s->n, s->c, s->y, s->y + s->c, s->out, t->label + row,
                         (const double(*)[4])(t->target + row), t->weight + row, t->total_weight,
                         &rule, t->rois + row, s->dy, s->dy + s->c);
    s->item->loss[WS_LOSS_CLS] = loss.classification;
    s->item->loss[WS_LOSS_REG] = loss.regression;
}

void ws_image_loss_item(ws_trainer *t, ws_batch_item *item, size_t row, double *scratch)
{
    const int mil = t->config.stage == WS_STAGE_MIL;
    image_step s = {.t = t,
                    .item = item,
                    .c = t->data->classes + 1,
                    .out = t->head.out[2],
                    .n = item->n,
                    .factor = mil ? 1.0 / (double)t->n_items : 1.0};
    const size_t values = s.n * s.out;
    const float *y = t->work.y + row * s.out;
    float *dy = t->work.dy + row * s.out;
    s.y = scratch;
    s.dy = s.y + values;
    s.rest = s.dy + values;
    for (size_t i = 0; i < values; i++)
        s.y[i] = (double)y[i];
    if (mil)
        mil_losses(&s);
    else
        detect_losses(&s);
    for (size_t i = 0; i < values; i++)
        dy[i] = (float)(s.factor * s.dy[i]);
}

/* ---- counters ---- */

static void count_roi(double *counts, const ws_drop_rule *rule, int foreground,
                      const ws_detect_roi *roi)
{
    const int shares = rule->mode == WS_DROP_RANGE || rule->mode == WS_DROP_TOP;
    const int over_cls = shares ? !roi->keep_cls : roi->cls > rule->threshold_cls;
    const int over_reg = foreground && (shares ? !roi->keep_reg : roi->reg > rule->threshold_reg);
    counts[WS_COUNT_ROIS] += 1;
    counts[WS_COUNT_FOREGROUND] += foreground;
    counts[WS_COUNT_OVER_CLS] += foreground && over_cls && !over_reg;
    counts[WS_COUNT_OVER_REG] += over_reg && !over_cls;
    counts[WS_COUNT_OVER_BOTH] += over_reg && over_cls;
    counts[WS_COUNT_DROPPED_CLS] += !roi->keep_cls;
    counts[WS_COUNT_DROPPED_REG] += foreground && !roi->keep_reg;
    counts[WS_COUNT_BACKGROUND_OVER] += !foreground && over_cls;
    counts[WS_COUNT_SUM_CLS] += roi->cls;
    counts[WS_COUNT_SUM_REG] += roi->reg;
    counts[WS_COUNT_SUM_CLS_KEPT] += roi->keep_cls ? roi->cls : 0.0;
    counts[WS_COUNT_SUM_REG_KEPT] += roi->keep_reg ? roi->reg : 0.0;
}

static size_t bin(double loss)
{
    const double at = loss * WS_BINS_PER_UNIT;
    return at < WS_LOSS_BINS ? (size_t)at : WS_LOSS_BINS - 1;
}

static void count_row(ws_trainer *t, size_t row, double *counts)
{
    const ws_detect_roi *roi = &t->rois[row];
    const size_t label = (size_t)t->label[row];
    double *bins = counts + (t->data->classes + 2) * WS_COUNTS;
    count_roi(counts, &t->config.drop, label > 0, roi);
    count_roi(counts + (1 + label) * WS_COUNTS, &t->config.drop, label > 0, roi);
    if (!label)
        return;
    bins[bin(roi->cls)] += 1;
    bins[WS_LOSS_BINS + bin(roi->reg)] += 1;
}

void ws_image_loss_count_drops(ws_trainer *t)
{
    const size_t rows = (size_t)t->total;
    for (size_t r = 0; r < rows; r++) {
        const ws_detect_roi *roi = &t->rois[r];
        for (int span = 0; span < WS_SPANS; span++)
            count_row(t, r, t->counts + (size_t)span * t->n_counts);
        if (!t->label[r])
            continue;
        t->truth_use[t->truth[r]][0]++;
        t->truth_use[t->truth[r]][1] += !roi->keep_cls || !roi->keep_reg;
    }
}
