/* tests/unit/test_train.c - the mathematics of training: published vectors, the check of the
 * gradients, the three products, RoI drop. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "kernels/vector.h"
#include "pipeline/train/losses.h"

#include "tests/util/double_products.h"

#include "kernels/cpu.h"
#include "pipeline/train/network_template.h"

static void close_to(const double *want, const double *got, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(want[i] - got[i]) <= tolerance, "%zu: %.12g, want %.12g", i, got[i],
                  want[i]);
}

/* ---- vectors ---- */

Test(train, random_numbers)
{
    static const uint64_t draws[3] = {0x797e279fb8afeba3, 0x1fd872243663d270, 0xd21551237ee7efea};
    static const double uniforms[3] = {0.474581182, 0.124396443, 0.820637763};
    static const uint32_t order[10] = {3, 9, 1, 6, 7, 5, 2, 0, 8, 4};
    uint32_t p[10];
    cr_assert(ws_mix(1) == 0x5692161d100b05e5);
    const uint64_t key = ws_key(42, 1, 0, 0);
    cr_assert(key == 0x3e4a12d70b0af178);
    for (uint64_t i = 0; i < 3; i++) {
        cr_assert(ws_draw(key, i) == draws[i]);
        cr_assert(fabs((double)ws_uniform(key, i) - uniforms[i]) < 1e-8);
    }
    cr_assert(ws_key(42, 2, 3, 0) == 0x7536a81c9e04cbbf);
    ws_permute(ws_key(42, 2, 3, 0), p, 10);
    cr_assert_arr_eq(p, order, sizeof order);
}

Test(train, mil_loss)
{
    static const double a[9] = {0, 1, -1, .5, 0, 0, 1, -.5, .25};
    static const double b[9] = {0, .5, 1, 1, 0, -1, -.5, .25, 0};
    static const double want_p[3] = {0.423312959, 0.391544515, 0.152748100};
    static const double want_a[9] = {0.077041769, -0.116914451, 0.039872683,
                                     0.112404887, -0.090720368, -0.021684519,
                                     0.025365522, -0.041587644, 0.016222123};
    static const double want_b[9] = {-0.023867944, -0.097682782, -0.016414743,
                                     0.010372152,  0.025430236,  0.004297248,
                                     0.013495792,  0.072252546,  0.012117495};
    static const uint8_t y[3] = {0, 1, 0};
    double s[9], p[3], da[9], db[9], work[18];
    const double loss = ws_losses_mil(3, 3, a, b, 3, y, s, p, da, db, work);
    cr_assert(fabs(loss - 0.551289614) < 1e-9);
    close_to(want_p, p, 3, 1e-9);
    close_to(want_a, da, 9, 1e-9);
    close_to(want_b, db, 9, 1e-9);
    for (int i = 0; i < 3; i++) {
        cr_assert(fabs(da[3 * i] + da[3 * i + 1] + da[3 * i + 2]) < 1e-15);
        cr_assert(fabs(db[i] + db[i + 3] + db[i + 6]) < 1e-15);
    }
}

/* A probability at an end is held a millionth from it, value and derivative; one that is no number
 * is not. */
Test(train, mil_loss_held)
{
    double a[4] = {40, 0, 40, 0}, b[4] = {0}, s[4], p[2], da[4], db[4], work[8];
    static const uint8_t y[2] = {0, 1};
    const double loss = ws_losses_mil(2, 2, a, b, 2, y, s, p, da, db, work);
    const double want = -0.5 * (log(1e-6) + log(1e-6)), held = 1.0 / (2.0 * 1e-6);
    cr_assert(p[1] < 1e-6 && p[0] > 1.0 - 1e-6);
    cr_assert(fabs(loss - want) < 1e-9, "%g, want %g", loss, want);
    /* g = held / (1 - 1e-6) for the background, -1 / (2 * 1e-6) for the class; s = 1/2, sigma = 1
     */
    const double inner = held * 0.5 * p[0] - held * 0.5 * p[1];
    cr_assert(fabs(da[0] - (held * 0.5 * p[0] - p[0] * inner)) < 1e-4);
    b[1] = NAN;
    cr_assert(isnan(ws_losses_mil(2, 2, a, b, 2, y, s, p, da, db, work)));
}

