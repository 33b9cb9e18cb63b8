/* bench/bench_kernels.c - products, attention and convolutions on the shapes of the real graphs:
 * rate, per cent of the peak measured in the same run, and the ratio to oneDNN at the same
 * instruction set. kernel_cases.h tells what is timed. Tables on stdout, or JSON lines.
 *
 * usage: bench_kernels [--brief] [--isa LEVEL] [--onednn-isa level|max] [--threads N] [--json]
 *                      [--json-to FILE] [--shapes DIR] [Google Benchmark options]
 *
 * --brief takes the shapes that are marked in the lists alone; --onednn-isa max lets oneDNN use
 * what our kernels do not (AMX); --json-to appends the rows of --json to a file beside the tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernel_cases.h"
#include "kernels/cpu.h"
#include "pipeline/bench/machine.h"

enum { MAX_CASES = 512 };

static const char *const type_names[N_TYPES] = {"f32", "bf16", "int8"};
static const char *const way_names[N_WAYS] = {"fused", "ready", "onednn", "passes"};
static const char *const list_names[N_FAMILIES] = {"gemm.txt", "attention.txt", "conv.txt"};

static bench_case cases[MAX_CASES];
static int n_cases;

/* ---- the lists of shapes ---- */

/* A copy of `like` for one type and way, registered unless oneDNN is asked for and not there. */
static void add_case(const bench_case *like, case_way way, int type)
{
    static const gbench_fn ours[N_FAMILIES] = {bench_gemm, bench_attention, bench_conv};
    static const gbench_fn theirs[N_FAMILIES] = {bench_gemm_onednn, NULL, bench_conv_onednn};
    static const char *const family_names[N_FAMILIES] = {"gemm", "attention", "conv"};
    const int foreign = way == WAY_ONEDNN || way == WAY_PASSES;
    if (foreign && !ws_onednn_built())
        return;
    if (n_cases == MAX_CASES) {
        fprintf(stderr, "bench_kernels: more than %d cases\n", MAX_CASES);
        exit(1);
    }
    bench_case *c = &cases[n_cases++];
    *c = *like;
    c->way = way;
    c->type = type;
    snprintf(c->name, sizeof c->name, "%s/%s/%.31s%s/%s", family_names[c->family], type_names[type],
             like->shape, c->norm ? "+norm" : (c->act == WSAM_ACT_GELU ? "+gelu" : ""),
             way_names[way]);
    gbench_register(c->name, (foreign ? theirs : ours)[c->family], c);
}

static int parse_gemm(const char *line, bench_case *c)
{
    char with[16];
    int at = 0;
    if (sscanf(line, "%zu %zu %zu %15s %n", &c->m, &c->k, &c->n, with, &at) < 4)
        return 0;
    c->act = strcmp(with, "gelu") == 0 ? WSAM_ACT_GELU : WSAM_ACT_NONE;
    c->norm = strcmp(with, "norm") == 0;
    c->ops = 2.0 * (double)c->m * (double)c->n * (double)c->k;
    snprintf(c->shape, sizeof c->shape, "%zux%zux%zu", c->m, c->k, c->n);
    return at;
}

static void add_gemm(const bench_case *like)
{
    for (int type = 0; type < N_TYPES; type++) {
        add_case(like, WAY_FUSED, type);
        if (type != WS_PEAK_F32 && !like->norm)
            add_case(like, WAY_READY, type);
        if (!like->norm)
            add_case(like, WAY_ONEDNN, type);
        if (type != WS_PEAK_F32 || like->norm)
            add_case(like, WAY_PASSES, type);
    }
}

/* Products of QK^T and PV over real keys; pad keys and bias terms are not counted. */
static double attention_ops(const wsam_attention_shape *s)
{
    double pairs = 0.0;
    const int w = s->window;
    if (!w) {
        pairs = (double)s->q_h * s->q_w * s->k_h * s->k_w;
    } else {
        for (int y = 0; y < s->q_h; y += w)
            for (int x = 0; x < s->q_w; x += w) {
                const double h = y + w > s->q_h ? s->q_h - y : w,
                             v = x + w > s->q_w ? s->q_w - x : w;
                pairs += h * v * h * v;
            }
    }
    return 4.0 * pairs * s->heads * s->head_dim;
}

