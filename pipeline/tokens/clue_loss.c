/* pipeline/tokens/clue_loss.c - see clue_loss.h. */
#include "pipeline/tokens/clue_loss.h"

#include <math.h>
#include <string.h>

/* Of the neighbour at tap t of cell (y, x): its cell, or SIZE_MAX outside. */
static size_t neighbour(const ws_clue_cells *c, size_t y, size_t x, size_t t)
{
    const size_t v = y + t / 3, u = x + t % 3; /* one too large each */
    if (!v || !u || v > c->height || u > c->width)
        return SIZE_MAX;
    return (v - 1) * c->width + (u - 1);
}

void ws_clue_loss_map_branch(const ws_clue_cells *cells, size_t c, const double *values,
                             double *map)
{
    const size_t row = ws_clue_row(cells);
    const double *of = values + c * WS_CLUE_OUTPUTS;
    for (size_t y = 0; y < cells->height; y++)
        for (size_t x = 0; x < cells->width; x++) {
            double sum = 0.0;
            for (size_t t = 0; t < WS_CLUE_TAPS; t++) {
                const size_t p = neighbour(cells, y, x, t);
                if (p != SIZE_MAX)
                    sum += of[p * row + t];
            }
            map[y * cells->width + x] = sum;
        }
}

/* The gradient by F goes to every tap that was added. */
static void spread_back(const ws_clue_cells *cells, size_t c, const double *by_map,
                        double *gradient)
{
    const size_t row = ws_clue_row(cells);
    double *of = gradient + c * WS_CLUE_OUTPUTS;
    for (size_t y = 0; y < cells->height; y++)
        for (size_t x = 0; x < cells->width; x++)
            for (size_t t = 0; t < WS_CLUE_TAPS; t++) {
                const size_t p = neighbour(cells, y, x, t);
                if (p != SIZE_MAX)
                    of[p * row + t] = by_map[y * cells->width + x];
            }
}

void ws_clue_loss_attention(const ws_clue_cells *cells, size_t c, const double *values,
                            double *attention)
{
    const size_t n = cells->height * cells->width, row = ws_clue_row(cells);
    const double *of = values + c * WS_CLUE_OUTPUTS + WS_CLUE_ATTENTION;
    double most = of[0], sum = 0.0;
    for (size_t p = 1; p < n; p++)
        most = fmax(most, of[p * row]);
    for (size_t p = 0; p < n; p++)
        sum += attention[p] = exp(of[p * row] - most);
    for (size_t p = 0; p < n; p++)
        attention[p] /= sum;
}

static void swap(double *a, double *b)
{
    const double held = *a;
    *a = *b;
    *b = held;
}

/* The `count` largest of n to the front, in any order. */
static void select_best(size_t n, size_t count, double *v)
{
    for (size_t low = 0, high = n; low < count && count < high;) { /* left: the best of these */
        const double pivot = v[low + (high - low) / 2];
        size_t i = low, j = high - 1;
        for (;;) {
            while (v[i] > pivot)
                i++;
            while (v[j] < pivot)
                j--;
            if (i >= j)
                break;
            swap(&v[i++], &v[j--]);
        }
        /* Those before are at least the pivot, those behind at most; both sides have some. */
        const size_t middle = i == j && i + 1 < high ? i + 1 : i;
        if (count < middle)
            high = middle;
        else
            low = middle;
    }
}

static size_t least_best(size_t n)
{
    return (size_t)ceil(WS_CLUE_BEST_SHARE * (double)n);
}

/* The best share, its best first and its worst last, then what equals that. */
static void best_first(size_t n, const double *map, double *sorted)
{
    size_t count = least_best(n);
    memcpy(sorted, map, n * sizeof *map);
    select_best(n, count, sorted);
    for (size_t i = 1; i < count; i++)
        if (sorted[i] > sorted[0])
            swap(&sorted[0], &sorted[i]);
    for (size_t i = 1; i + 1 < count; i++)
        if (sorted[i] < sorted[count - 1])
            swap(&sorted[count - 1], &sorted[i]);
    for (size_t i = count; i < n; i++)
        if (sorted[i] >= sorted[count - 1])
            swap(&sorted[count++], &sorted[i]);
}

