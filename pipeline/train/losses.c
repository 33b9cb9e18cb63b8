/* pipeline/train/losses.c - see losses.h. */
#include "pipeline/train/losses.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- boxes ---- */

double ws_losses_box_iou(const double a[4], const double b[4])
{
    const double w = fmin(a[2], b[2]) - fmax(a[0], b[0]);
    const double h = fmin(a[3], b[3]) - fmax(a[1], b[1]);
    if (w <= 0.0 || h <= 0.0)
        return 0.0;
    const double both = w * h;
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}

void ws_losses_box_encode(const double target[4], const double box[4], double delta[4])
{
    for (int i = 0; i < 2; i++) {
        const double size = box[i + 2] - box[i], wanted = target[i + 2] - target[i];
        delta[i] = 10.0 * (0.5 * (target[i] + target[i + 2]) - 0.5 * (box[i] + box[i + 2])) / size;
        delta[i + 2] = 5.0 * log(wanted / size);
    }
}

void ws_losses_box_decode(const double delta[4], const double box[4], double out[4])
{
    const double most = log(1000.0 / 16.0);
    for (int i = 0; i < 2; i++) {
        const double size = box[i + 2] - box[i];
        const double centre = box[i] + 0.5 * size + delta[i] / 10.0 * size;
        const double half = 0.5 * size * exp(fmin(delta[i + 2] / 5.0, most));
        out[i] = centre - half;
        out[i + 2] = centre + half;
    }
}

/* ---- softmax ---- */

static double row_max(size_t c, const double *x)
{
    double top = x[0];
    for (size_t j = 1; j < c; j++)
        top = x[j] > top ? x[j] : top;
    return top;
}

void ws_losses_softmax_rows(size_t n, size_t c, const double *x, size_t ldx, double *y)
{
    for (size_t i = 0; i < n; i++, x += ldx, y += c) {
        const double top = row_max(c, x);
        double sum = 0.0;
        for (size_t j = 0; j < c; j++)
            sum += y[j] = exp(x[j] - top);
        for (size_t j = 0; j < c; j++)
            y[j] /= sum;
    }
}

/* Adds x[i*ld] over i < n: chunks of 64, then the chunks. */
static double sum_rows(size_t n, const double *x, size_t ld)
{
    double total = 0.0;
    for (size_t i = 0; i < n; i += WS_SUM_CHUNK) {
        double part = 0.0;
        for (size_t k = i; k < n && k < i + WS_SUM_CHUNK; k++)
            part += x[k * ld];
        total += part;
    }
    return total;
}

static void softmax_columns(size_t n, size_t c, const double *x, size_t ldx, double *y)
{
    for (size_t j = 0; j < c; j++) {
        double top = x[j];
        for (size_t i = 1; i < n; i++)
            top = x[i * ldx + j] > top ? x[i * ldx + j] : top;
        for (size_t i = 0; i < n; i++)
            y[i * c + j] = exp(x[i * ldx + j] - top);
        const double sum = sum_rows(n, y + j, c);
        for (size_t i = 0; i < n; i++)
            y[i * c + j] /= sum;
    }
}

/* ---- two-stream MIL ---- */

/* Also the derivative by p; it is used where the clamp is active too (straight through). */
static double image_loss(size_t c, const double *p, const uint8_t *y, double *g)
{
    const double least = 1e-6;
    double loss = 0.0;
    for (size_t j = 0; j < c; j++) {
        /* not by fmin and fmax, which would make a number of NaN */
        const double held = p[j] < least ? least : p[j] > 1.0 - least ? 1.0 - least : p[j];
        loss -= y[j] ? log(held) : log(1.0 - held);
        g[j] = (held - y[j]) / ((double)c * held * (1.0 - held));
    }
    return loss / (double)c;
}

double ws_losses_mil(size_t n, size_t c, const double *a, const double *b, size_t ld,
                     const uint8_t *y, double *s, double *p, double *da, double *db, double *work)
{
    double *sigma = work, *delta = work + n * c, *g = delta; /* delta is needed no more then */
    ws_losses_softmax_rows(n, c, a, ld, sigma);
    softmax_columns(n, c, b, ld, delta);
    for (size_t i = 0; i < n * c; i++)
        s[i] = sigma[i] * delta[i];
    for (size_t j = 0; j < c; j++)
        p[j] = sum_rows(n, s + j, c);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < c; j++)
            db[i * ld + j] = s[i * c + j] - delta[i * c + j] * p[j];
    const double loss = image_loss(c, p, y, g);
    for (size_t i = 0; i < n; i++) {
        double inner = 0.0;
        for (size_t j = 0; j < c; j++)
            inner += g[j] * s[i * c + j];
        for (size_t j = 0; j < c; j++) {
            da[i * ld + j] = g[j] * s[i * c + j] - sigma[i * c + j] * inner;
            db[i * ld + j] *= g[j];
        }
    }
    return loss;
}