static int parse_attention(const char *line, bench_case *c)
{
    wsam_attention_shape *s = &c->attention;
    char bias[32];
    int at = 0;
    if (sscanf(line, "%d %d %d %d %d %31s %d %n", &s->heads, &s->head_dim, &s->q_h, &s->q_w,
               &s->window, bias, &s->padded, &at) < 7)
        return 0;
    s->k_h = s->q_h, s->k_w = s->q_w;
    s->scale = 0.125f;
    s->bias = strcmp(bias, "separable") == 0
                  ? WSAM_BIAS_SEPARABLE
                  : (strcmp(bias, "table") == 0 ? WSAM_BIAS_TABLE : WSAM_BIAS_NONE);
    c->ops = attention_ops(s);
    snprintf(c->shape, sizeof c->shape, "%dx%d %dx%d/%d", s->heads, s->head_dim, s->q_h, s->q_w,
             s->window);
    return at;
}

static void add_attention(const bench_case *like)
{
    add_case(like, WAY_FUSED, WS_PEAK_F32);
    add_case(like, WAY_FUSED, WS_PEAK_BF16);
}

static int parse_conv(const char *line, bench_case *c)
{
    wsam_conv_shape *s = &c->conv;
    int out = 0, at = 0;
    if (sscanf(line, "%d %d %d %d %d %d %d %d %n", &s->in_h, &s->in_w, &s->channels, &out,
               &s->kernel_h, &s->stride, &s->pad, &c->depthwise, &at) < 8)
        return 0;
    s->kernel_w = s->kernel_h;
    s->dilation = 1;
    s->out_h = (s->in_h + 2 * s->pad - s->kernel_h) / s->stride + 1;
    s->out_w = (s->in_w + 2 * s->pad - s->kernel_w) / s->stride + 1;
    c->m = (size_t)s->out_h * (size_t)s->out_w;
    c->n = (size_t)out;
    c->k = (size_t)(s->kernel_h * s->kernel_w) * (size_t)(c->depthwise ? 1 : s->channels);
    c->ops = 2.0 * (double)c->m * (double)c->n * (double)c->k;
    snprintf(c->shape, sizeof c->shape, "%dx%d/%d %d%s%d", s->kernel_h, s->kernel_w, s->stride,
             s->channels, c->depthwise ? "=" : ">", out);
    return at;
}

static void add_conv(const bench_case *like)
{
    add_case(like, WAY_FUSED, WS_PEAK_F32);
    add_case(like, WAY_ONEDNN, WS_PEAK_F32);
    if (like->depthwise)
        return;
    add_case(like, WAY_FUSED, WS_PEAK_BF16);
    add_case(like, WAY_ONEDNN, WS_PEAK_BF16);
    add_case(like, WAY_PASSES, WS_PEAK_BF16);
}

static void add_list(const bench_config *config, case_family family)
{
    static int (*const parse[N_FAMILIES])(const char *,
                                          bench_case *) = {parse_gemm, parse_attention, parse_conv};
    static void (*const add[N_FAMILIES])(const bench_case *) = {add_gemm, add_attention, add_conv};
    char path[512], line[256];
    snprintf(path, sizeof path, "%s/%s", config->shapes, list_names[family]);
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof line, f)) {
        bench_case c = {.config = config, .family = family};
        const int marked = line[0] == '*';
        line[strcspn(line, "\n")] = 0;
        const int at =
            line[0] == '#' || (config->brief && !marked) ? 0 : parse[family](line + marked, &c);
        if (!at)
            continue;
        snprintf(c.where, sizeof c.where, "%s", line + marked + at);
        add[family](&c);
    }
    fclose(f);
}

/* ---- results ---- */

static double rate(const bench_case *c, const gbench_result *results, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(results[i].name, c->name) == 0 && results[i].best_s > 0.0)
            return c->ops / results[i].best_s * 1e-9;
    return 0.0;
}

/* One shape's rates. */
typedef struct shape_rates {
    const bench_case *shape;
    double of[N_TYPES][N_WAYS];
} shape_rates;