Test(train, refinement_loss)
{
    static const double r[6] = {.2, -.3, .5, 1, 0, -1};
    static const double want[6] = {0.152212692,  0.092321665, -0.244534357,
                                   -0.351496996, 0.256964895, 0.094532102};
    int label[2] = {2, 0};
    double weight[2] = {.3, .7}, target[2][4] = {{0}}, t[24] = {0}, dr[6], dt[24];
    const ws_assignment targets = {label, weight, target};
    double rows[2][12], drs[2][12];
    for (int i = 0; i < 2; i++)
        memcpy(rows[i], r + 3 * i, 3 * sizeof(double));
    const ws_refine_result loss = ws_losses_refine(2, 3, rows[0], t, 12, &targets, 3.0, drs[0], dt);
    for (int i = 0; i < 2; i++)
        memcpy(dr + 3 * i, drs[i], 3 * sizeof(double));
    cr_assert(fabs(loss.classification - 0.780772200) < 1e-9);
    cr_assert(fabs(loss.regression) < 1e-15);
    close_to(want, dr, 6, 1e-9);
}

Test(train, adam)
{
    float theta[3] = {1, -2, 3}, m[3] = {0}, v[3] = {0};
    const float g[3] = {0.5f, -1, 0.25f};
    static const double want[3] = {0.700018941, -1.700009419, 2.700034814};
    for (uint64_t t = 1; t <= 3; t++) {
        const ws_adam adam = {.step = t};
        ws_head_adam_update(&adam, 0.1, 0.01, 3, g, theta, m, v);
    }
    const double got[3] = {(double)theta[0], (double)theta[1], (double)theta[2]};
    close_to(want, got, 3, 1e-6);
}

Test(train, boxes)
{
    const double box[4] = {10, 20, 50, 100}, target[4] = {14, 18, 60, 90};
    double delta[4], back[4];
    ws_losses_box_encode(target, box, delta);
    ws_losses_box_decode(delta, box, back);
    close_to(target, back, 4, 1e-12);
    cr_assert(fabs(ws_losses_box_iou(box, target) - 36.0 * 70 / (40 * 80 + 46 * 72 - 36 * 70)) <
              1e-15);
}

/* ---- RoI drop: four RoIs whose losses are given ---- */

Test(train, roi_drop)
{
    static const double want[4][2] = {{3.675, 3.25}, {2.425, 1.75}, {1.175, 0.25}, {0, 0.25}};
    static const double cls[4] = {5, 5, 0.2, 4.5}, reg[4] = {6, 1, 6, 0};
    static const int kept_cls[4][4] = {{1, 1, 1, 1}, {0, 1, 1, 1}, {0, 0, 1, 1}, {0, 0, 0, 0}};
    static const int kept_reg[4][4] = {{1, 1, 1, 0}, {0, 1, 1, 0}, {0, 1, 0, 0}, {0, 1, 0, 0}};
    for (int mode = WS_DROP_NONE; mode <= WS_DROP_INDEP_V1; mode++) {
        const ws_drop_rule rule = {(ws_drop)mode, 4.0, 4.0};
        double s[4][10], u[4][10] = {{0}}, ds[4][10], du[4][10], target[4][4] = {{0}};
        ws_detect_roi rois[4];
        int label[4] = {1, 1, 1, 0};
        for (int i = 0; i < 4; i++) { /* ln(1 + e^x) = cls */
            memset(s[i], 0, sizeof s[i]);
            s[i][1 - label[i]] = log(exp(cls[i]) - 1.0);
            target[i][0] = reg[i];
        }
        const ws_refine_result loss =
            ws_losses_detect(4, 2, s[0], u[0], 10, label, (const double(*)[4])target, NULL, 4.0,
                             &rule, rois, ds[0], du[0]);
        cr_assert(fabs(loss.classification - want[mode][0]) < 1e-12, "%d: %g", mode,
                  loss.classification);
        cr_assert(fabs(loss.regression - want[mode][1]) < 1e-12, "%d: %g", mode, loss.regression);
        for (int i = 0; i < 4; i++) { /* what does not count has no gradient, what counts has one */
            const int l = label[i];
            double by_cls = 0.0, by_reg = 0.0;
            for (int j = 0; j < 2; j++)
                by_cls += fabs(ds[i][j]);
            for (int j = 0; j < 8; j++)
                by_reg += fabs(du[i][j]);
            cr_assert_eq(by_cls > 0.0, kept_cls[mode][i], "%d: classification of %d", mode, i);
            cr_assert_eq(by_reg > 0.0, l && kept_reg[mode][i], "%d: regression of %d", mode, i);
            cr_assert(rois[i].keep_cls == kept_cls[mode][i] &&
                      (!l || rois[i].keep_reg == kept_reg[mode][i]));
        }
    }
}

