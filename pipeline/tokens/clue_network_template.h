/* pipeline/tokens/clue_network_template.h - both passes of a clue head: a linear layer, GELU, and a
 * linear layer of all outputs.
 *
 * The including file defines before the include, so that what is checked in double is what is
 * trained in float:
 *     real                          float, or double for the check of the gradients
 *     product_space                 what the products below work in
 *     multiply_forward, multiply_weights, multiply_inputs
 *                                   as ws_training_gemm_forward, ws_training_gemm_weights and ws_training_gemm_inputs
 *     gelu_forward                  (space, n, x, y)
 *     bell                          (space, n, x, y): exp(-x * x / 2) / sqrt(2 pi) */
#include <stddef.h>
#include <string.h>

/* Weights [out][in] and biases [out] of both layers, or their gradients. */
typedef struct clue_layers {
    size_t in, hidden, out;
    real *w[2], *b[2];
} clue_layers;

/* Of m rows. */
typedef struct clue_rows {
    const real *x; /* [m][in] */
    real *before;  /* [m][hidden]: of GELU */
    real *h;       /* [m][hidden] */
    real *y;       /* [m][out] */
} clue_rows;

static void clue_forward(product_space *space, const clue_layers *l, size_t m, const clue_rows *r)
{
    multiply_forward(space, m, l->hidden, l->in, r->x, l->w[0], l->b[0], r->before);
    gelu_forward(space, m * l->hidden, r->before, r->h);
    multiply_forward(space, m, l->out, l->hidden, r->h, l->w[1], l->b[1], r->y);
}

/* Sums over rows, in double, in their order. `sums` holds n. */
static void add_bias(size_t m, size_t n, const real *dy, double *sums, real *db)
{
    memset(sums, 0, n * sizeof *sums);
    for (size_t r = 0; r < m; r++)
        for (size_t c = 0; c < n; c++)
            sums[c] += (double)dy[r * n + c];
    for (size_t c = 0; c < n; c++)
        db[c] += (real)sums[c];
}

/* The derivative of x * Phi(x) is Phi(x) + x * phi(x), and Phi is GELU over x. dh becomes the
 * gradient by what was before. Near 0 the quotient goes to Phi(0) = 1/2 without a branch, which
 * would keep the loop from becoming vectors: 6e-9 off at most, at |x| = 3e-8. */
static void gelu_back(size_t n, const real *before, const real *h, const real *density, real *dh)
{
    const real least = (real)1e-15;
    for (size_t i = 0; i < n; i++) {
        const real x = before[i];
        const real phi = (h[i] * x + (real)0.5 * least) / (x * x + least);
        dh[i] *= phi + x * density[i];
    }
}

/* Adds to `g` from dy [m][out]; dh, density [m][hidden] and sums [the wider layer] are
 * working memory. */
static void clue_backward(product_space *space, const clue_layers *l, size_t m, const clue_rows *r,
                          const real *dy, real *dh, real *density, double *sums, clue_layers *g)
{
    multiply_weights(space, m, l->out, l->hidden, dy, r->h, g->w[1]);
    add_bias(m, l->out, dy, sums, g->b[1]);
    multiply_inputs(space, m, l->out, l->hidden, dy, l->w[1], dh);
    bell(space, m * l->hidden, r->before, density);
    gelu_back(m * l->hidden, r->before, r->h, density, dh);
    multiply_weights(space, m, l->hidden, l->in, dh, r->x, g->w[0]);
    add_bias(m, l->hidden, dh, sums, g->b[0]);
}