/* ---- refinement ---- */

static int by_score(const void *x, const void *y)
{
    const ws_ranked *a = x, *b = y;
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* The instances of one class, at most `kept` candidates; returns how many were added to `seeds`. */
static size_t class_seeds(size_t n, size_t c, size_t j, const double *scores,
                          const double (*boxes)[4], size_t kept, ws_ranked *order, size_t *seeds)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        order[i] = (ws_ranked){scores[i * c + j], i};
    qsort(order, n, sizeof *order, by_score);
    for (size_t r = 0; r < kept; r++) {
        int free_of_better = 1;
        for (size_t q = 0; q < r && free_of_better; q++)
            free_of_better = ws_losses_box_iou(boxes[order[r].at], boxes[order[q].at]) < 0.2;
        if (free_of_better)
            seeds[found++] = order[r].at * c + j;
    }
    return found;
}

size_t ws_losses_refine_assign(size_t n, size_t c, const double *scores, const double (*boxes)[4],
                               const uint8_t *y, int oicr, ws_assignment *out, ws_ranked *work,
                               size_t *seeds)
{
    const size_t kept = oicr || n < 10 ? 1 : (size_t)(0.15 * (double)n);
    size_t found = 0;
    for (size_t j = 1; j < c && n; j++)
        if (y[j])
            found += class_seeds(n, c, j, scores, boxes, kept, work, seeds + found);
    for (size_t i = 0; i < n; i++) {
        double best = -1.0;
        size_t of = 0;
        for (size_t k = 0; k < found; k++) {
            const double iou = ws_losses_box_iou(boxes[i], boxes[seeds[k] / c]);
            if (iou > best) {
                best = iou;
                of = seeds[k];
            }
        }
        out->label[i] = (oicr ? best > 0.5 : best >= 0.5) ? (int)(of % c) : 0;
        out->weight[i] = found ? scores[of] : 0.0;
        memset(out->target[i], 0, sizeof out->target[i]);
        if (found)
            ws_losses_box_encode(boxes[of / c], boxes[i], out->target[i]);
    }
    return found;
}

/* Cross-entropy of one row; writes softmax - [label] times `factor`. */
static double cross_entropy(size_t c, const double *x, size_t label, double factor, double *dx)
{
    const double top = row_max(c, x);
    double sum = 0.0;
    for (size_t j = 0; j < c; j++)
        sum += dx[j] = exp(x[j] - top);
    for (size_t j = 0; j < c; j++)
        dx[j] = factor * (dx[j] / sum - (j == label ? 1.0 : 0.0));
    return log(sum) + top - x[label];
}

ws_refine_result ws_losses_refine(size_t n, size_t c, const double *r, const double *t, size_t ld,
                                  const ws_assignment *targets, double lambda, double *dr,
                                  double *dt)
{
    ws_refine_result loss = {0.0, 0.0};
    for (size_t i = 0; i < n; i++, r += ld, t += ld, dr += ld, dt += ld) {
        const size_t label = (size_t)targets->label[i];
        const double w = lambda / (double)n * targets->weight[i];
        loss.classification += w * cross_entropy(c, r, label, w, dr);
        memset(dt, 0, 4 * c * sizeof *dt);
        for (size_t j = 4 * label; label && j < 4 * label + 4; j++) {
            const double d = t[j] - targets->target[i][j - 4 * label], size = fabs(d);
            loss.regression += w * (size < 1.0 ? 0.5 * d * d : size - 0.5);
            dt[j] = w * fmin(fmax(d, -1.0), 1.0);
        }
    }
    return loss;
}

/* ---- retraining ---- */

