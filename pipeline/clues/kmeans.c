/* pipeline/clues/kmeans.c - k-means of points (Lloyd's rounds, k-means++ seeding), one thread and a
 * generator of its own, so that equal points give equal clusters everywhere. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/clues/clues.h"

enum { MOST_ROUNDS = 300 };
#define TOLERANCE 1e-4 /* of the mean variance: the centres' movement that ends the rounds */

typedef struct means {
    const double *points;
    size_t n;
    int k;
    double *centres, *sums; /* [k][2], [k][3]: x, y, number */
    double *nearest;        /* [n]: squared distance to the nearest centre */
    int *owner;             /* [n] */
} means;

/* SplitMix64, as a fraction in [0,1). */
static double draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0;
}

static double distance(const double *a, const double *b)
{
    const double x = a[0] - b[0], y = a[1] - b[1];
    return x * x + y * y;
}

/* Centres one by one, each a point drawn by its squared distance to those there are. Fewer than k
 * when every point is a centre already. */
static void seed_centres(means *m, uint64_t seed)
{
    uint64_t state = seed;
    const int k = m->k;
    size_t pick = (size_t)(draw(&state) * (double)m->n);
    for (size_t i = 0; i < m->n; i++)
        m->nearest[i] = DBL_MAX;
    for (m->k = 0; m->k < k;) {
        double total = 0.0;
        memcpy(m->centres + 2 * m->k, m->points + 2 * pick, 2 * sizeof(double));
        for (size_t i = 0; i < m->n; i++) {
            const double d = distance(m->points + 2 * i, m->centres + 2 * m->k);
            m->nearest[i] = d < m->nearest[i] ? d : m->nearest[i];
            total += m->nearest[i];
        }
        m->k++;
        if (!(total > 0.0))
            return;
        double left = draw(&state) * total;
        size_t last = 0;
        for (pick = m->n, last = 0; last < m->n && pick == m->n; last++) {
            left -= m->nearest[last];
            if (left < 0.0 && m->nearest[last] > 0.0)
                pick = last;
        }
        while (pick == m->n) /* rounding used up the sum: the last point that is no centre */
            if (m->nearest[--last] > 0.0)
                pick = last;
    }
}

static void assign(means *m)
{
    for (size_t i = 0; i < m->n; i++) {
        m->nearest[i] = DBL_MAX;
        for (int j = 0; j < m->k; j++) {
            const double d = distance(m->points + 2 * i, m->centres + 2 * j);
            if (d < m->nearest[i]) {
                m->nearest[i] = d;
                m->owner[i] = j;
            }
        }
    }
}

/* A centre without points moves to the point that is farthest from its own. */
static void rescue(means *m, int j)
{
    size_t far = 0;
    for (size_t i = 1; i < m->n; i++)
        if (m->nearest[i] > m->nearest[far])
            far = i;
    m->nearest[far] = 0.0;
    m->sums[3 * j] = m->points[2 * far];
    m->sums[3 * j + 1] = m->points[2 * far + 1];
    m->sums[3 * j + 2] = 1.0;
}

/* Centres become the means of their points; the sum of their squared movements. */
static double move(means *m)
{
    double moved = 0.0;
    memset(m->sums, 0, 3 * (size_t)m->k * sizeof *m->sums);
    for (size_t i = 0; i < m->n; i++) {
        double *sum = m->sums + 3 * m->owner[i];
        sum[0] += m->points[2 * i];
        sum[1] += m->points[2 * i + 1];
        sum[2] += 1.0;
    }
    for (int j = 0; j < m->k; j++) {
        if (!(m->sums[3 * j + 2] > 0.0))
            rescue(m, j);
        const double mean[2] = {m->sums[3 * j] / m->sums[3 * j + 2],
                                m->sums[3 * j + 1] / m->sums[3 * j + 2]};
        moved += distance(mean, m->centres + 2 * j);
        memcpy(m->centres + 2 * j, mean, sizeof mean);
    }
    return moved;
}

static double mean_variance(const means *m)
{
    double variance = 0.0;
    for (int d = 0; d < 2; d++) {
        double sum = 0.0, squares = 0.0;
        for (size_t i = 0; i < m->n; i++)
            sum += m->points[2 * i + (size_t)d];
        const double mean = sum / (double)m->n;
        for (size_t i = 0; i < m->n; i++) {
            const double e = m->points[2 * i + (size_t)d] - mean;
            squares += e * e;
        }
        variance += squares / (double)m->n / 2.0;
    }
    return variance;
}

wsam_status wsam_kmeans(const double *points, size_t n, int k, uint64_t seed, double *centres,
                        int *found)
{
    WS_FLOAT_SCOPE;
    means m = {.points = points, .n = n, .k = k, .centres = centres};
    *found = 0;
    if (!n || k < 1)
        return WSAM_OK;
    m.sums = malloc(3 * (size_t)k * sizeof *m.sums);
    m.nearest = malloc(n * sizeof *m.nearest);
    m.owner = calloc(n, sizeof *m.owner);
    const int good = m.sums && m.nearest && m.owner;
    if (good) {
        seed_centres(&m, seed);
        const double enough = TOLERANCE * mean_variance(&m);
        for (int round = 0; round < MOST_ROUNDS; round++) {
            assign(&m);
            if (move(&m) <= enough)
                break;
        }
    }
    free(m.sums);
    free(m.nearest);
    free(m.owner);
    *found = good ? m.k : 0;
    return good ? WSAM_OK : WSAM_ERR_MEMORY;
}