static int collect(shape_rates *rows, const gbench_result *results, int n)
{
    int count = 0;
    for (int i = 0; i < n_cases; i++) {
        const bench_case *c = &cases[i];
        const double r = rate(c, results, n);
        if (r <= 0.0)
            continue;
        if (count == 0 || rows[count - 1].shape->family != c->family ||
            strcmp(rows[count - 1].shape->where, c->where) != 0)
            rows[count++] = (shape_rates){.shape = c};
        rows[count - 1].of[c->type][c->way] = r;
    }
    return count;
}

static void print_ratio(double ours, double theirs)
{
    if (ours > 0.0 && theirs > 0.0)
        printf(" %4.2f", ours / theirs);
    else
        printf("    -");
}

/* From rows of the type where there is such a form, else from f32 rows. */
static double own_rate(const double *of)
{
    return of[WAY_READY] > 0.0 ? of[WAY_READY] : of[WAY_FUSED];
}

static void print_shape(const shape_rates *r, const double *peaks)
{
    printf("%-18.18s %-14s", r->shape->where, r->shape->shape);
    for (int type = 0; type < N_TYPES; type++) {
        const double *of = r->of[type];
        if (own_rate(of) <= 0.0) {
            printf(type + 1 < N_TYPES ? " |%20s" : " |%.0s", "");
            continue;
        }
        const double passes = of[WAY_PASSES] > 0.0 ? of[WAY_PASSES] : of[WAY_ONEDNN];
        printf(" |%5.0f %3.0f%%", own_rate(of), 100.0 * own_rate(of) / peaks[type]);
        print_ratio(own_rate(of), of[WAY_ONEDNN]);
        print_ratio(of[WAY_FUSED], passes);
    }
    printf("\n");
}

static void print_head(const bench_config *config, const double *peaks)
{
    ws_machine m;
    ws_machine_read(&m);
    printf("machine  %.60s, %d of %d cores, %s\n", m.cpu, config->threads, m.cores, m.compiler);
    printf("levels   ours %s; oneDNN %s at %s\n", config->kernels->isa, ws_onednn_version(),
           config->onednn_isa);
    printf("peaks    f32 %.0f, bf16 %.0f GFLOP/s, int8 %.0f GOP/s: register loops of this run\n",
           peaks[0], peaks[1], peaks[2]);
    printf("cells    Gop/s, %% of peak; ratio to oneDNN from rows of the type, then from f32 rows "
           "with its passes\n");
}

/* oneDNN has no bf16 below AVX-512, for one. */
static void print_missing(const gbench_result *results, int n)
{
    int missing = 0, first = 0;
    for (int i = n - 1; i >= 0; i--)
        if (results[i].error[0]) {
            missing++;
            first = i;
        }
    if (missing)
        printf("\n%d not measured; the first, %s: %s\n", missing, results[first].name,
               results[first].error);
}

static void print_tables(const bench_config *config, const gbench_result *results, int n,
                         const double *peaks)
{
    static shape_rates rows[MAX_CASES];
    static const char *const heads[N_FAMILIES] = {"product", "attention", "convolution"};
    static const char *const shapes[N_FAMILIES] = {"m x k x n", "heads map/win", "kernel/step"};
    const int count = collect(rows, results, n);
    print_head(config, peaks);
    for (int i = 0; i < count; i++) {
        const case_family family = rows[i].shape->family;
        if (i == 0 || rows[i - 1].shape->family != family)
            printf("\n%-18s %-14s |%20s |%20s |%20s\n", heads[family], shapes[family], "f32      ",
                   "bf16      ", "int8      ");
        print_shape(&rows[i], peaks);
    }
    print_missing(results, n);
}

