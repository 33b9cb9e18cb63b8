/* bench/bench_kernels.c - GEMM and attention on the shapes of the real graphs: rate, per cent of
 * the peak measured in the same run, and the ratio to oneDNN. One table on stdout, or JSON lines.
 *
 * A product is timed in four ways. "fused": ours from f32 rows, which it rounds or quantizes on the
 * way; "ready": ours from rows prepared beforehand; "onednn": oneDNN from rows of its own type;
 * "passes": oneDNN's reorder of f32 rows into its type, then its product. The pairs are ready to
 * onednn and fused to passes; f32 rows need no passes, so there fused stands against onednn. (An
 * int8 reorder uses one scale that is given; ours finds one scale per row.)
 *
 * usage: bench_kernels [--isa LEVEL] [--threads N] [--json] [--shapes DIR] [Google Benchmark
 * options] */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/gbench.h"
#include "bench/peak.h"
#include "runtime/backend_onednn.h"
#include "weaksam/kernels.h"

enum { MAX_CASES = 512, N_TYPES = 3 };

static const char *const type_names[N_TYPES] = {"f32", "bf16", "int8"};

typedef struct bench_config {
    const wsam_kernels *kernels;
    int threads, json;
    const char *shapes;
} bench_config;

typedef enum case_kind {
    CASE_FUSED,
    CASE_READY,
    CASE_ONEDNN,
    CASE_PASSES,
    CASE_ATTENTION
} case_kind;

static const char *const kind_names[] = {"fused", "ready", "onednn", "passes"};

typedef struct bench_case {
    case_kind kind;
    int type; /* 0 f32, 1 bf16, 2 int8 */
    const bench_config *config;
    size_t m, n, k;
    wsam_attention_shape attention;
    char where[64];
    char name[128];
    double ops; /* multiply and add count as two */
} bench_case;

static bench_case cases[MAX_CASES];
static int n_cases;

static void *buffer(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (!p) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    memset(p, 0, bytes);
    return p;
}

/* Small integers: exact in every type. */
static float *random_floats(size_t n)
{
    float *x = buffer(n * sizeof *x);
    uint32_t s = 12345;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (float)((int)(s >> 24) - 128) / 64.0f;
    }
    return x;
}

static const wsam_gemm_kernel *gemm_of(const bench_case *c)
{
    const wsam_kernels *t = c->config->kernels;
    return c->type == 0 ? &t->gemm_f32 : (c->type == 1 ? &t->gemm_bf16 : &t->gemm_s8);
}

static int8_t *random_s8(size_t n)
{
    int8_t *x = buffer(n);
    uint32_t s = 54321;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (int8_t)((int)((s >> 16) % 255) - 127);
    }
    return x;
}

/* What one product needs, ours or oneDNN's. */
typedef struct operands {
    float *a, *out, *scale, *bias;
    void *weight;
} operands;

static operands open_operands(const bench_case *c)
{
    operands o = {.a = random_floats(c->m * c->k),
                  .out = buffer(c->m * c->n * sizeof(float)),
                  .scale = buffer(c->n * sizeof(float)),
                  .bias = random_floats(c->n),
                  .weight = c->type == 2 ? (void *)random_s8(c->n * c->k)
                                         : (void *)random_floats(c->n * c->k)};
    for (size_t i = 0; i < c->n; i++)
        o.scale[i] = 0.01f;
    return o;
}

static void close_operands(operands *o)
{
    free(o->a), free(o->out), free(o->scale), free(o->bias), free(o->weight);
}

/* A few rows are cut into columns too, so that every thread has work. */
typedef struct tasks {
    size_t block, blocks, width, parts; /* rows and columns of a task, and how many there are */
} tasks;

