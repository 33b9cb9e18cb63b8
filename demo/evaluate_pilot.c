/* demo/evaluate_pilot.c - is what `weaksam pilot` says true? Draws reviewed images from many images with truth,
 * and holds thresholds, intervals and calibrated confidences against all others.
 *
 * usage: evaluate_pilot PICTURES.txt [--draws N] [--seed S] [--cover SHARE] [--excess SHARE]
 *
 * A line of PICTURES.txt is an image: its objects as letters of classes (or `-`), then what the machine found, a
 * letter, the confidence in thousandths, `+` (right) or `-`. tests/data/pilot_pictures.txt: 5 000 drawn images,
 * made by demo/pilot_pictures.py. The exit status is 1 when a bound is missed: intervals cover in at least SHARE of the draws (0.92); at 100
 * images, thresholds cost at most SHARE more than the oracle's (0.10), and never more than the single threshold that is
 * best on the sample;
 * Brier score and calibration error as docs/pilot.md has them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pilot/calibrate.h"
#include "pipeline/pilot/decide.h"

enum { CLASSES = 26, COSTS = 3, SIZES = 3, QUANTITIES = 5, FOLDER = 1000 };

static const wsam_pilot_costs all_costs[COSTS] = {{20, 1, 0}, {1, 1, 0}, {1, 5, 0}};
static const int sizes[SIZES] = {20, 50, 100};

static void fail(const char *what)
{
    fprintf(stderr, "evaluate_pilot: %s\n", what);
    exit(1);
}

static uint64_t state;

static uint64_t random_number(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* ---- images with truth ---- */

typedef struct population {
    ws_pilot_sample s;
    size_t *first; /* [n_pictures + 1]: detections */
} population;

static void read_pictures(const char *path, population *p)
{
    FILE *f = fopen(path, "r");
    char line[4096];
    size_t pictures = 0, n = 0, at = 0, k = 0;
    if (!f)
        fail("the pictures cannot be opened");
    while (fgets(line, sizeof line, f)) {
        pictures++;
        for (const char *c = line; *c; c++)
            n += *c == ' ';
    }
    rewind(f);
    if (ws_pilot_sample_make(&p->s, pictures, CLASSES, n, NULL) ||
        !(p->first = calloc(pictures + 1, sizeof *p->first)))
        fail("no memory");
    for (; fgets(line, sizeof line, f); k++) {
        const char *c = line;
        for (; *c >= 'a' && *c <= 'z'; c++)
            p->s.objects[k * CLASSES + (size_t)(*c - 'a')]++;
        for (c = strchr(line, ' '); c; c = strchr(c + 1, ' '), at++)
            p->s.detections[at] = (ws_pilot_detection){k, (size_t)(c[1] - 'a') % CLASSES,
                                                       strtod(c + 2, NULL) / 1000, c[5] == '+'};
        p->first[k + 1] = at;
    }
    fclose(f);
}

static void take(const population *p, const size_t *list, size_t n, ws_pilot_sample *s)
{
    size_t detections = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        detections += p->first[list[i] + 1] - p->first[list[i]];
    if (ws_pilot_sample_make(s, n, CLASSES, detections, NULL))
        fail("no memory");
    for (size_t i = 0; i < n; i++) {
        memcpy(s->objects + i * CLASSES, p->s.objects + list[i] * CLASSES,
               CLASSES * sizeof *s->objects);
        for (size_t k = p->first[list[i]]; k < p->first[list[i] + 1]; k++, at++) {
            s->detections[at] = p->s.detections[k];
            s->detections[at].picture = i;
        }
    }
}

/* The first n of the list at random. */
static void shuffle(size_t *list, size_t n, size_t all)
{
    for (size_t i = 0; i < n; i++) {
        const size_t k = i + (size_t)(random_number() % (all - i)), other = list[i];
        list[i] = list[k];
        list[k] = other;
    }
}