/* What a person decided counts by its weight, and is not dropped. */
Test(train, trusted_rois)
{
    enum { ROIS = 3 };
    const ws_drop_rule rule = {WS_DROP_INDEP_V1, 4.0, 4.0};
    static const double weight[ROIS] = {1.0, 3.0, 3.0};
    double s[ROIS][10] = {{0}}, ds[ROIS][10], du[ROIS][10], u[ROIS][10] = {{0}};
    double target[ROIS][4] = {{0}};
    const int label[ROIS] = {1, 1, 0};
    ws_detect_roi rois[ROIS];
    for (int i = 0; i < ROIS; i++) {
        s[i][1 - label[i]] = log(exp(5.0) - 1.0); /* a loss of 5 */
        target[i][0] = 6.0;
    }
    const ws_refine_result loss =
        ws_losses_detect(ROIS, 2, s[0], u[0], 10, label, (const double(*)[4])target, weight, 7.0,
                         &rule, rois, ds[0], du[0]);
    cr_expect(!rois[0].keep_cls && !rois[0].keep_reg, "a machine's is dropped");
    cr_expect(rois[1].keep_cls && rois[1].keep_reg && rois[2].keep_cls, "a person's is not");
    cr_expect(fabs(loss.classification - 30.0 / 7.0) < 1e-12, "%g", loss.classification);
    cr_expect(fabs(loss.regression - 18.0 / 7.0) < 1e-12, "%g", loss.regression);
    cr_expect(fabs(du[1][4] + 3.0 / 7.0) < 1e-12, "the gradient has the weight: %g", du[1][4]);
}

/* ---- gradients by central differences, in double ---- */

enum { N = 7, K = 3, C = K + 1, D = 10, HD = 8, OUT = 17 * C };
enum { WEIGHTS = D * HD + HD + HD * HD + HD + HD * OUT + OUT };

typedef struct tiny {
    double theta[WEIGHTS], grad[WEIGHTS], x[N * D], h[2][N * HD], g[2][N * HD], y[N * OUT],
        dy[N * OUT];
    double boxes[N][4], target[3][N][4], weight[3][N];
    int label[3][N];
    int retrain;
    ws_drop_rule rule; /* retraining */
    ws_detect_roi rois[N];
    double p[C]; /* MIL */
} tiny;

static layer_set tiny_layers(double *block)
{
    layer_set s;
    s.w[0] = block;
    s.b[0] = s.w[0] + D * HD;
    s.w[1] = s.b[0] + HD;
    s.b[1] = s.w[1] + HD * HD;
    s.w[2] = s.b[1] + HD;
    s.b[2] = s.w[2] + HD * OUT;
    return s;
}

static const network tiny_net = {
    .in = {D, HD, HD}, .out = {HD, HD, OUT}, .threads = 1, .drop = 0.5};