/* How many cells are among the best; equal ones all count. */
static size_t count_best(size_t n, const double *sorted)
{
    size_t count = least_best(n);
    while (count < n && sorted[count] >= sorted[count - 1])
        count++;
    return count;
}

void ws_clue_loss_scores(const ws_clue_cells *cells, size_t c, const double *values,
                         const double *map, const double *attention, double *sorted,
                         double scores[2])
{
    const size_t n = cells->height * cells->width, row = ws_clue_row(cells);
    const double *value = values + c * WS_CLUE_OUTPUTS + WS_CLUE_VALUE;
    double sum = 0.0, read = 0.0;
    best_first(n, map, sorted);
    const size_t count = count_best(n, sorted);
    for (size_t i = 0; i < count; i++)
        sum += sorted[i];
    for (size_t p = 0; p < n; p++)
        read += attention[p] * value[p * row];
    scores[0] = 0.5 * (sum / (double)count + sorted[0]);
    scores[1] = read;
}

/* ---- the loss ---- */

static double softplus(double x)
{
    return x > 0.0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* Cross-entropy of a logit, `weight` times where the class is shown; the derivative is added. */
static double entropy(const ws_clue_loss *l, size_t c, double logit, double *derivative)
{
    const double target = l->shown[c] ? 1.0 : l->smooth;
    const double weight = l->shown[c] ? l->positive[c] : 1.0;
    const double p = logit >= 0.0 ? 1.0 / (1.0 + exp(-logit)) : exp(logit) / (1.0 + exp(logit));
    *derivative += weight * (p - target);
    return weight * (softplus(logit) - target * logit);
}

/* By F: half of it to the best cell, half to all of the best share. */
static void pool_back(size_t n, const double *map, double derivative, const double *sorted,
                      double *by_map)
{
    const size_t count = count_best(n, sorted);
    int first = 1;
    for (size_t p = 0; p < n; p++) {
        by_map[p] = map[p] >= sorted[count - 1] ? 0.5 * derivative / (double)count : 0.0;
        if (first && map[p] >= sorted[0]) {
            by_map[p] += 0.5 * derivative;
            first = 0;
        }
    }
}

static void attention_back(const ws_clue_cells *cells, size_t c, const double *values,
                           const double *attention, double score, double derivative,
                           double *gradient)
{
    const size_t n = cells->height * cells->width, row = ws_clue_row(cells);
    const size_t at = c * WS_CLUE_OUTPUTS;
    for (size_t p = 0; p < n; p++) {
        const double a = derivative * attention[p];
        gradient[p * row + at + WS_CLUE_VALUE] = a;
        gradient[p * row + at + WS_CLUE_ATTENTION] =
            a * (values[p * row + at + WS_CLUE_VALUE] - score);
    }
}

size_t ws_clue_loss_room(const ws_clue_cells *cells)
{
    return 4 * cells->height * cells->width;
}

double ws_clue_loss_image(const ws_clue_loss *l, const double *values, double *gradient,
                          double *logits, double *scratch)
{
    const ws_clue_cells *cells = &l->cells;
    const size_t n = cells->height * cells->width, classes = cells->classes;
    double *map = scratch, *attention = map + n, *by_map = attention + n, *sorted = by_map + n;
    const double share = 1.0 / (3.0 * (double)classes);
    double loss = 0.0;
    memset(gradient, 0, n * ws_clue_row(cells) * sizeof *gradient);
    for (size_t c = 0; c < classes; c++) {
        double s[2], by[2] = {0.0, 0.0}, both = 0.0;
        ws_clue_loss_map_branch(cells, c, values, map);
        ws_clue_loss_attention(cells, c, values, attention);
        ws_clue_loss_scores(cells, c, values, map, attention, sorted, s);
        const double mean = 0.5 * (s[0] + s[1]);
        loss += share * (entropy(l, c, s[0], &by[0]) + entropy(l, c, s[1], &by[1]) +
                         entropy(l, c, mean, &both));
        if (logits)
            logits[c] = mean;
        pool_back(n, map, share * (by[0] + 0.5 * both), sorted, by_map);
        spread_back(cells, c, by_map, gradient);
        attention_back(cells, c, values, attention, s[1], share * (by[1] + 0.5 * both), gradient);
    }
    return loss;
}