/* ---- what a rule does on all images ---- */

/* Of each class and threshold in thousandths: right and false detections from there on. */
typedef struct table {
    double hits[CLASSES][1002], wrong[CLASSES][1002];
    double objects, pictures;
} table;

static int cell(double score)
{
    return (int)lrint(fmin(fmax(score, 0), 1) * 1000);
}

static void fill(const ws_pilot_sample *s, double sign, table *t)
{
    for (size_t i = 0; i < s->n; i++) {
        const ws_pilot_detection *d = &s->detections[i];
        for (int k = cell(d->score); k >= 0; k--) {
            t->hits[d->class_index][k] += sign * d->hit;
            t->wrong[d->class_index][k] += sign * !d->hit;
        }
    }
    for (size_t i = 0; i < s->n_pictures * CLASSES; i++)
        t->objects += sign * s->objects[i];
    t->pictures += sign * (double)s->n_pictures;
}

typedef struct result {
    double accepted, hits, wrong, reachable;
} result;

static result apply(const table *t, const int *threshold)
{
    result r = {0};
    for (int c = 0; c < CLASSES; c++) {
        r.hits += t->hits[c][threshold[c]];
        r.wrong += t->wrong[c][threshold[c]];
        r.reachable += t->hits[c][0];
    }
    r.accepted = r.hits + r.wrong;
    return r;
}

/* Without the misses that no threshold can reach. */
static double cost(const result *r, const wsam_pilot_costs *c)
{
    return c->false_detection * r->wrong + c->miss * (r->reachable - r->hits);
}

static double oracle(const table *t, const wsam_pilot_costs *c, int single)
{
    double sum = 0, best = INFINITY;
    for (int k = 0; k <= 1001; k++) {
        int threshold[CLASSES];
        for (int i = 0; i < CLASSES; i++)
            threshold[i] = k;
        const result r = apply(t, threshold);
        best = fmin(best, cost(&r, c));
    }
    for (int i = 0; i < CLASSES; i++) {
        double own = INFINITY;
        for (int k = 0; k <= 1001; k++)
            own = fmin(own, c->false_detection * t->wrong[i][k] +
                                c->miss * (t->hits[i][0] - t->hits[i][k]));
        sum += own;
    }
    return single ? best : sum;
}

/* ---- rules chosen on a sample ---- */

static void thresholds(const ws_calibration *c, double p, int *threshold)
{
    for (int i = 0; i < CLASSES; i++)
        threshold[i] = (int)fmin(1001, ceil(1000 * ws_calibrate_score(c, (size_t)i, p) - 1e-6));
}

/* The single threshold that costs least on the sample itself. */
static void best_single(const table *t, const wsam_pilot_costs *c, int *threshold)
{
    double best = INFINITY;
    int at = 0;
    for (int k = 0; k <= 1001; k++) {
        for (int i = 0; i < CLASSES; i++)
            threshold[i] = k;
        const result r = apply(t, threshold);
        if (cost(&r, c) < best) {
            best = cost(&r, c);
            at = k;
        }
    }
    for (int i = 0; i < CLASSES; i++)
        threshold[i] = at;
}

/* ---- one draw ---- */

typedef struct tally {
    double said[QUANTITIES], covered[QUANTITIES], width[QUANTITIES], below[QUANTITIES];
    double excess, single, best, precision;
    double high_said, high_covered; /* precision of rules that truly reach 0.95 */
} tally;

typedef struct report {
    tally all, at[COSTS];
    double brier, brier_platt, brier_raw, ece, ece_raw, draws;
} report;

static const char *const quantity_names[QUANTITIES] = {"precision", "recall", "false an image",
                                                       "missed an image", "cost an image"};

static void compare(tally *t, int quantity, const ws_figure *f, double truth)
{
    if (f->few)
        return;
    t->said[quantity]++;
    t->covered[quantity] += f->low <= truth && truth <= f->high;
    t->below[quantity] += truth < f->low;
    t->width[quantity] += f->high - f->low;
}

