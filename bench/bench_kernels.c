/* bench/bench_kernels.c - GEMM and attention on the shapes of the real graphs: rate, per cent of
 * the peak measured in the same run, and the ratio to oneDNN. One table on stdout, or JSON lines.
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

enum { MAX_CASES = 256, N_TYPES = 3 };

static const char *const type_names[N_TYPES] = {"f32", "bf16", "int8"};

typedef struct bench_config {
    const wsam_kernels *kernels;
    int threads, json;
    const char *shapes;
} bench_config;

typedef enum case_kind { CASE_GEMM, CASE_ONEDNN, CASE_ATTENTION } case_kind;

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

static void bench_gemm(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    const wsam_gemm_kernel *g = gemm_of(c);
    float *a = random_floats(c->m * c->k), *out = buffer(c->m * c->n * sizeof *out);
    float *scale = buffer(c->n * sizeof *scale), *bias = random_floats(c->n);
    void *weight = c->type == 2 ? (void *)random_s8(c->n * c->k) : random_floats(c->n * c->k);
    for (size_t i = 0; i < c->n; i++)
        scale[i] = 0.01f;
    void *packed = buffer(g->packed_bytes(c->n, c->k));
    g->pack(c->n, c->k, c->type == 2 ? WSAM_S8 : WSAM_F32, weight, scale, 0,
            (c->n + g->nr - 1) / g->nr, packed);
    const size_t block = g->rows, blocks = (c->m + block - 1) / block;
    const size_t prepared_bytes = (g->prepared_bytes(block, c->k) + 63) / 64 * 64;
    char *prepared = buffer(prepared_bytes * (size_t)c->config->threads);
    const wsam_epilogue epilogue = {.bias = bias};
    while (gbench_keep_running(state)) {
#pragma omp parallel for num_threads(c->config->threads) schedule(dynamic)
        for (size_t b = 0; b < blocks; b++) {
            const size_t row = b * block, rows = c->m - row < block ? c->m - row : block;
            void *mine = prepared + prepared_bytes * (size_t)omp_get_thread_num();
            const wsam_rows source = {.data = a + row * c->k, .ld = c->k};
            g->prepare(rows, c->k, &source, mine);
            g->run(rows, c->n, c->k, 0, c->n, mine, packed, &epilogue, out + row * c->n, c->n);
        }
    }
    free(a), free(out), free(scale), free(bias), free(weight), free(packed), free(prepared);
}

static void bench_onednn(gbench_state *state, void *arg)
{
    static const ws_onednn_type types[N_TYPES] = {WS_ONEDNN_F32, WS_ONEDNN_BF16, WS_ONEDNN_U8S8};
    const bench_case *c = arg;
    float *out = buffer(c->m * c->n * sizeof *out), *scale = buffer(c->n * sizeof *scale);
    void *a = buffer(c->m * c->k * sizeof(float)), *weight = buffer(c->n * c->k * sizeof(float));
    float *bias = random_floats(c->n);
    for (size_t i = 0; i < c->n; i++)
        scale[i] = 0.01f;
    const ws_onednn_gemm_desc desc = {.type = types[c->type],
                                      .m = c->m,
                                      .n = c->n,
                                      .k = c->k,
                                      .weight = weight,
                                      .column_scale = c->type == 2 ? scale : NULL,
                                      .bias = bias,
                                      .threads = c->config->threads};
    ws_onednn_op *op = NULL;
    wsam_error error = {0};
    if (ws_onednn_gemm_create(&desc, &op, &error)) {
        gbench_skip(state, error.message);
    } else {
        void *scratch = buffer(ws_onednn_scratch_bytes(op) + 64);
        while (gbench_keep_running(state))
            ws_onednn_run(op, a, out, scratch, &error);
        free(scratch);
    }
    ws_onednn_free(op);
    free(out), free(scale), free(a), free(weight), free(bias);
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
            for (int other = 0; other <= ws_onednn_built(); other++) {
                bench_case *c = new_case(config, other ? CASE_ONEDNN : CASE_GEMM, type, line + at);
                c->m = m, c->n = n, c->k = k;
                c->ops = 2.0 * (double)m * (double)n * (double)k;
                snprintf(c->name, sizeof c->name, "gemm/%s/%zux%zux%zu/%s", type_names[type], m, k,
                         n, other ? "onednn" : "weaksam");
                gbench_register(c->name, other ? bench_onednn : bench_gemm, c);
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

static const gbench_result *result_of(const bench_case *c, const gbench_result *results, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(results[i].name, c->name) == 0)
            return &results[i];
    return NULL;
}

static double rate(const bench_case *c, const gbench_result *r)
{
    return r && r->best_s > 0.0 ? c->ops / r->best_s * 1e-9 : 0.0;
}

static void print_text(const bench_case *c, double ours, double theirs, const double *peaks)
{
    char theirs_text[32] = "", ratio[32] = "", shape[64];
    if (c->kind == CASE_GEMM)
        snprintf(shape, sizeof shape, "%zu x %zu x %zu", c->m, c->k, c->n);
    else
        snprintf(shape, sizeof shape, "%d heads of %d, %dx%d, window %d", c->attention.heads,
                 c->attention.head_dim, c->attention.q_h, c->attention.q_w, c->attention.window);
    if (theirs > 0.0) {
        snprintf(theirs_text, sizeof theirs_text, "%.0f", theirs);
        snprintf(ratio, sizeof ratio, "%.2f", ours / theirs);
    }
    printf("| %-9s | %-4s | %-34s | %-22s | %6.0f | %4.0f %% | %6s | %5s |\n",
           c->kind == CASE_GEMM ? "gemm" : "attention", type_names[c->type], shape, c->where, ours,
           100.0 * ours / peaks[c->type], theirs_text, ratio);
}

static void print_json(const bench_case *c, const gbench_result *r, double ours, double theirs,
                       const double *peaks)
{
    printf("{\"name\":\"%s\",\"isa\":\"%s\",\"threads\":%d,\"best_s\":%.6g,\"median_s\":%.6g,"
           "\"gops\":%.1f,\"percent_of_peak\":%.1f,\"onednn_gops\":%.1f}\n",
           c->name, c->config->kernels->isa, c->config->threads, r->best_s, r->median_s, ours,
           100.0 * ours / peaks[c->type], theirs);
}

static void print_results(const bench_config *config, const gbench_result *results, int n,
                          const double *peaks)
{
    if (!config->json) {
        printf("level %s, %d threads, oneDNN %s; peak f32 %.0f, bf16 %.0f GFLOP/s, int8 %.0f "
               "GOP/s\n\n",
               config->kernels->isa, config->threads, ws_onednn_version(), peaks[0], peaks[1],
               peaks[2]);
        printf(
            "| family    | type | shape                              | where                  |  "
            "Gop/s |   peak | oneDNN | ratio |\n|---|---|---|---|---:|---:|---:|---:|\n");
    }
    for (int i = 0; i < n_cases; i++) {
        const bench_case *c = &cases[i];
        const gbench_result *r = result_of(c, results, n);
        if (c->kind == CASE_ONEDNN || !r)
            continue;
        double theirs = 0.0;
        if (c->kind == CASE_GEMM && i + 1 < n_cases && cases[i + 1].kind == CASE_ONEDNN)
            theirs = rate(&cases[i + 1], result_of(&cases[i + 1], results, n));
        if (config->json)
            print_json(c, r, rate(c, r), theirs, peaks);
        else
            print_text(c, rate(c, r), theirs, peaks);
    }
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

int main(int argc, char **argv)
{
    static gbench_result results[MAX_CASES];
    bench_config config = {.threads = wsam_default_threads(), .shapes = "bench/shapes"};
    argc = parse(&config, argc, argv);
    if (argc < 0)
        return 2;
    add_gemm_cases(&config);
    add_attention_cases(&config);
    double peaks[N_TYPES];
    for (int type = 0; type < N_TYPES; type++)
        peaks[type] = ws_peak_gops(config.kernels->isa, (ws_peak_type)type, config.threads);
    const int n = gbench_run(argc, argv, results, MAX_CASES);
    if (n < 0)
        return 2;
    print_results(&config, results, n, peaks);
    return 0;
}
