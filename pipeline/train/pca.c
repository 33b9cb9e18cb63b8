/* pipeline/train/pca.c - see pca.h. */
#include "pipeline/train/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/run/threads.h"

enum { ROWS_PER_TASK = 8, SWEEPS = 60 };

wsam_status ws_pca_create(ws_pca *pca, size_t channels, wsam_error *error)
{
    *pca = (ws_pca){.channels = channels};
    pca->sum = calloc(channels, sizeof *pca->sum);
    pca->product = calloc(channels * channels, sizeof *pca->product);
    if (pca->sum && pca->product)
        return WSAM_OK;
    ws_pca_free(pca);
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for components of %zu channels", channels);
}

void ws_pca_free(ws_pca *pca)
{
    free(pca->sum);
    free(pca->product);
    memset(pca, 0, sizeof *pca);
}

/* ---- sums ---- */

typedef struct add_job {
    ws_pca *pca;
    size_t cells;
    const float *x;
} add_job;

static void add_task(void *arg, int task, int worker)
{
    const add_job *j = arg;
    const size_t c = j->pca->channels, from = (size_t)task * ROWS_PER_TASK;
    const size_t to = from + ROWS_PER_TASK < c ? from + ROWS_PER_TASK : c;
    (void)worker;
    for (size_t cell = 0; cell < j->cells; cell++) {
        const float *x = j->x + cell * c;
        for (size_t i = from; i < to; i++) {
            double *row = j->pca->product + i * c;
            const double xi = (double)x[i];
            for (size_t k = 0; k <= i; k++)
                row[k] += xi * (double)x[k];
        }
    }
}

void ws_pca_add(ws_pca *pca, size_t cells, const float *x, int threads)
{
    add_job j = {pca, cells, x};
    for (size_t cell = 0; cell < cells; cell++)
        for (size_t i = 0; i < pca->channels; i++)
            pca->sum[i] += (double)x[cell * pca->channels + i];
    pca->cells += (double)cells;
    ws_parallel_for(threads, (int)((pca->channels + ROWS_PER_TASK - 1) / ROWS_PER_TASK), add_task,
                    &j);
}

/* ---- eigenvectors: cyclic Jacobi ---- */

/* Rotates rows and columns p, q of the symmetric a, and rows of v, so that a[p][q] vanishes. */
static void rotate(size_t n, double *a, double *v, size_t p, size_t q)
{
    const double apq = a[p * n + q];
    const double theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    const double t = (theta < 0.0 ? -1.0 : 1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
    const double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (size_t k = 0; k < n; k++) {
        const double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (size_t k = 0; k < n; k++) {
        const double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
        const double vx = v[p * n + k], vy = v[q * n + k];
        v[p * n + k] = c * vx - s * vy;
        v[q * n + k] = s * vx + c * vy;
    }
}

/* Rows of v become the eigenvectors, the diagonal of a the eigenvalues. */
static void jacobi(size_t n, double *a, double *v)
{
    double whole = 0.0;
    memset(v, 0, n * n * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i * n + i] = 1.0;
        whole += a[i * n + i] * a[i * n + i];
    }
    for (int sweep = 0; sweep < SWEEPS; sweep++) {
        double off = 0.0;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                off += a[p * n + q] * a[p * n + q];
        if (off <= 1e-24 * whole)
            return;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                if (a[p * n + q] * a[p * n + q] > 1e-30 * whole / (double)(n * n))
                    rotate(n, a, v, p, q);
    }
}

static void covariance(const ws_pca *pca, double *a)
{
    const size_t c = pca->channels;
    for (size_t i = 0; i < c; i++)
        for (size_t k = 0; k <= i; k++) {
            const double mean = pca->sum[i] / pca->cells * pca->sum[k];
            a[i * c + k] = a[k * c + i] = (pca->product[i * c + k] - mean) / pca->cells;
        }
}

static size_t largest(size_t c, const double *a, const unsigned char *taken)
{
    size_t best = c;
    for (size_t i = 0; i < c; i++)
        if (!taken[i] && (best == c || a[i * c + i] > a[best * c + best]))
            best = i;
    return best;
}

/* Rows of `weight` are unit vectors until rho is known. */
static void keep_row(const ws_pca *pca, const double *v, float rho, float *weight, float *bias)
{
    size_t top = 0;
    double shift = 0.0;
    for (size_t k = 1; k < pca->channels; k++)
        top = fabs(v[k]) > fabs(v[top]) ? k : top;
    const double scale = (v[top] < 0.0 ? -1.0 : 1.0) / (double)rho;
    for (size_t k = 0; k < pca->channels; k++) {
        weight[k] = (float)(scale * v[k]);
        shift += scale * v[k] * pca->sum[k] / pca->cells;
    }
    *bias = (float)-shift;
}

wsam_status ws_pca_solve(const ws_pca *pca, size_t n, float *weight, float *bias, wsam_error *error)
{
    const size_t c = pca->channels;
    double *a = malloc(c * c * sizeof *a), *v = malloc(c * c * sizeof *v), kept = 0.0;
    unsigned char *taken = calloc(c, 1);
    size_t *order = malloc(c * sizeof *order);
    wsam_status status = WSAM_OK;
    if (!a || !v || !taken || !order) {
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for components of %zu channels", c);
        goto done;
    }
    covariance(pca, a);
    jacobi(c, a, v);
    for (size_t i = 0; i < n; i++) {
        order[i] = largest(c, a, taken);
        taken[order[i]] = 1;
        kept += a[order[i] * c + order[i]] / (double)n;
    }
    if (!(kept > 0.0) || !isfinite(kept)) {
        status = ws_fail(error, WSAM_ERR_FORMAT, "the features do not vary, or are not numbers");
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        keep_row(pca, v + order[i] * c, (float)sqrt(kept), weight + i * c, bias + i);
done:
    free(a);
    free(v);
    free(taken);
    free(order);
    return status;
}