static tasks cut(const bench_case *c, const wsam_gemm_kernel *g)
{
    tasks t = {.block = g->rows, .width = c->n, .parts = 1};
    t.blocks = (c->m + t.block - 1) / t.block;
    if (t.blocks < 4) {
        t.width = (256 + g->nr - 1) / g->nr * g->nr;
        t.parts = (c->n + t.width - 1) / t.width;
    }
    return t;
}

static void run_products(const bench_case *c, const operands *o, const void *packed, char *prepared,
                         size_t prepared_bytes)
{
    const wsam_gemm_kernel *g = gemm_of(c);
    const wsam_epilogue epilogue = {.bias = o->bias};
    const tasks t = cut(c, g);
#pragma omp parallel for num_threads(c->config->threads) schedule(dynamic)
    for (size_t task = 0; task < t.blocks * t.parts; task++) {
        const size_t b = task / t.parts, n0 = task % t.parts * t.width, row = b * t.block;
        const size_t rows = c->m - row < t.block ? c->m - row : t.block;
        const size_t n1 = c->n - n0 < t.width ? c->n : n0 + t.width;
        const size_t slot = c->kind == CASE_READY ? b : (size_t)omp_get_thread_num();
        void *mine = prepared + prepared_bytes * slot;
        const wsam_rows source = {.data = o->a + row * c->k, .ld = c->k};
        if (c->kind == CASE_FUSED)
            g->prepare(rows, c->k, &source, mine);
        g->run(rows, c->n, c->k, n0, n1, mine, packed, &epilogue, o->out + row * c->n, c->n);
    }
}

static void bench_gemm(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    const wsam_gemm_kernel *g = gemm_of(c);
    operands o = open_operands(c);
    void *packed = buffer(g->packed_bytes(c->n, c->k));
    g->pack(c->n, c->k, c->type == 2 ? WSAM_S8 : WSAM_F32, o.weight, o.scale, 0,
            (c->n + g->nr - 1) / g->nr, packed);
    const tasks t = cut(c, g);
    const size_t bytes = (g->prepared_bytes(t.block, c->k) + 63) / 64 * 64;
    const size_t slots = c->kind == CASE_READY ? t.blocks : (size_t)c->config->threads;
    char *prepared = buffer(bytes * slots);
    for (size_t b = 0; c->kind == CASE_READY && b < t.blocks; b++) {
        const size_t row = b * t.block, rows = c->m - row < t.block ? c->m - row : t.block;
        const wsam_rows source = {.data = o.a + row * c->k, .ld = c->k};
        g->prepare(rows, c->k, &source, prepared + bytes * b);
    }
    while (gbench_keep_running(state))
        run_products(c, &o, packed, prepared, bytes);
    close_operands(&o);
    free(packed), free(prepared);
}

static const ws_onednn_type onednn_types[N_TYPES] = {WS_ONEDNN_F32, WS_ONEDNN_BF16, WS_ONEDNN_U8S8};

static wsam_status create_onednn(const bench_case *c, const operands *o, ws_onednn_op **product,
                                 ws_onednn_op **rows, wsam_error *error)
{
    const ws_onednn_type type = onednn_types[c->type];
    const ws_onednn_gemm_desc desc = {.type = type,
                                      .m = c->m,
                                      .n = c->n,
                                      .k = c->k,
                                      .weight = o->weight,
                                      .column_scale = c->type == 2 ? o->scale : NULL,
                                      .bias = o->bias,
                                      .threads = c->config->threads};
    wsam_status status = ws_onednn_gemm_create(&desc, product, error);
    if (!status && c->kind == CASE_PASSES)
        status = ws_onednn_rows_create(type, c->m, c->k, c->config->threads, rows, error);
    return status;
}

