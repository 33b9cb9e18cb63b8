/* pipeline/regions/judge.c - see judge.h. */
#include "pipeline/regions/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/train/random.h"

enum { RESAMPLES = 200, WS_STREAM_BOOTSTRAP = 41 };

/* ---- average precision ---- */

double ws_judge_roc_area(size_t n, const double *scores, const uint8_t *labels)
{
    double above = 0.0, pairs = 0.0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n && labels[i]; k++)
            if (!labels[k]) {
                pairs += 1.0;
                above += scores[i] > scores[k] ? 1.0 : scores[i] < scores[k] ? 0.0 : 0.5;
            }
    return pairs > 0.0 ? above / pairs : -1.0;
}

/* A heap sort: its order depends on nothing but the values. */
static int before(const double *scores, uint32_t a, uint32_t b)
{
    return scores[a] > scores[b] || (!(scores[a] < scores[b]) && a < b);
}

static void sift(const double *scores, uint32_t *order, size_t at, size_t n)
{
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(scores, order[child], order[child + 1]))
            child++;
        if (!before(scores, order[at], order[child]))
            return;
        const uint32_t held = order[at];
        order[at] = order[child];
        order[child] = held;
    }
}

static void sort_best_first(const double *scores, uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n / 2; i-- > 0;)
        sift(scores, order, i, n);
    for (size_t i = n; i-- > 1;) {
        const uint32_t held = order[0];
        order[0] = order[i];
        order[i] = held;
        sift(scores, order, 0, i);
    }
}

double ws_judge_average_precision(size_t n, const double *scores, const uint8_t *labels,
                                  uint32_t *order)
{
    size_t positives = 0, hits = 0;
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        positives += labels[i];
    if (!positives || positives == n)
        return -1.0;
    sort_best_first(scores, order, n);
    for (size_t i = 0; i < n; i++)
        if (labels[order[i]])
            sum += (double)++hits / (double)(i + 1);
    return sum / (double)positives;
}

/* ---- one class ---- */

typedef struct column {
    size_t n;
    double *scores, *drawn, aps[RESAMPLES];
    uint8_t *labels, *drawn_labels;
    uint32_t *order;
} column;

static wsam_status column_create(column *c, size_t n, wsam_error *error)
{
    c->n = n;
    c->scores = malloc((n + 1) * sizeof *c->scores);
    c->drawn = malloc((n + 1) * sizeof *c->drawn);
    c->labels = malloc(n + 1);
    c->drawn_labels = malloc(n + 1);
    c->order = malloc((n + 1) * sizeof *c->order);
    return c->scores && c->drawn && c->labels && c->drawn_labels && c->order
               ? WSAM_OK
               : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a judgement");
}

static void column_free(column *c)
{
    free(c->scores);
    free(c->drawn);
    free(c->labels);
    free(c->drawn_labels);
    free(c->order);
}

static int shows(const wsam_labels *l, size_t picture, size_t class_index)
{
    for (size_t k = l->first[picture]; k < l->first[picture + 1]; k++)
        if ((size_t)l->classes[k] == class_index)
            return 1;
    return 0;
}

static void column_take(column *c, const wsam_labels *l, const uint32_t *judged,
                        const double *probabilities, size_t class_index)
{
    for (size_t i = 0; i < c->n; i++) {
        c->scores[i] = probabilities[i * l->n_classes + class_index];
        c->labels[i] = (uint8_t)shows(l, judged[i], class_index);
    }
}

double ws_judge_mean_ap(const wsam_labels *l, const uint32_t *judged, size_t n,
                        const double *probabilities)
{
    column c = {0};
    double sum = 0.0, classes = 0.0;
    if (!column_create(&c, n, NULL))
        for (size_t k = 0; k < l->n_classes; k++) {
            column_take(&c, l, judged, probabilities, k);
            const double ap = ws_judge_average_precision(n, c.scores, c.labels, c.order);
            sum += ap >= 0.0 ? ap : 0.0;
            classes += ap >= 0.0;
        }
    column_free(&c);
    return classes > 0.0 ? sum / classes : -1.0;
}

