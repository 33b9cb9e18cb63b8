/* pipeline/regions/refine.c - see refine.h. Assignment after OICR (1704.00138), several instances
 * of a class after MIST (2004.04725). */
#include "pipeline/regions/refine.h"

#include <math.h>
#include <string.h>

#include "pipeline/train/losses.h"

enum { MOST_SEEDS = 32 };

static const double apart = 0.2, overlapping = 0.5;
static const double instance_share = 0.5, doubtful_share = 0.3; /* of the best probability */
static const double positive_weight = 3.0;

size_t ws_region_refine_room(size_t n)
{
    return n;
}

static double overlap(float (*boxes)[4], size_t i, size_t k)
{
    double a[4], b[4];
    for (int d = 0; d < 4; d++) {
        a[d] = (double)boxes[i][d];
        b[d] = (double)boxes[k][d];
    }
    return ws_losses_box_iou(a, b);
}

static int lies_apart(float (*boxes)[4], size_t i, const size_t *seeds, size_t n)
{
    for (size_t s = 0; s < n; s++)
        if (overlap(boxes, i, seeds[s]) >= apart)
            return 0;
    return 1;
}

/* The instances of a class with probabilities p [n], best first. */
static size_t find_seeds(float (*boxes)[4], size_t n, double *p, size_t seeds[MOST_SEEDS],
                         double *best)
{
    size_t found = 0;
    *best = 0.0;
    while (found < MOST_SEEDS) {
        size_t top = n;
        for (size_t i = 0; i < n; i++)
            if (p[i] >= 0.0 && (top == n || p[i] > p[top]) && lies_apart(boxes, i, seeds, found))
                top = i;
        if (top == n || (found && p[top] < instance_share * *best))
            break;
        *best = found ? *best : p[top];
        seeds[found++] = top;
    }
    return found;
}

static void assign_class(const ws_region_loss *l, float (*boxes)[4], size_t c, const double *values,
                         double *p, double *target, double *weight)
{
    size_t seeds[MOST_SEEDS];
    double best;
    for (size_t i = 0; i < l->n; i++)
        p[i] = 1.0 / (1.0 + exp(-values[i * l->row + c]));
    const size_t n = find_seeds(boxes, l->n, p, seeds, &best);
    for (size_t i = 0; i < l->n; i++) {
        double most = 0.0;
        for (size_t s = 0; s < n; s++)
            most = fmax(most, overlap(boxes, i, seeds[s]));
        const int hit = most >= overlapping;
        target[i * l->classes + c] = hit;
        weight[i * l->classes + c] *= hit                             ? positive_weight
                                      : p[i] >= doubtful_share * best ? 0.0
                                                                      : 1.0;
    }
}

double ws_region_refine(const ws_region_loss *l, float (*boxes)[4], const double *values,
                        double *gradient, double *work)
{
    const size_t cells = l->n * l->classes;
    double *target = work, *weight = target + cells, *p = weight + cells;
    memset(target, 0, cells * sizeof *target);
    for (size_t i = 0; i < cells; i++)
        weight[i] = 1.0 / (double)cells;
    for (size_t c = 0; c < l->classes && l->n; c++)
        if (l->shown[c])
            assign_class(l, boxes, c, values, p, target, weight);
    return ws_region_target_loss(l, values, target, weight, gradient);
}