static void print_json(FILE *f, const bench_config *config, const gbench_result *results, int n,
                       const double *peaks)
{
    ws_machine m;
    ws_machine_read(&m);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n_cases; k++) {
            const bench_case *c = &cases[k];
            if (strcmp(c->name, results[i].name) != 0 || results[i].best_s <= 0.0)
                continue;
            const double gops = c->ops / results[i].best_s * 1e-9;
            fprintf(
                f,
                "{\"device\":\"%s\",\"name\":\"%s\",\"where\":\"%s\",\"isa\":\"%s\",\"threads\":%d,"
                "\"best_s\":%.6g,\"median_s\":%.6g,\"gops\":%.1f,\"peak_gops\":%.1f,"
                "\"percent_of_peak\":%.1f}\n",
                m.cpu, c->name, c->where,
                c->way == WAY_ONEDNN || c->way == WAY_PASSES ? config->onednn_isa
                                                             : config->kernels->isa,
                config->threads, results[i].best_s, results[i].median_s, gops, peaks[c->type],
                100.0 * gops / peaks[c->type]);
        }
}

static int write_results(const bench_config *config, const gbench_result *results, int n,
                         const double *peaks)
{
    if (config->json)
        print_json(stdout, config, results, n, peaks);
    else
        print_tables(config, results, n, peaks);
    if (!config->json_to)
        return 0;
    FILE *f = fopen(config->json_to, "a");
    if (f)
        print_json(f, config, results, n, peaks);
    if (!f || fclose(f)) {
        perror(config->json_to);
        return 1;
    }
    return 0;
}

/* ---- the program ---- */

typedef struct own_options {
    const char *isa, *onednn;
} own_options;

/* Takes our own options out of the command line; the rest is Google Benchmark's. */
static int parse(bench_config *config, own_options *own, int argc, char **argv)
{
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        const int more = i + 1 < argc;
        if (strcmp(argv[i], "--isa") == 0 && more)
            own->isa = argv[++i];
        else if (strcmp(argv[i], "--onednn-isa") == 0 && more)
            own->onednn = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && more)
            config->threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--shapes") == 0 && more)
            config->shapes = argv[++i];
        else if (strcmp(argv[i], "--json-to") == 0 && more)
            config->json_to = argv[++i];
        else if (strcmp(argv[i], "--json") == 0)
            config->json = 1;
        else if (strcmp(argv[i], "--brief") == 0)
            config->brief = 1;
        else
            argv[kept++] = argv[i];
    }
    return kept;
}

/* Levels of both sides; 0 with a message when an option is wrong. */
static int settle(bench_config *config, const own_options *own)
{
    wsam_error error = {0};
    config->kernels = ws_kernels_find(own->isa, &error);
    if (config->kernels && config->threads < 1)
        snprintf(error.message, sizeof error.message, "--threads needs a number from 1");
    else if (strcmp(own->onednn, "level") != 0 && strcmp(own->onednn, "max") != 0)
        snprintf(error.message, sizeof error.message, "--onednn-isa needs level or max");
    else if (config->kernels && ws_onednn_built() && *own->onednn == 'l')
        ws_onednn_limit(config->kernels->isa, &error);
    if (error.message[0]) {
        fprintf(stderr, "bench_kernels: %s\n", error.message);
        return 0;
    }
    config->onednn_isa = ws_onednn_isa();
    return 1;
}

/* Before and after the run, as another's work may disturb either: the better one counts. */
static void measure_peaks(const bench_config *config, double peaks[N_TYPES])
{
    for (int type = 0; type < N_TYPES; type++) {
        const double p = ws_peak_gops(config->kernels->isa, (ws_peak_type)type, config->threads);
        peaks[type] = p > peaks[type] ? p : peaks[type];
    }
}

int main(int argc, char **argv)
{
    static gbench_result results[MAX_CASES];
    bench_config config = {.threads = wsam_default_threads(), .shapes = "bench/shapes"};
    own_options own = {.onednn = "level"};
    argc = parse(&config, &own, argc, argv);
    if (!settle(&config, &own))
        return 2;
    wsam_float_enter(); /* as the runtime does; threads begin with it. Random scores make denormals,
                           which halve the rate of attention on Intel otherwise */
    for (int family = 0; family < N_FAMILIES; family++)
        add_list(&config, (case_family)family);
    double peaks[N_TYPES] = {0};
    measure_peaks(&config, peaks);
    const int n = gbench_run(argc, argv, results, MAX_CASES);
    if (n < 0)
        return 2;
    measure_peaks(&config, peaks);
    return write_results(&config, results, n, peaks);
}
