/* pipeline/pilot/calibrate.c - see calibrate.h: a logistic regression with random effects by Newton's method,
 * their variances by expectation and maximisation over Laplace's approximation. */
#include "pipeline/pilot/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BENDS = WS_CALIBRATION_NODES - 2, RANKED = 2 + BENDS, FIXED, ROUNDS = 30, STEPS = 25 };
enum { PRIOR = 1 };

/* Weak normal priors: a slope of 1 within 2 or so (a score that says nothing gets no steep line), and a level
 * anywhere. Bends may be as large as there are detections for them, a variance of 1 for each hundred up to 3: near
 * the top the curve rises faster than Platt's line, and there thresholds for costly errors lie (excess at 20:1 and
 * 100 images: 14 % with a variance that is estimated like that of classes, 9 % so), and sixty detections give a
 * line. */
static const double slope_variance = 4, level_variance = 25, first_variance = 0.3;
/* Images that came early for their doubtful detections show more objects than others: at equal confidence more of
 * what is found there is right (0.3 in the logit on drawn images). */
static const double ranked_variance = 0.25;
static const double bend_variance_per = 0.01, most_bend_variance = 3;
/* Where the nodes are among the scores that are used: closer towards the top. */
static const double node_shares[WS_CALIBRATION_NODES] = {0, 0.3, 0.6, 0.8, 1};
static const double least_score = 1e-3;
/* The curve of a class never falls as long as its offset is below 3.3. */
static const double most_offset = 3;

typedef struct fit {
    const ws_pilot_sample *s;
    const unsigned char *use;
    const double *x; /* [s->n]: logit scores */
    double centre, scale, knots[BENDS];
    double beta[FIXED], *offset;      /* [n_classes] */
    double offset_variance, bends;    /* variances; 0: by the number of detections */
    double h[FIXED][FIXED], g[FIXED]; /* of the fixed part */
    double *d, *r, *cross;            /* of classes: [n], [n], [n][FIXED] */
    double inverse[FIXED][FIXED];
} fit;

static double logit(double p)
{
    p = fmin(fmax(p, least_score), 1 - least_score);
    return log(p / (1 - p));
}

static double logistic(double t)
{
    return 1 / (1 + exp(-t));
}

static void basis(const fit *f, double x, int ranked, double *row)
{
    const double z = (x - f->centre) / f->scale;
    row[0] = 1;
    row[1] = z;
    for (int k = 0; k < BENDS; k++)
        row[2 + k] = fmax(0, z - f->knots[k]);
    row[RANKED] = ranked;
}

/* Of images that nobody chose. */
static double curve(const fit *f, double x)
{
    double row[FIXED], t = 0;
    basis(f, x, 0, row);
    for (int k = 0; k < FIXED; k++)
        t += row[k] * f->beta[k];
    return t;
}

/* ---- one step of Newton's method ---- */

static void add_priors(fit *f)
{
    const double variance[FIXED] = {level_variance, slope_variance, f->bends,
                                    f->bends,       f->bends,       ranked_variance};
    for (int k = 0; k < FIXED; k++) {
        const double mean = k == 1 ? f->scale : 0;
        f->h[k][k] += 1 / variance[k];
        f->g[k] -= (f->beta[k] - mean) / variance[k];
    }
    for (size_t c = 0; c < f->s->n_classes; c++) {
        f->d[c] = 1 / f->offset_variance;
        f->r[c] = -f->offset[c] / f->offset_variance;
    }
}

/* Gradient and information of all detections; classes make a diagonal block. */
static void collect(fit *f)
{
    const ws_pilot_sample *s = f->s;
    memset(f->h, 0, sizeof f->h);
    memset(f->g, 0, sizeof f->g);
    memset(f->cross, 0, s->n_classes * FIXED * sizeof *f->cross);
    add_priors(f);
    for (size_t i = 0; i < s->n; i++) {
        if (f->use && !f->use[i])
            continue;
        double row[FIXED], t = f->offset[s->detections[i].class_index];
        const size_t c = s->detections[i].class_index;
        basis(f, f->x[i], s->detections[i].picture >= s->n_audit, row);
        for (int k = 0; k < FIXED; k++)
            t += row[k] * f->beta[k];
        const double p = logistic(t), w = fmax(p * (1 - p), 1e-9);
        const double e = s->detections[i].hit - p;
        for (int k = 0; k < FIXED; k++) {
            f->g[k] += e * row[k];
            f->cross[c * FIXED + (size_t)k] += w * row[k];
            for (int m = 0; m < FIXED; m++)
                f->h[k][m] += w * row[k] * row[m];
        }
        f->d[c] += w;
        f->r[c] += e;
    }
}