void ws_losses_drop(const ws_drop_rule *rule, int foreground, double cls, double reg, int *a,
                    int *b)
{
    const int over_cls = cls > rule->threshold_cls;
    const int over_reg = foreground && reg > rule->threshold_reg;
    *a = *b = 1;
    switch (rule->mode) {
    case WS_DROP_NONE:
        break;
    case WS_DROP_JOINT:
        *a = *b = !(over_cls && over_reg);
        break;
    case WS_DROP_INDEP:
        *a = !(foreground && over_cls);
        *b = !over_reg;
        break;
    case WS_DROP_INDEP_V1:
    case WS_DROP_RANGE:
        *a = !(over_cls || over_reg);
        *b = !over_reg;
        break;
    case WS_DROP_TOP:
        break;
    }
}

/* The range of the losses of an image; at least 1e-12. */
static void loss_range(size_t n, const int *label, const ws_detect_roi *rois, double range[2])
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i++) {
        low[0] = fmin(low[0], rois[i].cls);
        high[0] = fmax(high[0], rois[i].cls);
        if (label[i]) {
            low[1] = fmin(low[1], rois[i].reg);
            high[1] = fmax(high[1], rois[i].reg);
        }
    }
    for (int k = 0; k < 2; k++)
        range[k] = fmax(high[k] - low[k], 1e-12);
}

/* Keeps a foreground loss when more than `share` of the foreground's are at least as large. */
static void decide_top(const ws_drop_rule *rule, size_t n, const int *label, ws_detect_roi *rois)
{
    size_t foreground = 0;
    for (size_t i = 0; i < n; i++)
        foreground += label[i] > 0;
    const size_t most_cls = (size_t)(rule->threshold_cls * (double)foreground);
    const size_t most_reg = (size_t)(rule->threshold_reg * (double)foreground);
    for (size_t i = 0; i < n; i++) {
        size_t cls = 0, reg = 0; /* as large as it, itself included */
        rois[i].keep_cls = rois[i].keep_reg = 1;
        for (size_t j = 0; j < n && label[i]; j++) {
            cls += label[j] && !(rois[j].cls < rois[i].cls);
            reg += label[j] && !(rois[j].reg < rois[i].reg);
        }
        if (label[i]) {
            rois[i].keep_cls = cls > most_cls;
            rois[i].keep_reg = reg > most_reg;
        }
    }
}

/* What counts of the RoIs of an image. */
static void decide_all(const ws_drop_rule *rule, size_t n, const int *label, ws_detect_roi *rois)
{
    double range[2] = {1.0, 1.0};
    if (rule->mode == WS_DROP_TOP) {
        decide_top(rule, n, label, rois);
        return;
    }
    if (rule->mode == WS_DROP_RANGE)
        loss_range(n, label, rois, range);
    for (size_t i = 0; i < n; i++)
        ws_losses_drop(rule, label[i] > 0, rois[i].cls / range[0], rois[i].reg / range[1],
                       &rois[i].keep_cls, &rois[i].keep_reg);
}

ws_refine_result ws_losses_detect(size_t n, size_t c, const double *s, const double *u, size_t ld,
                                  const int *label, const double (*target)[4], const double *weight,
                                  double total, const ws_drop_rule *rule, ws_detect_roi *rois,
                                  double *ds, double *du)
{
    ws_refine_result loss = {0.0, 0.0};
    for (size_t i = 0; i < n; i++) {
        const size_t l = (size_t)label[i];
        const double w = weight ? weight[i] : 1.0;
        rois[i].cls = cross_entropy(c, s + i * ld, l, w / total, ds + i * ld);
        rois[i].reg = 0.0;
        memset(du + i * ld, 0, 4 * c * sizeof *du);
        for (size_t j = 4 * l; l && j < 4 * l + 4; j++) {
            const double d = u[i * ld + j] - target[i][j - 4 * l];
            rois[i].reg += fabs(d);
            du[i * ld + j] = w * (double)((d > 0.0) - (d < 0.0)) / total;
        }
    }
    decide_all(rule, n, label, rois);
    for (size_t i = 0; i < n; i++, ds += ld, du += ld) {
        ws_detect_roi *roi = &rois[i];
        const size_t l = (size_t)label[i];
        const double w = weight ? weight[i] : 1.0;
        if (w > 1.0)
            roi->keep_cls = roi->keep_reg = 1;
        for (size_t j = 0; j < c && !roi->keep_cls; j++)
            ds[j] = 0.0;
        for (size_t j = 4 * l; l && j < 4 * l + 4 && !roi->keep_reg; j++)
            du[j] = 0.0;
        loss.classification += roi->keep_cls ? w * roi->cls / total : 0.0;
        loss.regression += roi->keep_reg ? w * roi->reg / total : 0.0;
    }
    return loss;
}
