/* pipeline/pilot/interval.c - see interval.h. */
#include "pipeline/pilot/interval.h"

#include <math.h>

static const double normal_95 = 1.959963984540054;

double ws_interval_student_t(double v)
{
    const double z = normal_95, z2 = z * z;
    if (!(v >= 1))
        v = 1;
    if (v < 2)
        return 12.7062047364; /* the expansion is of no use there */
    if (v < 3)
        return 4.3026527297;
    const double g1 = z * (z2 + 1) / 4, g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
    const double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
    const double g4 = z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;
    return z + (g1 + (g2 + (g3 + g4 / v) / v) / v) / v;
}

static double sum(const double *v, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += v[i];
    return s;
}

/* ---- shares ---- */

double ws_interval_alike(const double *part, const double *whole, size_t n)
{
    const double m = sum(whole, n), a = sum(part, n);
    double between = 0, within = 0, squares = 0, groups = 0;
    if (!(m > 0))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (whole[i] > 0) {
            const double p = part[i] / whole[i], d = p - a / m;
            between += whole[i] * d * d;
            within += part[i] * (1 - p);
            squares += whole[i] * whole[i];
            groups++;
        }
    if (groups < 2 || m <= groups)
        return 0;
    const double size = (m - squares / m) / (groups - 1); /* of a group, for unequal ones */
    const double msb = between / (groups - 1), msw = within / (m - groups);
    const double below = msb + (size - 1) * msw;
    return below > 0 ? fmin(1, fmax(0, (msb - msw) / below)) : 0;
}

/* Variance of the ratio estimator over that of as many independent trials. The share is drawn in from 0 and
 * 1, where both variances vanish. */
static double design_effect(const double *part, const double *whole, size_t n, double alike)
{
    const double m = sum(whole, n), r = (sum(part, n) + 0.5) / (m + 1);
    double squares = 0, sizes = 0, groups = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = part[i] - r * whole[i];
        squares += d * d;
        sizes += whole[i] * whole[i];
        groups += whole[i] > 0;
    }
    const double own = groups > 1 ? squares * groups / (groups - 1) / (m * r * (1 - r)) : 1;
    return fmax(fmax(1, own), 1 + alike * (sizes / m - 1));
}

ws_figure ws_interval_share(const double *part, const double *whole, size_t n, double alike,
                            double choice)
{
    const double m = sum(whole, n), a = sum(part, n);
    double groups = 0;
    if (!(m > 0))
        return (ws_figure){0, 0, 1, 1};
    if (m < WS_PILOT_FEW)
        return (ws_figure){a / m, 0, 1, 1};
    for (size_t i = 0; i < n; i++)
        groups += whole[i] > 0;
    const double p = a / m, drawn_in = (a + 0.5) / (m + 1);
    const double k =
        m / (design_effect(part, whole, n, alike) + choice * m / (drawn_in * (1 - drawn_in)));
    const double z = ws_interval_student_t(groups - 1), z2 = z * z;
    const double middle = (p + z2 / (2 * k)) / (1 + z2 / k);
    const double half = z / (1 + z2 / k) * sqrt(p * (1 - p) / k + z2 / (4 * k * k));
    return (ws_figure){p, fmax(0, middle - half), fmin(1, middle + half), 0};
}

/* ---- rates ---- */

double ws_interval_spread(const double *count, size_t n)
{
    const double mean = n ? sum(count, n) / (double)n : 0;
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (count[i] - mean) * (count[i] - mean);
    return n > 1 && mean > 0 ? fmax(1, squares / (double)(n - 1) / mean) : 1;
}

ws_figure ws_interval_rate(const double *count, size_t n, double choice)
{
    if (n < 2)
        return (ws_figure){n ? count[0] : 0, 0, INFINITY, 1};
    const double x = sum(count, n), squared = (double)n * (double)n;
    const double k = ws_interval_spread(count, n) + choice * squared / (x + 0.5);
    const double z = ws_interval_student_t((double)n - 1), middle = x + z * z * k / 2;
    const double half = z * sqrt(k * (x + z * z * k / 4));
    const double d = (double)n;
    return (ws_figure){x / d, fmax(0, (middle - half) / d), (middle + half) / d, 0};
}

static double correlation(const double *a, const double *b, size_t n)
{
    const double d = (double)n, ma = sum(a, n) / d, mb = sum(b, n) / d;
    double aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
        ab += (a[i] - ma) * (b[i] - mb);
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

ws_figure ws_interval_sum(const double *a, const double *b, size_t n, double wa, double wb,
                          const ws_figure *ra, const ws_figure *rb)
{
    const double value = wa * ra->value + wb * rb->value, r = n > 1 ? correlation(a, b, n) : 0;
    const double la = wa * (ra->value - ra->low), lb = wb * (rb->value - rb->low);
    const double ha = wa * (ra->high - ra->value), hb = wb * (rb->high - rb->value);
    const double low = sqrt(fmax(0, la * la + lb * lb + 2 * r * la * lb));
    const double high = sqrt(fmax(0, ha * ha + hb * hb + 2 * r * ha * hb));
    return (ws_figure){value, fmax(0, value - low), value + high, ra->few || rb->few};
}

ws_figure ws_interval_mean(const double *v, size_t n)
{
    const double d = (double)n, mean = n ? sum(v, n) / d : 0;
    double squares = 0;
    if (n < 2)
        return (ws_figure){mean, 0, INFINITY, 1};
    for (size_t i = 0; i < n; i++)
        squares += (v[i] - mean) * (v[i] - mean);
    const double half = ws_interval_student_t(d - 1) * sqrt(squares / (d - 1) / d);
    return (ws_figure){mean, mean - half, mean + half, n < WS_PILOT_FEW};
}