/* Gauss and Jordan without pivots: the matrix is positive definite. */
static void invert(double a[FIXED][FIXED], double out[FIXED][FIXED])
{
    for (int i = 0; i < FIXED; i++)
        for (int k = 0; k < FIXED; k++)
            out[i][k] = i == k;
    for (int i = 0; i < FIXED; i++) {
        const double d = 1 / a[i][i];
        for (int k = 0; k < FIXED; k++)
            a[i][k] *= d, out[i][k] *= d;
        for (int r = 0; r < FIXED; r++) {
            const double q = a[r][i];
            if (r == i)
                continue;
            for (int k = 0; k < FIXED; k++)
                a[r][k] -= q * a[i][k], out[r][k] -= q * out[i][k];
        }
    }
}

/* Solves the arrow-shaped system: the classes are eliminated first. Returns the longest change. */
static double newton(fit *f)
{
    double step[FIXED] = {0}, longest = 0;
    collect(f);
    for (size_t c = 0; c < f->s->n_classes; c++) {
        const double *b = f->cross + c * FIXED;
        for (int k = 0; k < FIXED; k++) {
            f->g[k] -= b[k] * f->r[c] / f->d[c];
            for (int m = 0; m < FIXED; m++)
                f->h[k][m] -= b[k] * b[m] / f->d[c];
        }
    }
    invert(f->h, f->inverse);
    for (int k = 0; k < FIXED; k++)
        for (int m = 0; m < FIXED; m++)
            step[k] += f->inverse[k][m] * f->g[m];
    for (int k = 0; k < FIXED; k++)
        longest = fmax(longest, fabs(step[k]));
    const double part = longest > 3 ? 3 / longest : 1; /* no leaps where data are few */
    for (int k = 0; k < FIXED; k++)
        f->beta[k] += part * step[k];
    for (size_t c = 0; c < f->s->n_classes; c++) {
        double t = f->r[c];
        for (int k = 0; k < FIXED; k++)
            t -= f->cross[c * FIXED + (size_t)k] * step[k];
        f->offset[c] += part * t / f->d[c];
    }
    return longest;
}

/* ---- the variance of classes ---- */

static double class_uncertainty(const fit *f, size_t c)
{
    const double *b = f->cross + c * FIXED;
    double v = 0;
    for (int k = 0; k < FIXED; k++)
        for (int m = 0; m < FIXED; m++)
            v += b[k] * b[m] * f->inverse[k][m];
    return (1 + v / f->d[c]) / f->d[c];
}

/* One round of expectation and maximisation for the classes, with one class without an effect more than there are:
 * a variance of a few classes is uncertain, and too large a one costs more than too small a one. */
static void estimate_variance(fit *f)
{
    double offsets = 0;
    for (size_t c = 0; c < f->s->n_classes; c++)
        offsets += f->offset[c] * f->offset[c] + class_uncertainty(f, c);
    f->offset_variance = fmax(1e-4, offsets / ((double)f->s->n_classes + PRIOR));
}

static void solve(fit *f, int estimate)
{
    for (int i = 0; i < STEPS && newton(f) > 1e-5; i++)
        ;
    for (int i = 0; i < ROUNDS && estimate; i++) {
        estimate_variance(f);
        newton(f);
        newton(f);
    }
}

/* ---- the curve ---- */