static void bench_onednn(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    operands o = open_operands(c);
    void *a = buffer(c->m * c->k * sizeof(float));
    ws_onednn_op *product = NULL, *rows = NULL;
    wsam_error error = {0};
    if (create_onednn(c, &o, &product, &rows, &error)) {
        gbench_skip(state, error.message);
    } else {
        const size_t more = rows ? ws_onednn_scratch_bytes(rows) : 0;
        void *scratch = buffer(ws_onednn_scratch_bytes(product) + more + 64);
        while (gbench_keep_running(state)) {
            if (rows && ws_onednn_run(rows, o.a, a, scratch, &error))
                break;
            if (ws_onednn_run(product, a, o.out, scratch, &error))
                break;
        }
        if (error.message[0])
            gbench_skip(state, error.message);
        free(scratch);
    }
    ws_onednn_free(product);
    ws_onednn_free(rows);
    close_operands(&o);
    free(a);
}

static void bench_attention(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    const wsam_attention_shape *s = &c->attention;
    const wsam_attention_kernel *k =
        c->type == 1 ? &c->config->kernels->attention_bf16 : &c->config->kernels->attention_f32;
    const size_t tokens = (size_t)s->q_h * (size_t)s->q_w;
    const size_t width = (size_t)s->heads * (size_t)s->head_dim;
    const size_t side = (size_t)(2 * (s->window ? s->window : s->q_h) - 1);
    float *qkv = random_floats(tokens * 3 * width), *out = buffer(tokens * width * sizeof *out);
    float *rel = random_floats(side * (size_t)s->head_dim);
    float *table = random_floats(side * side * (size_t)s->heads), *pad = random_floats(2 * width);
    void *bias = buffer(k->bias_bytes(s) + 64), *packed = buffer(k->packed_bytes(s) + 64);
    const size_t scratch_bytes = (k->scratch_bytes(s) + 127) / 64 * 64;
    char *scratch = buffer(scratch_bytes * (size_t)c->config->threads);
    if (s->bias != WSAM_BIAS_NONE)
        k->prepare_bias(s, rel, rel, table, bias);
    const wsam_attention_io io = {.q = qkv,
                                  .k = qkv + width,
                                  .v = qkv + 2 * width,
                                  .ld_q = 3 * width,
                                  .ld_k = 3 * width,
                                  .ld_v = 3 * width,
                                  .pad_k = pad,
                                  .pad_v = pad + width,
                                  .bias = bias,
                                  .out = out,
                                  .ld_out = width};
    while (gbench_keep_running(state)) {
        const int pack_tasks = k->pack_tasks(s), run_tasks = k->run_tasks(s);
#pragma omp parallel num_threads(c->config->threads)
        {
            char *mine = scratch + scratch_bytes * (size_t)omp_get_thread_num();
#pragma omp for schedule(dynamic)
            for (int t = 0; t < pack_tasks; t++)
                k->pack(s, &io, t, packed);
#pragma omp for schedule(dynamic)
            for (int t = 0; t < run_tasks; t++)
                k->run(s, &io, t, packed, mine);
        }
    }
    free(qkv), free(out), free(rel), free(table), free(pad), free(bias), free(packed),
        free(scratch);
}

static bench_case *new_case(const bench_config *config, case_kind kind, int type, const char *where)
{
    if (n_cases == MAX_CASES) {
        fprintf(stderr, "bench_kernels: more than %d cases\n", MAX_CASES);
        exit(1);
    }
    bench_case *c = &cases[n_cases++];
    c->config = config;
    c->kind = kind;
    c->type = type;
    snprintf(c->where, sizeof c->where, "%s", where);
    return c;
}

