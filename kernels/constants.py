#!/usr/bin/env python3
"""Computes the polynomial constants of kernels/template/math_template.h and kernels/x86 and prints them with their errors.

usage: constants.py      (needs numpy)

Both fits minimise the largest weighted error by Lawson's iteration: least squares whose weights are
multiplied by the residuals until the residuals level out.
"""
import math
import numpy as np


def lawson(x, y, weight, powers, rounds=400):
    """Coefficients c of sum c_p x^p with small max weight*|error|."""
    columns = np.stack([x ** p for p in powers], axis=1) * weight[:, None]
    target = y * weight
    w = np.full(len(x), 1.0 / len(x))
    best, best_error = None, math.inf
    for _ in range(rounds):
        s = np.sqrt(w)[:, None]
        c, *_ = np.linalg.lstsq(columns * s, target * s[:, 0], rcond=None)
        error = np.abs(columns @ c - target)
        if error.max() < best_error:
            best, best_error = c, error.max()
        w = w * (error + 1e-18)
        w /= w.sum()
    return best, best_error


def chebyshev(a, b, n):
    return 0.5 * (a + b) + 0.5 * (b - a) * np.cos(np.pi * (np.arange(n) + 0.5) / n)


def exp_constants():
    """e^r = 1 + r + r^2 (c2 + c3 r + c4 r^2 + c5 r^3) on |r| <= ln2/2, relative error."""
    r = chebyshev(-0.5 * math.log(2) * 1.001, 0.5 * math.log(2) * 1.001, 2001)
    e = np.exp(r)
    return lawson(r, e - 1 - r, 1 / e, [2, 3, 4, 5])


def exp2_constants(degree):
    """2^f = c0 + c1 f + ... on 0 <= f < 1, relative error; degree 3 for results that are rounded to bf16."""
    f = chebyshev(0.0, 1.0, 2001)
    e = np.exp2(f)
    return lawson(f, e, 1 / e, list(range(degree + 1)))


def gelu_constants(degree=9):
    """P(a) = erfc(a / sqrt 2)^(-1/8), so that gelu(x) = max(x, 0) - |x|/2 P(|x|)^-8. The weight is what an error
    of P does to gelu. P grows from 1 to 9 on [0, 6], where gelu differs from max(x, 0) in f32."""
    a = chebyshev(0.0, 6.0, 6001)
    erfc = np.array([math.erfc(v / math.sqrt(2)) for v in a])
    p = erfc ** -0.125
    return lawson(a, p - 1.0, 4.0 * a * erfc / p, list(range(1, degree + 1)))


def show(name, pair):
    print(f'{name}: largest error {pair[1]:.2e}')
    for c in pair[0]:
        print(f'    {np.float32(c)!r} = {float(np.float32(c)).hex()}')


def main():
    show('exp c2..c5', exp_constants())
    show('2^f c0..c3', exp2_constants(3))
    show('2^f c0..c5', exp2_constants(5))
    for degree in (8, 9, 10):
        pair = gelu_constants(degree)
        show(f'gelu P, c0 = 1, c1..c{degree}', pair)
        x = np.linspace(-14, 14, 280001).astype(np.float32)
        a = np.minimum(np.abs(x), np.float32(10))
        p = np.float32(pair[0][-1]) * np.ones_like(a)
        for c in [*pair[0][-2::-1], 1.0]:
            p = (p.astype(np.float64) * a + np.float32(c)).astype(np.float32)
        for _ in range(3):
            p = p * p
        y = np.maximum(x, 0) - np.float32(0.5) * a / p
        true = np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x.astype(np.float64)])
        error = np.abs(y - true)
        print(f'    in f32: largest absolute error {error[np.abs(true) < 1].max():.2e} below 1, '
              f'relative {np.max(error / np.maximum(np.abs(true), 1)):.2e} above')


if __name__ == '__main__':
    main()