static double tiny_losses(tiny *t)
{
    static const uint8_t labels[C] = {0, 1, 0, 1};
    static const double lambda[3] = {3, 1, 1};
    double s[N * C], work[2 * N * C], loss = 0.0;
    memset(t->dy, 0, sizeof t->dy);
    if (t->retrain) {
        const ws_refine_result r = ws_losses_detect(N, C, t->y, t->y + C, OUT, t->label[0],
                                                    (const double(*)[4])t->target[0], t->weight[0],
                                                    N, &t->rule, t->rois, t->dy, t->dy + C);
        return r.classification + r.regression;
    }
    loss = ws_losses_mil(N, C, t->y, t->y + C, OUT, labels, s, t->p, t->dy, t->dy + C, work);
    for (size_t k = 0; k < 3; k++) {
        const ws_assignment a = {t->label[k], t->weight[k], t->target[k]};
        const ws_refine_result r =
            ws_losses_refine(N, C, t->y + (2 + k) * C, t->y + (5 + 4 * k) * C, OUT, &a, lambda[k],
                             t->dy + (2 + k) * C, t->dy + (5 + 4 * k) * C);
        loss += r.classification + r.regression;
    }
    return loss;
}

static double tiny_forward(tiny *t)
{
    const ws_image_rows image = {0, N, ws_key(1, WS_STREAM_DROPOUT, 0, 0)};
    const layer_set set = tiny_layers(t->theta);
    activations a = {.x = t->x, .h = {t->h[0], t->h[1]}, .y = t->y};
    network_forward(&tiny_net, NULL, &set, N, &image, 1, &a);
    return tiny_losses(t);
}

static tiny *tiny_new(int retrain, ws_drop mode, uint64_t seed)
{
    tiny *t = calloc(1, sizeof *t);
    const uint64_t key = ws_key(7, 1, seed, 0);
    uint64_t i = 0;
    t->retrain = retrain;
    t->rule = (ws_drop_rule){mode, 1.5, 6.0};
    for (size_t j = 0; j < WEIGHTS; j++)
        t->theta[j] = 1.4 * ((double)ws_uniform(key, i++) - 0.5);
    for (size_t j = 0; j < N * D; j++)
        t->x[j] = 4.0 * ((double)ws_uniform(key, i++) - 0.5);
    for (size_t n = 0; n < N; n++) {
        for (size_t k = 0; k < 3; k++) {
            t->label[k][n] = (int)(ws_draw(key, i++) % C);
            t->weight[k][n] = (double)ws_uniform(key, i++);
            for (size_t j = 0; j < 4; j++)
                t->target[k][n][j] = 4.0 * ((double)ws_uniform(key, i++) - 0.5);
        }
        if (retrain)
            t->weight[0][n] = n == 2 ? 2.5 : 1.0; /* one that a person decided */
    }
    return t;
}

/* ---- where the derivative jumps: a step must not cross it ---- */

/* The least |z| of a hidden layer before its ReLU. */
static double relu_margin(const tiny *t, size_t layer)
{
    double z[N * HD], least = 1.0;
    tiny copy = *t;
    const layer_set set = tiny_layers(copy.theta);
    multiply_forward(NULL, N, HD, tiny_net.in[layer], layer ? t->h[0] : t->x, set.w[layer],
                     set.b[layer], z);
    for (size_t i = 0; i < N * HD; i++)
        least = fmin(least, fabs(z[i]));
    return least;
}

/* The least distance of a difference from the ends of smooth L1, or from 0 in L1. */
static double box_margin(const tiny *t)
{
    double least = 1.0;
    for (size_t n = 0; n < N; n++)
        for (size_t k = 0; k < (t->retrain ? 1 : 3); k++)
            for (size_t j = 0; j < 4 && t->label[k][n]; j++) {
                const double *u = t->y + n * OUT + (t->retrain ? C : (5 + 4 * k) * C);
                const double d = fabs(u[4 * (size_t)t->label[k][n] + j] - t->target[k][n][j]);
                least = fmin(least, t->retrain ? d : fabs(d - 1.0));
            }
    return least;
}