static void hold_against(tally *t, const ws_outcome_figures *f, const result *r, const table *rest,
                         const wsam_pilot_costs *c)
{
    const double missed = rest->objects - r->hits;
    if (r->accepted > 0)
        compare(t, 0, &f->precision, r->hits / r->accepted);
    compare(t, 1, &f->recall, r->hits / rest->objects);
    compare(t, 2, &f->wrong, r->wrong / rest->pictures);
    compare(t, 3, &f->missed, missed / rest->pictures);
    compare(t, 4, &f->cost, (c->false_detection * r->wrong + c->miss * missed) / rest->pictures);
    if (r->accepted > 0 && r->hits / r->accepted >= 0.95 && !f->precision.few) {
        t->high_said++;
        t->high_covered +=
            f->precision.low <= r->hits / r->accepted && r->hits / r->accepted <= f->precision.high;
    }
}

static void judge_costs(const ws_pilot_sample *s, const ws_cross *cross, const ws_calibration *c,
                        const table *rest, const table *own, const double best[2][COSTS],
                        report *out)
{
    static const ws_bands everything = {0, 0};
    ws_choice choice = {0};
    ws_outcome all, o;
    ws_outcome_figures f;
    int rule[CLASSES] = {0};
    if (ws_decide_make(s, cross->held, &everything, SIZE_MAX, &all, NULL) ||
        ws_decide_judge(&all, &all, &choice, &all_costs[1], &f, NULL))
        fail("no memory");
    result r = apply(rest, rule);
    hold_against(&out->all, &f, &r, rest, &all_costs[1]);
    for (int k = 0; k < COSTS; k++) {
        const ws_bands bands = ws_decide_bands(&all_costs[k]);
        if (ws_decide_make(s, cross->held, &bands, SIZE_MAX, &o, NULL) ||
            ws_decide_choice(s, cross, &bands, SIZE_MAX, &choice, NULL) ||
            ws_decide_judge(&o, &all, &choice, &all_costs[k], &f, NULL))
            fail("no memory");
        thresholds(c, bands.accept, rule);
        r = apply(rest, rule);
        hold_against(&out->at[k], &f, &r, rest, &all_costs[k]);
        out->at[k].excess += cost(&r, &all_costs[k]) / best[0][k] - 1;
        out->at[k].precision += r.accepted > 0 ? r.hits / r.accepted : 1;
        best_single(own, &all_costs[k], rule);
        r = apply(rest, rule);
        out->at[k].single += cost(&r, &all_costs[k]) / best[0][k] - 1;
        out->at[k].best += best[1][k] / best[0][k] - 1;
        ws_decide_free(&o);
    }
    ws_decide_free(&all);
}

static void judge_calibration(const population *p, const ws_calibration *c,
                              const ws_pilot_sample *s, report *out)
{
    const ws_pilot_sample *all = &p->s;
    double *v = malloc((all->n + 1) * sizeof *v), ece;
    ws_calibration platt;
    if (!v || ws_calibrate_platt(s, &platt, NULL))
        fail("no memory");
    for (size_t i = 0; i < all->n; i++)
        v[i] = ws_calibrate_of(&platt, all->detections[i].class_index, all->detections[i].score);
    out->brier_platt += ws_cross_brier(all, v);
    for (size_t i = 0; i < all->n; i++)
        v[i] = ws_calibrate_of(c, all->detections[i].class_index, all->detections[i].score);
    out->brier += ws_cross_brier(all, v);
    ws_cross_calibration_error(all, v, &ece, NULL);
    out->ece += ece;
    for (size_t i = 0; i < all->n; i++)
        v[i] = all->detections[i].score;
    out->brier_raw += ws_cross_brier(all, v);
    ws_cross_calibration_error(all, v, &ece, NULL);
    out->ece_raw += ece;
    ws_calibrate_free(&platt);
    free(v);
}