static int by_size(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* The middle 90 % of the APs of pictures drawn again and again. */
static void bootstrap(column *c, uint64_t seed, size_t class_index, wsam_class_judgement *out)
{
    size_t n = 0;
    for (uint64_t r = 0; r < RESAMPLES; r++) {
        const uint64_t key = ws_key(seed, WS_STREAM_BOOTSTRAP, class_index, r);
        for (size_t i = 0; i < c->n; i++) {
            const size_t at = (size_t)(((ws_draw(key, i) >> 32) * c->n) >> 32);
            c->drawn[i] = c->scores[at];
            c->drawn_labels[i] = c->labels[at];
        }
        const double ap = ws_judge_average_precision(c->n, c->drawn, c->drawn_labels, c->order);
        if (ap >= 0.0)
            c->aps[n++] = ap;
    }
    out->low = out->high = out->ap;
    if (!n)
        return;
    qsort(c->aps, n, sizeof *c->aps, by_size);
    out->low = fmin(c->aps[n / 20], out->ap);
    out->high = fmax(c->aps[n - 1 - n / 20], out->ap);
}

/* The pictures that are judged worst: the probability far from what the list says. */
static void find_errors(const column *c, const uint32_t *judged, wsam_class_judgement *out)
{
    double last = INFINITY;
    size_t after = 0; /* of those as wrong as the last one, the first that is not listed */
    while (out->n_errors < sizeof out->errors / sizeof out->errors[0]) {
        double worst = 0.5;
        size_t at = c->n;
        for (size_t i = 0; i < c->n; i++) {
            const double wrong = c->labels[i] ? 1.0 - c->scores[i] : c->scores[i];
            const int open = wrong < last || (!(wrong > last) && i >= after);
            if (open && wrong > worst) {
                worst = wrong;
                at = i;
            }
        }
        if (at == c->n)
            return;
        out->errors[out->n_errors++] = judged[at];
        after = at + 1;
        last = worst;
    }
}

/* ---- confusions ---- */

/* A picture that shows m, which is not seen, and where f is seen, which it does not show: counted
 * for both. */
static wsam_status count_confusions(const wsam_labels *l, const uint32_t *judged, size_t n,
                                    const double *p, wsam_judgement *out, wsam_error *error)
{
    const size_t classes = l->n_classes;
    size_t *pairs = calloc(classes * classes, sizeof *pairs);
    if (!pairs)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a judgement");
    for (size_t i = 0; i < n; i++)
        for (size_t k = l->first[judged[i]]; k < l->first[judged[i] + 1]; k++) {
            const size_t m = (size_t)l->classes[k];
            for (size_t f = 0; f < classes && p[i * classes + m] < 0.5; f++)
                if (p[i * classes + f] > 0.5 && !shows(l, judged[i], f)) {
                    pairs[m * classes + f]++;
                    pairs[f * classes + m]++;
                }
        }
    for (size_t c = 0; c < classes; c++)
        for (size_t f = 0; f < classes; f++)
            if (pairs[c * classes + f] > out->classes[c].confusions) {
                out->classes[c].confusions = pairs[c * classes + f];
                out->classes[c].confused_with = (int)f;
            }
    free(pairs);
    return WSAM_OK;
}

/* ---- all ---- */

static wsam_status judge_class(column *c, const wsam_labels *l, const uint32_t *judged,
                               const double *probabilities, size_t k, uint64_t seed,
                               wsam_class_judgement *out, wsam_error *error)
{
    out->confused_with = -1;
    out->name = strdup(l->names[k]);
    if (!out->name)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a judgement");
    for (size_t i = 0; i < l->first[l->n]; i++)
        out->pictures += (size_t)l->classes[i] == k;
    column_take(c, l, judged, probabilities, k);
    for (size_t i = 0; i < c->n; i++)
        out->judged += c->labels[i];
    out->ap = ws_judge_average_precision(c->n, c->scores, c->labels, c->order);
    out->roc_area = ws_judge_roc_area(c->n, c->scores, c->labels);
    out->low = out->high = -1.0;
    if (out->pictures < 2)
        out->ap = out->roc_area = -1.0; /* nothing was left to learn it from */
    if (out->ap >= 0.0)
        bootstrap(c, seed, k, out);
    find_errors(c, judged, out);
    return WSAM_OK;
}

wsam_status ws_judge(const wsam_labels *l, const ws_split *split, const uint32_t *judged, size_t n,
                     const double *probabilities, uint64_t seed, wsam_judgement *out,
                     wsam_error *error)
{
    column c = {0};
    double sum = 0.0, classes = 0.0;
    out->pictures = l->n;
    out->judged = n;
    out->folds = split->cross ? split->parts : 0;
    out->classes = calloc(l->n_classes + 1, sizeof *out->classes);
    wsam_status status = out->classes
                             ? column_create(&c, n, error)
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a judgement");
    for (size_t k = 0; k < l->n_classes && !status; k++) {
        out->n_classes = k + 1;
        status = judge_class(&c, l, judged, probabilities, k, seed, &out->classes[k], error);
        sum += out->classes[k].ap >= 0.0 ? out->classes[k].ap : 0.0;
        classes += out->classes[k].ap >= 0.0;
    }
    out->map = classes > 0.0 ? sum / classes : -1.0;
    if (!status)
        status = count_confusions(l, judged, n, probabilities, out, error);
    column_free(&c);
    return status;
}
