/* tests/util/double_products.h - what training's templates multiply with, in double: gradients are
 * compared with differences to nine digits. Include it before the template. */
#ifndef WS_TESTS_UTIL_DOUBLE_PRODUCTS_H
#define WS_TESTS_UTIL_DOUBLE_PRODUCTS_H

#include <stddef.h>

typedef int product_space;
#define real double

static void multiply_forward(product_space *space, size_t m, size_t n, size_t k, const double *x,
                             const double *w, const double *bias, double *y)
{
    (void)space;
    for (size_t i = 0; i < m * n; i++) {
        y[i] = bias[i % n];
        for (size_t p = 0; p < k; p++)
            y[i] += x[i / n * k + p] * w[i % n * k + p];
    }
}

static void multiply_weights(product_space *space, size_t m, size_t n, size_t k, const double *dy,
                             const double *x, double *dw)
{
    (void)space;
    for (size_t i = 0; i < n * k; i++)
        for (size_t r = 0; r < m; r++)
            dw[i] += dy[r * n + i / k] * x[r * k + i % k];
}

static void multiply_inputs(product_space *space, size_t m, size_t n, size_t k, const double *dy,
                            const double *w, double *dx)
{
    (void)space;
    for (size_t i = 0; i < m * k; i++) {
        dx[i] = 0.0;
        for (size_t c = 0; c < n; c++)
            dx[i] += dy[i / k * n + c] * w[c * k + i % k];
    }
}

#endif