/* ---- which images are reviewed ---- */

typedef struct ranked {
    size_t image;
    double value;
} ranked;

static int by_value(const void *a, const void *b)
{
    const ranked *p = a, *q = b;
    return (p->value < q->value) - (p->value > q->value);
}

/* The first n images of a review of FOLDER images: two of five are the next of a random order and the audit
 * sample, the others come by what looking pays (pipeline/review/review_session_order.c). Writes the audit sample, whose size it returns,
 * and then the others. */
static size_t review(const population *p, const size_t *folder, size_t n, size_t *list)
{
    static ranked rank[FOLDER];
    static size_t others[FOLDER];
    size_t audit = 0, at = 0, picked = 0;
    for (size_t i = 0; i < FOLDER; i++) {
        double sum = 0;
        for (size_t k = p->first[folder[i]]; k < p->first[folder[i] + 1]; k++)
            sum += fmin(p->s.detections[k].score, 1 - p->s.detections[k].score);
        rank[i] = (ranked){i, sum > 0 ? sum : 0.5};
    }
    qsort(rank, FOLDER, sizeof *rank, by_value);
    const size_t size = FOLDER * 2 / 5; /* of the sample: the first ones of the folder */
    while (picked < n) {
        if (5 * audit < 2 * (picked + 1)) {
            list[audit] = folder[audit];
            audit++;
            picked++;
        } else {
            const size_t image = rank[at++].image;
            if (image >= size)
                others[picked++ - audit] = folder[image];
        }
    }
    memcpy(list + audit, others, (n - audit) * sizeof *list);
    return audit;
}

static void draw(const population *p, const table *whole, int n, int order, size_t *list,
                 const double best[2][COSTS], int calibration, report *out)
{
    static size_t reviewed[FOLDER];
    static table rest, own;
    ws_pilot_sample all;
    ws_calibration c;
    shuffle(list, order ? FOLDER : (size_t)n, p->s.n_pictures);
    const size_t size = order ? review(p, list, (size_t)n, reviewed) : (size_t)n;
    take(p, order ? reviewed : list, (size_t)n, &all);
    all.n_audit = size;
    const ws_pilot_sample s = ws_sample_audit(&all);
    ws_cross cross;
    if (ws_calibrate_fit(&all, NULL, NULL, &c, NULL) || ws_cross_make(&all, &c, &cross, NULL))
        fail("no memory");
    memset(&own, 0, sizeof own);
    fill(&s, 1, &own);
    rest = *whole;
    fill(&s, -1, &rest);
    double scaled[2][COSTS];
    for (int k = 0; k < COSTS; k++)
        for (int m = 0; m < 2; m++)
            scaled[m][k] = best[m][k] * rest.pictures / whole->pictures;
    judge_costs(&s, &cross, &c, &rest, &own, (const double(*)[COSTS])scaled, out);
    if (calibration) {
        judge_calibration(p, &c, &s, out);
        out->draws++;
    }
    ws_cross_free(&cross);
    ws_calibrate_free(&c);
    ws_pilot_sample_free(&all);
}

/* ---- tables ---- */

static int broken;
static double least_cover = 0.92, most_excess = 0.10;

static const char *bound(int good)
{
    broken |= !good;
    return good ? "" : " **missed**";
}

static void print_cover(const char *name, const tally *t, int draws)
{
    printf("| %s |", name);
    for (int q = 0; q < QUANTITIES; q++) {
        const double cover = t->said[q] > 0 ? t->covered[q] / t->said[q] : 1;
        if (t->said[q] * 20 < draws)
            printf(" too few |");
        else
            printf(" %.1f%s (%.3f) |", 100 * cover, bound(cover >= least_cover),
                   t->width[q] / t->said[q]);
    }
    printf("\n");
}