/* The least distance of a loss from its threshold. */
static double drop_margin(const tiny *t)
{
    double least = 1.0;
    for (size_t n = 0; n < N && t->retrain; n++) {
        least = fmin(least, fabs(t->rois[n].cls - t->rule.threshold_cls));
        least = fmin(least, fabs(t->rois[n].reg - t->rule.threshold_reg));
    }
    return least;
}

static int away_from_kinks(const tiny *t)
{
    double least = fmin(relu_margin(t, 0), relu_margin(t, 1));
    least = fmin(least, fmin(box_margin(t), drop_margin(t)));
    for (size_t c = 0; c < C && !t->retrain; c++) /* no clamped probability */
        least = fmin(least, fmin(t->p[c], 1.0 - t->p[c]));
    return least > 1e-3;
}

/* Some of the RoIs lose something, some keep all. */
static int drops_some(const tiny *t)
{
    int kept = 0;
    for (size_t n = 0; n < N; n++)
        kept += t->rois[n].keep_cls && t->rois[n].keep_reg;
    return t->rule.mode == WS_DROP_NONE || !t->retrain || (kept > 0 && kept < N);
}

/* The first of some random networks that is away from all kinks. */
static tiny *tiny_choose(int retrain, ws_drop mode)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        tiny *t = tiny_new(retrain, mode, seed);
        cr_assert(tiny_forward(t) > 0.1);
        if (away_from_kinks(t) && drops_some(t))
            return t;
        free(t);
    }
    cr_assert(0, "no network away from kinks");
    return NULL;
}

static void check_gradients(int retrain, ws_drop mode)
{
    tiny *t = tiny_choose(retrain, mode);
    layer_set to = tiny_layers(t->grad);
    const layer_set set = tiny_layers(t->theta);
    const activations a = {.x = t->x, .h = {t->h[0], t->h[1]}, .y = t->y};
    double *const work[2] = {t->g[0], t->g[1]};
    const double step = 1e-5;
    double worst = 0.0;
    network_backward(&tiny_net, NULL, &set, N, &a, t->dy, work, &to);
    for (size_t i = 0; i < WEIGHTS; i++) {
        const double held = t->theta[i];
        t->theta[i] = held + step;
        const double above = tiny_forward(t);
        t->theta[i] = held - step;
        const double numeric = (above - tiny_forward(t)) / (2.0 * step);
        t->theta[i] = held;
        const double size = fmax(fabs(numeric) + fabs(t->grad[i]), 1e-3);
        worst = fmax(worst, fabs(numeric - t->grad[i]) / size);
    }
    cr_assert(worst < 1e-6, "mode %d: largest relative error %g", (int)mode, worst);
    free(t);
}

Test(train, gradients_mil)
{
    check_gradients(0, WS_DROP_NONE);
}

Test(train, gradients_retrain)
{
    for (int mode = WS_DROP_NONE; mode <= WS_DROP_INDEP_V1; mode++)
        check_gradients(1, (ws_drop)mode);
}

/* ---- the products on the packed kernels ---- */

static float *numbers(size_t n, uint64_t a)
{
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = ws_uniform(ws_key(3, 1, a, 0), i) - 0.5f;
    return x;
}

/* Sums of k products of numbers below 1/2: what f32 leaves of the exact sum. */
static void compare(const double *want, const float *got, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(want[i] - (double)got[i]) < 1e-4, "%zu: %g, want %g", i, (double)got[i],
                  want[i]);
}

/* In double, as the products of a type see them. */
static double *operand(const float *x, size_t n, wsam_type type)
{
    double *y = malloc(n * sizeof *y);
    for (size_t i = 0; i < n; i++)
        y[i] = (double)(type == WSAM_BF16 ? ws_f32_from_bf16(ws_bf16_from_f32(x[i])) : x[i]);
    return y;
}

