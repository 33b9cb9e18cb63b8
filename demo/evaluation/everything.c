/* demo/evaluation/everything.c - see everything.h. */
#include "demo/evaluation/everything.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* Thresholds of everything mode: a small model's own scores are lower than a large one's, for which
 * the defaults of 0.88 and 0.95 were chosen. */
static const double kept_iou = 0.3, kept_stability = 0.5;

double demo_iou_with(const demo_scene *s, const wsam_rle *rle, int id)
{
    const size_t pixels = (size_t)s->width * (size_t)s->height;
    uint8_t *mask = malloc(pixels);
    long both = 0, either = 0;
    if (!mask)
        return 0;
    wsam_rle_decode(rle, 1, mask, (size_t)s->width);
    for (size_t k = 0; k < pixels; k++) {
        both += mask[k] && s->ids[k] == id;
        either += mask[k] || s->ids[k] == id;
    }
    free(mask);
    return either ? (double)both / (double)either : 0;
}

/* The masks of a result; NULL where there is no memory. The caller frees [0].counts and the list. */
static wsam_rle *rles_of(const wsam_everything_result *result)
{
    size_t counts = 0;
    for (size_t i = 0; i < result->n; i++)
        counts += result->records[i].counts_length + 1;
    wsam_rle *list = calloc(result->n + 1, sizeof *list);
    uint32_t *memory = malloc((counts + 1) * sizeof *memory);
    if (!list || !memory) {
        free(list), free(memory);
        return NULL;
    }
    list[0].counts = memory;
    for (size_t i = 0; i < result->n; i++) {
        const wsam_everything_record *r = &result->records[i];
        list[i] = (wsam_rle){r->height, r->width, 0, r->counts_length + 1, memory};
        wsam_rle_from_string(r->counts, r->counts_length, &list[i], NULL);
        memory += list[i].capacity;
    }
    return list;
}

static void free_rles(wsam_rle *list)
{
    if (list)
        free(list[0].counts);
    free(list);
}

static int apart(const int32_t a[4], const int b[4])
{
    return a[0] > b[2] || a[0] + a[2] < b[0] || a[1] > b[3] || a[1] + a[3] < b[1];
}

static long covered(const demo_scene *s, const wsam_everything_result *result, const wsam_rle *rle,
                    const int *counts)
{
    long n = 0;
    for (int i = 0; i < s->n; i++) {
        double best = 0;
        for (size_t k = 0; counts[i] && k < result->n; k++)
            if (!apart(result->records[k].bbox, s->instances[i].box))
                best = fmax(best, demo_iou_with(s, &rle[k], i + 1));
        n += best >= 0.5;
    }
    return n;
}

static void compare(demo_everything *e, const wsam_rle *full, size_t n, const wsam_rle *some,
                    size_t m)
{
    for (size_t i = 0; i < n; i++) {
        double best = 0;
        for (size_t k = 0; k < m; k++)
            best = fmax(best, wsam_rle_iou(&full[i], &some[k], 0));
        e->iou += best;
        e->found += best >= 0.5;
    }
    e->masks += (long)n;
}

static wsam_status collect(const demo_everything *e, const wsam_picture *picture, int hierarchical,
                           wsam_everything_result **result, double *seconds, double *prompts,
                           wsam_error *error)
{
    wsam_everything_options o;
    wsam_everything_stats stats;
    wsam_everything_options_default(&o);
    o.pred_iou_thresh = kept_iou;
    o.stability_score_thresh = kept_stability;
    o.hierarchical = hierarchical;
    o.confident_logit = e->confident_logit;
    const double start = ws_clock();
    const wsam_status status =
        wsam_everything_collect(e->generator, picture, &o, result, &stats, error);
    *seconds += ws_clock() - start;
    *prompts += status ? 0 : (double)stats.prompts;
    return status;
}

wsam_status demo_everything_scene(demo_everything *e, const demo_scene *s,
                                  const wsam_picture *picture, const int *counts, wsam_error *error)
{
    wsam_everything_result *full = NULL, *some = NULL;
    wsam_rle *full_rles = NULL, *some_rles = NULL;
    wsam_status status = collect(e, picture, 0, &full, &e->seconds, &e->prompts, error);
    if (!status)
        status = collect(e, picture, 1, &some, &e->seconds_hierarchical, &e->prompts_hierarchical,
                         error);
    if (!status && (!(full_rles = rles_of(full)) || !(some_rles = rles_of(some)))) {
        snprintf(error->message, sizeof error->message, "no memory for masks");
        status = WSAM_ERR_MEMORY;
    }
    if (!status) {
        e->scenes++;
        for (int i = 0; i < s->n; i++)
            e->instances += counts[i];
        e->covered += covered(s, full, full_rles, counts);
        e->covered_hierarchical += covered(s, some, some_rles, counts);
        compare(e, full_rles, full->n, some_rles, some->n);
    }
    free_rles(full_rles);
    free_rles(some_rles);
    wsam_everything_result_free(full);
    wsam_everything_result_free(some);
    return status;
}

void demo_everything_print(const demo_everything *e)
{
    const double instances = (double)e->instances, masks = (double)e->masks;
    if (!e->instances || !e->masks)
        return;
    printf("everything mode (predicted IoU %.1f, stability %.1f), first %ld pictures: %.4f of %ld "
           "large instances covered at IoU 0.5\n",
           kept_iou, kept_stability, e->scenes, (double)e->covered / instances, e->instances);
    printf(
        "  hierarchical (confident logit %.1f): %.4f covered; of %ld masks of the full grid %.4f "
        "found at IoU 0.5, mean IoU %.4f; %.2f of the prompts, %.2f of the time\n",
        e->confident_logit, (double)e->covered_hierarchical / instances, e->masks,
        (double)e->found / masks, e->iou / masks, e->prompts_hierarchical / e->prompts,
        e->seconds_hierarchical / e->seconds);
}