static void print(const report *r, int n, int order, int draws)
{
    static const char *const names[COSTS] = {"20:1", "1:1", "1:5"};
    printf("\n## %d images reviewed%s\n\n", n,
           order ? " in the order of `weaksam review`: two of five are the sample" : " at random");
    printf("| intervals: cover in %% of draws (mean width) |");
    for (int q = 0; q < QUANTITIES; q++)
        printf(" %s |", quantity_names[q]);
    printf("\n|---|---|---|---|---|---|\n");
    print_cover("everything taken", &r->all, draws);
    for (int k = 0; k < COSTS; k++)
        print_cover(names[k], &r->at[k], draws);
    printf(
        "\n| costs | precision of the rule | cost over the oracle, %% | of the single threshold that was "
        "best on the sample | of the best single one | precision of at least 0.95 covered |\n"
        "|---|---|---|---|---|---|\n");
    for (int k = 0; k < COSTS; k++) {
        const tally *t = &r->at[k];
        const double high = t->high_said > 0 ? t->high_covered / t->high_said : 1;
        printf("| %s | %.3f | %.1f%s | %.1f%s | %.1f |", names[k], t->precision / draws,
               100 * t->excess / draws, bound(n < 100 || t->excess / draws <= most_excess),
               100 * t->single / draws, bound(t->excess <= t->single), 100 * t->best / draws);
        if (t->high_said * 20 < draws)
            printf(" too few |\n");
        else
            printf(" %.1f%s of %.0f |\n", 100 * high, bound(high >= least_cover), t->high_said);
    }
    const double d = r->draws; /* a thousandth of grace for 200 of them: two means of chance */
    printf("\nBrier score: %.4f%s, pooled Platt %.4f, before %.4f. ECE: %.4f%s, before %.4f.\n",
           r->brier / d, bound(r->brier <= r->brier_platt * (1 + 0.2 / d)), r->brier_platt / d,
           r->brier_raw / d, r->ece / d, bound(r->ece <= r->ece_raw / 2), r->ece_raw / d);
}

int main(int argc, char **argv)
{
    int draws = 1000;
    static table whole;
    population p = {0};
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "--draws") && i + 1 < argc)
            draws = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            state = strtoull(argv[++i], NULL, 10);
        else if (!strcmp(argv[i], "--cover") && i + 1 < argc)
            least_cover = atof(argv[++i]);
        else if (!strcmp(argv[i], "--excess") && i + 1 < argc)
            most_excess = atof(argv[++i]);
        else
            argc = 1;
    if (argc < 2 || draws < 1) {
        fputs(
            "usage: evaluate_pilot PICTURES.txt [--draws N] [--seed S] [--cover SHARE] [--excess SHARE]\n",
            stderr);
        return 2;
    }
    read_pictures(argv[1], &p);
    size_t *list = malloc(p.s.n_pictures * sizeof *list);
    if (!list || p.s.n_pictures < 2 * FOLDER)
        fail("too few pictures");
    for (size_t i = 0; i < p.s.n_pictures; i++)
        list[i] = i;
    fill(&p.s, 1, &whole);
    double best[2][COSTS];
    for (int k = 0; k < COSTS; k++)
        for (int m = 0; m < 2; m++)
            best[m][k] = oracle(&whole, &all_costs[k], m);
    printf("%zu images, %.0f objects, %zu detections; %d draws\n", p.s.n_pictures, whole.objects,
           p.s.n, draws);
    for (int order = 0; order < 2; order++)
        for (int k = 0; k < SIZES; k++) {
            report r = {0};
            for (int i = 0; i < draws; i++)
                draw(&p, &whole, sizes[k], order, list, (const double(*)[COSTS])best, i % 5 == 0,
                     &r);
            print(&r, sizes[k], order, draws);
        }
    free(list);
    free(p.first);
    ws_pilot_sample_free(&p.s);
    return broken;
}