static void check_products(const char *isa, wsam_type type, size_t m, size_t n, size_t k)
{
    const size_t shapes[1][2] = {{n, k}};
    const wsam_kernels *kernels = ws_kernels_find(isa, NULL);
    float *x = numbers(m * k, 1), *w = numbers(n * k, 2), *bias = numbers(n, 3);
    float *dy = numbers(m * n, 4), *y[2], *dw[2], *dx[2];
    for (int i = 0; i < 2; i++) {
        ws_train_gemm g;
        cr_assert(!ws_training_gemm_init_as(&g, kernels, type, i ? 3 : 1, m, 1, shapes, NULL));
        y[i] = numbers(m * n, 5);
        dw[i] = numbers(n * k, 6);
        dx[i] = numbers(m * k, 7);
        ws_training_gemm_forward(&g, m, n, k, x, w, bias, y[i]);
        ws_training_gemm_weights(&g, m, n, k, dy, x, dw[i]);
        ws_training_gemm_inputs(&g, m, n, k, dy, w, dx[i]);
        ws_training_gemm_free(&g);
    }
    cr_assert_arr_eq(y[0], y[1], m * n * sizeof(float));
    cr_assert_arr_eq(dw[0], dw[1], n * k * sizeof(float));
    cr_assert_arr_eq(dx[0], dx[1], m * k * sizeof(float));
    float *before = numbers(n * k, 6);
    double *xd = operand(x, m * k, type), *wd = operand(w, n * k, type);
    double *dyd = operand(dy, m * n, type), *yd = malloc(m * n * sizeof *yd);
    double *bd = operand(bias, n, WSAM_F32), *dwd = operand(before, n * k, WSAM_F32);
    double *dxd = malloc(m * k * sizeof *dxd);
    multiply_forward(NULL, m, n, k, xd, wd, bd, yd);
    multiply_weights(NULL, m, n, k, dyd, xd, dwd);
    multiply_inputs(NULL, m, n, k, dyd, wd, dxd);
    compare(yd, y[0], m * n);
    compare(dwd, dw[0], n * k);
    compare(dxd, dx[0], m * k);
    void *all[] = {x,     w,      bias, dy, y[0], y[1], dw[0], dw[1], dx[0],
                   dx[1], before, xd,   wd, bd,   dyd,  yd,    dwd,   dxd};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

static void check_levels(wsam_type type)
{
    for (int i = 0; wsam_isa_name(i); i++) {
        if (!wsam_isa_supported(wsam_isa_name(i)))
            continue;
        check_products(wsam_isa_name(i), type, 300, 70, 93);
        check_products(wsam_isa_name(i), type, 1, 1, 1);
        check_products(wsam_isa_name(i), type, 65, 17, 530);
    }
}

Test(train, products)
{
    check_levels(WSAM_F32);
}

Test(train, products_bf16)
{
    check_levels(WSAM_BF16);
}

/* ---- rules that published code has beside its defaults --------------------------------------- */

/* OICR: the best box of a class alone, others above (not at) IoU 0.5. */
Test(train, oicr_assignment)
{
    enum { BOXES = 12, CLASSES = 3 };
    double scores[BOXES * CLASSES] = {0}, boxes[BOXES][4], weight[BOXES], target[BOXES][4];
    const uint8_t labels[CLASSES] = {0, 1, 0};
    int label[BOXES];
    size_t seeds[BOXES * CLASSES];
    ws_ranked work[BOXES];
    ws_assignment a = {label, weight, target};
    for (int i = 0; i < BOXES; i++) {
        const double x = 100.0 * i;
        const double box[4] = {x, 0, x + 40, 40};
        memcpy(boxes[i], box, sizeof box);
        scores[i * CLASSES + 1] = 0.9 - 0.01 * i;
    }
    const double half[4] = {0, 0, 40, 20}, most[4] = {0, 0, 40, 30};
    memcpy(boxes[2], half, sizeof half); /* IoU 0.5 with the best one, and 0.75 */
    memcpy(boxes[3], most, sizeof most);
    cr_expect_eq(ws_losses_refine_assign(BOXES, CLASSES, scores, (const double(*)[4])boxes, labels,
                                         1, &a, work, seeds),
                 1);
    for (int i = 0; i < BOXES; i++)
        cr_expect_eq(label[i], i == 0 || i == 3, "box %d: %d", i, label[i]);
    memcpy(boxes[1], (const double[4]){100, 0, 140, 40}, sizeof boxes[1]);
    for (int i = 0; i < BOXES; i++)
        scores[i * CLASSES + 1] = 0.9 - 0.01 * i;
    cr_expect_eq(ws_losses_refine_assign(BOXES, CLASSES, scores, (const double(*)[4])boxes, labels,
                                         0, &a, work, seeds),
                 1, "15 %% of 12 boxes are one");
    cr_expect_eq(label[2], 1, "MIST takes boxes at IoU 0.5");
}

/* RoIs of given losses: scores that give a cross-entropy, deltas that give an L1 sum. */
static void drop_rois(const ws_drop_rule *rule, size_t n, const int *label, ws_detect_roi *rois)
{
    enum { CLASSES = 2, ROW = 5 * CLASSES };
    double *x = calloc(n * ROW, sizeof *x), *dx = calloc(n * ROW, sizeof *dx);
    double(*target)[4] = calloc(n, sizeof *target);
    cr_assert(x && dx && target);
    for (size_t i = 0; i < n; i++) {
        x[i * ROW + (size_t)!label[i]] = 0.5 * (double)i; /* the wrong class gains */
        x[i * ROW + CLASSES + 4] = (double)((i * 7) % n);
    }
    ws_losses_detect(n, CLASSES, x, x + CLASSES, ROW, label, (const double(*)[4])target, NULL,
                     (double)n, rule, rois, dx, dx + CLASSES);
    for (size_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < CLASSES; j++)
            sum += fabs(dx[i * ROW + j]);
        cr_expect_eq(sum > 0.0, rois[i].keep_cls, "RoI %zu: a gradient of what does not count", i);
    }
    free(x);
    free(dx);
    free(target);
}