static FILE *open_shapes(const bench_config *config, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", config->shapes, name);
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void trim(char *line)
{
    line[strcspn(line, "\n")] = 0;
}

static void add_gemm_cases(const bench_config *config)
{
    char line[256];
    FILE *f = open_shapes(config, "gemm.txt");
    while (fgets(line, sizeof line, f)) {
        size_t m, n, k;
        int at = 0;
        trim(line);
        if (line[0] == '#' || sscanf(line, "%zu %zu %zu %n", &m, &k, &n, &at) < 3)
            continue;
        for (int type = 0; type < N_TYPES; type++)
            for (int kind = CASE_FUSED; kind <= CASE_PASSES; kind++) {
                const int plain_rows = kind == CASE_READY || kind == CASE_PASSES;
                if ((type == 0 && plain_rows) || (kind >= CASE_ONEDNN && !ws_onednn_built()))
                    continue;
                bench_case *c = new_case(config, (case_kind)kind, type, line + at);
                c->m = m, c->n = n, c->k = k;
                c->ops = 2.0 * (double)m * (double)n * (double)k;
                snprintf(c->name, sizeof c->name, "gemm/%s/%zux%zux%zu/%s", type_names[type], m, k,
                         n, kind_names[kind]);
                gbench_register(c->name, kind >= CASE_ONEDNN ? bench_onednn : bench_gemm, c);
            }
    }
    fclose(f);
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

static void add_attention_cases(const bench_config *config)
{
    char line[256], bias[32];
    FILE *f = open_shapes(config, "attention.txt");
    while (fgets(line, sizeof line, f)) {
        wsam_attention_shape s = {0};
        int at = 0;
        trim(line);
        if (line[0] == '#' || sscanf(line, "%d %d %d %d %d %31s %d %n", &s.heads, &s.head_dim,
                                     &s.q_h, &s.q_w, &s.window, bias, &s.padded, &at) < 7)
            continue;
        s.k_h = s.q_h, s.k_w = s.q_w;
        s.scale = 0.125f;
        s.bias = strcmp(bias, "separable") == 0
                     ? WSAM_BIAS_SEPARABLE
                     : (strcmp(bias, "table") == 0 ? WSAM_BIAS_TABLE : WSAM_BIAS_NONE);
        for (int type = 0; type < 2; type++) {
            bench_case *c = new_case(config, CASE_ATTENTION, type, line + at);
            c->attention = s;
            c->ops = attention_ops(&s);
            snprintf(c->name, sizeof c->name, "attention/%s/%dx%d/%dx%d/w%d", type_names[type],
                     s.heads, s.head_dim, s.q_h, s.q_w, s.window);
            gbench_register(c->name, bench_attention, c);
        }
    }
    fclose(f);
}

static double rate(const bench_case *c, const gbench_result *results, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(results[i].name, c->name) == 0 && results[i].best_s > 0.0)
            return c->ops / results[i].best_s * 1e-9;
    return 0.0;
}

/* One shape's rates: of the four ways to a product in each type, or of an attention in [0]. */
typedef struct shape_rates {
    const bench_case *shape;
    double of[N_TYPES][CASE_ATTENTION];
} shape_rates;

static int same_shape(const bench_case *a, const bench_case *b)
{
    return (a->kind == CASE_ATTENTION) == (b->kind == CASE_ATTENTION) && a->m == b->m &&
           a->n == b->n && a->k == b->k && strcmp(a->where, b->where) == 0;
}

static int collect(shape_rates *rows, const gbench_result *results, int n)
{
    int count = 0;
    for (int i = 0; i < n_cases; i++) {
        const double r = rate(&cases[i], results, n);
        if (r <= 0.0)
            continue;
        if (count == 0 || !same_shape(rows[count - 1].shape, &cases[i]))
            rows[count++] = (shape_rates){.shape = &cases[i]};
        const case_kind kind = cases[i].kind == CASE_ATTENTION ? CASE_FUSED : cases[i].kind;
        rows[count - 1].of[cases[i].type][kind] = r;
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

/* The better known of two rates of ours: f32 rows have no "ready" form. */
static double ready_rate(const double *of)
{
    return of[CASE_READY] > 0.0 ? of[CASE_READY] : of[CASE_FUSED];
}

static void print_row(const shape_rates *r, const double *peaks)
{
    const bench_case *c = r->shape;
    const wsam_attention_shape *s = &c->attention;
    char shape[64];
    if (c->kind == CASE_ATTENTION)
        snprintf(shape, sizeof shape, "%dx%d %dx%d w%d", s->heads, s->head_dim, s->q_h, s->q_w,
                 s->window);
    else
        snprintf(shape, sizeof shape, "%zux%zux%zu", c->m, c->k, c->n);
    printf("| %-24.24s | %-15s |", c->where, shape);
    for (int type = 0; type < N_TYPES; type++) {
        const double *of = r->of[type];
        if (of[CASE_FUSED] <= 0.0) {
            printf("                     |");
            continue;
        }
        printf(" %4.0f %3.0f%%", ready_rate(of), 100.0 * ready_rate(of) / peaks[type]);
        print_ratio(ready_rate(of), of[CASE_ONEDNN]);
        print_ratio(of[CASE_FUSED], type ? of[CASE_PASSES] : of[CASE_ONEDNN]);
        printf(" |");
    }
    printf("\n");
}

static void print_json(const bench_config *config, const gbench_result *r, const double *peaks)
{
    for (int i = 0; i < n_cases; i++) {
        const bench_case *c = &cases[i];
        if (strcmp(c->name, r->name) != 0 || r->best_s <= 0.0)
            continue;
        const double gops = c->ops / r->best_s * 1e-9;
        printf("{\"name\":\"%s\",\"isa\":\"%s\",\"threads\":%d,\"best_s\":%.6g,\"median_s\":%.6g,"
               "\"gops\":%.1f,\"percent_of_peak\":%.1f}\n",
               c->name, config->kernels->isa, config->threads, r->best_s, r->median_s, gops,
               100.0 * gops / peaks[c->type]);
    }
}

static void print_results(const bench_config *config, const gbench_result *results, int n,
                          const double *peaks)
{
    static shape_rates rows[MAX_CASES];
    if (config->json) {
        for (int i = 0; i < n; i++)
            print_json(config, &results[i], peaks);
        return;
    }
    printf("level %s, %d threads, oneDNN %s; peak f32 %.0f, bf16 %.0f GFLOP/s, int8 %.0f GOP/s\n"
           "Gop/s and per cent of that peak; rate to oneDNN's from rows of its type; rate from f32 "
           "rows to oneDNN's with its pass\n\n",
           config->kernels->isa, config->threads, ws_onednn_version(), peaks[0], peaks[1],
           peaks[2]);
    printf("| %-24s | %-15s | %-19s | %-19s | %-19s |\n|---|---|---|---|---|\n", "where",
           "m x k x n", "f32", "bf16", "int8");
    const int count = collect(rows, results, n);
    for (int i = 0; i < count; i++)
        print_row(&rows[i], peaks);
}

/* Takes our own options out of the command line; the rest is Google Benchmark's. */
static int parse(bench_config *config, int argc, char **argv)
{
    const char *isa = NULL;
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--isa") == 0 && i + 1 < argc)
            isa = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            config->threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--shapes") == 0 && i + 1 < argc)
            config->shapes = argv[++i];
        else if (strcmp(argv[i], "--json") == 0)
            config->json = 1;
        else
            argv[kept++] = argv[i];
    }
    wsam_error error = {0};
    config->kernels = wsam_kernels_for(isa, &error);
    if (!config->kernels) {
        fprintf(stderr, "bench_kernels: %s\n", error.message);
        return -1;
    }
    if (config->threads < 1) {
        fprintf(stderr, "bench_kernels: --threads wants a number from 1\n");
        return -1;
    }
    return kept;
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
    argc = parse(&config, argc, argv);
    if (argc < 0)
        return 2;
    add_gemm_cases(&config);
    add_attention_cases(&config);
    double peaks[N_TYPES] = {0};
    measure_peaks(&config, peaks);
    const int n = gbench_run(argc, argv, results, MAX_CASES);
    if (n < 0)
        return 2;
    measure_peaks(&config, peaks);
    print_results(&config, results, n, peaks);
    return 0;
}