static int ascending(const void *a, const void *b)
{
    const double *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

/* Inner nodes by what the random sample has, the ends by all. */
static int place_nodes(fit *f, double *at)
{
    double *sorted = malloc((f->s->n + 1) * sizeof *sorted), sum = 0, squares = 0;
    double ends[2] = {INFINITY, -INFINITY};
    size_t n = 0, all = 0;
    if (!sorted)
        return 0;
    for (size_t i = 0; i < f->s->n; i++) {
        if (f->use && !f->use[i])
            continue;
        all++;
        ends[0] = fmin(ends[0], f->x[i]), ends[1] = fmax(ends[1], f->x[i]);
        if (f->s->detections[i].picture >= f->s->n_audit)
            continue;
        sorted[n++] = f->x[i];
        sum += f->x[i];
        squares += f->x[i] * f->x[i];
    }
    if (!(f->bends > 0))
        f->bends = fmax(0.1, fmin(most_bend_variance, bend_variance_per * (double)all));
    f->centre = n ? sum / (double)n : 0;
    f->scale = n ? sqrt(fmax(0, squares / (double)n - f->centre * f->centre)) : 1;
    f->scale = f->scale > 1e-6 ? f->scale : 1;
    qsort(sorted, n, sizeof *sorted, ascending);
    for (int k = 0; k < WS_CALIBRATION_NODES; k++)
        at[k] = n ? sorted[(size_t)((double)(n - 1) * node_shares[k])] : 0;
    for (int k = 0; k < 2 && all; k++)
        at[k * (WS_CALIBRATION_NODES - 1)] = ends[k];
    for (int k = 0; k < BENDS; k++)
        f->knots[k] = (at[k + 1] - f->centre) / f->scale;
    free(sorted);
    return 1;
}

/* Where the curve falls, neighbours take their mean (pool adjacent violators; quarters weigh the same). */
static void make_monotone(double *v)
{
    double weight[WS_CALIBRATION_NODES];
    int block[WS_CALIBRATION_NODES], n = 0;
    double mean[WS_CALIBRATION_NODES];
    for (int k = 0; k < WS_CALIBRATION_NODES; k++) {
        mean[n] = v[k], weight[n] = 1, block[n] = k + 1, n++;
        for (; n > 1 && mean[n - 2] > mean[n - 1]; n--) {
            const double w = weight[n - 2] + weight[n - 1];
            mean[n - 2] = (mean[n - 2] * weight[n - 2] + mean[n - 1] * weight[n - 1]) / w;
            weight[n - 2] = w;
            block[n - 2] = block[n - 1];
        }
    }
    for (int k = 0, at = 0; k < n; k++)
        while (at < block[k])
            v[at++] = mean[k];
}

static void read_off(const fit *f, ws_calibration *c)
{
    for (int k = 0; k < WS_CALIBRATION_NODES; k++)
        c->value[k] = curve(f, c->at[k]);
    make_monotone(c->value);
    for (size_t k = 0; k < c->n_classes; k++)
        c->offset[k] = fmin(fmax(c->offset[k], -most_offset), most_offset);
    c->offset_variance = f->offset_variance;
}

/* ---- fitting ---- */

static wsam_status fit_all(fit *f, int estimate, ws_calibration *c, wsam_error *error)
{
    const size_t n = f->s->n_classes;
    double *x = malloc((f->s->n + 1) * sizeof *x);
    f->d = calloc(n + 1, sizeof *f->d);
    f->r = calloc(n + 1, sizeof *f->r);
    f->cross = calloc((n + 1) * FIXED, sizeof *f->cross);
    c->offset = calloc(n + 1, sizeof *c->offset);
    c->n_classes = n;
    for (size_t i = 0; x && i < f->s->n; i++)
        x[i] = logit(f->s->detections[i].score);
    f->x = x;
    f->offset = c->offset;
    wsam_status status = WSAM_OK;
    if (!x || !f->d || !f->r || !f->cross || !c->offset || !place_nodes(f, c->at)) {
        ws_calibrate_free(c);
        status = ws_no_memory(error, "a pilot");
    } else {
        f->beta[1] = f->scale;
        f->beta[0] = f->centre;
        solve(f, estimate && n);
        read_off(f, c);
    }
    free(x), free(f->d), free(f->r), free(f->cross);
    return status;
}

wsam_status ws_calibrate_fit(const ws_pilot_sample *s, const unsigned char *use,
                             const ws_calibration *start, ws_calibration *c, wsam_error *error)
{
    fit f = {.s = s, .use = use, .offset_variance = first_variance};
    *c = (ws_calibration){0};
    if (start)
        f.offset_variance = start->offset_variance;
    return fit_all(&f, !start, c, error);
}

wsam_status ws_calibrate_platt(const ws_pilot_sample *s, ws_calibration *c, wsam_error *error)
{
    fit f = {.s = s, .offset_variance = 1e-9, .bends = 1e-9};
    *c = (ws_calibration){0};
    return fit_all(&f, 0, c, error);
}

void ws_calibrate_free(ws_calibration *c)
{
    free(c->offset);
    *c = (ws_calibration){0};
}

/* ---- use ---- */

static double slope(const ws_calibration *c, int k)
{
    const double d = c->at[k + 1] - c->at[k];
    return d > 1e-9 ? (c->value[k + 1] - c->value[k]) / d : 0;
}

/* Between nodes a line; beyond them it goes on. */
static double value_at(const ws_calibration *c, double x)
{
    int k = 0;
    while (k < WS_CALIBRATION_NODES - 2 && x > c->at[k + 1])
        k++;
    return c->value[k] + (x - c->at[k]) * slope(c, k);
}

double ws_calibrate_of(const ws_calibration *c, size_t class_index, double score)
{
    const double t = value_at(c, logit(score));
    const double way = (t - WS_OFFSET_WHOLE_UP_TO) / (WS_OFFSET_LEAST_FROM - WS_OFFSET_WHOLE_UP_TO);
    const double part = 1 - (1 - WS_OFFSET_LEAST) * fmin(fmax(way, 0), 1);
    return logistic(t + part * c->offset[class_index]);
}

double ws_calibrate_score(const ws_calibration *c, size_t class_index, double p)
{
    double low = 0, high = 1;
    if (ws_calibrate_of(c, class_index, 1) < p)
        return 2;
    if (ws_calibrate_of(c, class_index, 0) >= p)
        return 0;
    for (int i = 0; i < 40; i++) {
        const double middle = (low + high) / 2;
        if (ws_calibrate_of(c, class_index, middle) >= p)
            high = middle;
        else
            low = middle;
    }
    return high;
}