/* A tenth of ten foreground RoIs is one: the largest loss of each kind, wherever it is. */
Test(train, drop_by_shares)
{
    enum { ROIS = 12 };
    const int label[ROIS] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0};
    ws_detect_roi rois[ROIS];
    drop_rois(&(ws_drop_rule){WS_DROP_TOP, 0.1, 0.2}, ROIS, label, rois);
    int dropped[2] = {0, 0};
    for (int i = 0; i < ROIS; i++) {
        dropped[0] += !rois[i].keep_cls;
        dropped[1] += !rois[i].keep_reg;
        for (int j = 0; j < 10 && i < 10; j++)
            cr_expect(rois[i].keep_cls || !rois[j].keep_cls || rois[j].cls <= rois[i].cls,
                      "a smaller loss was dropped");
    }
    cr_expect_eq(dropped[0], 1);
    cr_expect_eq(dropped[1], 2);
    cr_expect(rois[10].keep_cls && rois[11].keep_cls, "background stays");
    /* no share drops nothing */
    drop_rois(&(ws_drop_rule){WS_DROP_TOP, 0.0, 0.0}, ROIS, label, rois);
    for (int i = 0; i < ROIS; i++)
        cr_expect(rois[i].keep_cls && rois[i].keep_reg);
    /* a loss over the threshold, in units of the image's range */
    drop_rois(&(ws_drop_rule){WS_DROP_RANGE, 0.6, 2.0}, ROIS, label, rois);
    double low = rois[0].cls, high = rois[0].cls;
    for (int i = 1; i < ROIS; i++) {
        low = fmin(low, rois[i].cls);
        high = fmax(high, rois[i].cls);
    }
    for (int i = 0; i < ROIS; i++)
        cr_expect_eq(rois[i].keep_cls, !(rois[i].cls / (high - low) > 0.6), "RoI %d", i);
}
