/* bench/bench_training.c - the three products of training a detection head (forward, weight
 * gradient, input gradient) on the layers of its presets, packing included: GFLOP/s and per cent of
 * the f32 peak measured in the same run.
 *
 * usage: bench_training [--isa LEVEL] [--threads N] [--shapes DIR] [--json]
 *                       [Google Benchmark options] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/gbench.h"
#include "kernels/cpu.h"
#include "pipeline/bench/machine.h"
#include "runtime/run/peak_rate.h"
#include "runtime/training_gemm.h"

enum { MAX_LAYERS = 32, PRODUCTS = 3 };

static const char *const product_names[PRODUCTS] = {"forward", "weights", "inputs"};

typedef struct bench_config {
    const wsam_kernels *kernels;
    int threads, json;
    const char *shapes;
} bench_config;

typedef struct layer {
    size_t m, n, k; /* RoIs, outputs, inputs */
    char where[64];
} layer;

typedef struct bench_case {
    const bench_config *config;
    const layer *layer;
    int product;
    char name[128];
} bench_case;

static layer layers[MAX_LAYERS];
static int n_layers;
static bench_case cases[MAX_LAYERS * PRODUCTS];

static float *values(size_t n)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 127) / 64 * 64);
    uint32_t s = 12345;
    for (size_t i = 0; x && i < n; i++) {
        s = s * 1664525u + 1013904223u;
        x[i] = (float)((int)(s >> 24) - 128) / 4096.0f;
    }
    return x;
}

static void bench_product(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    const size_t m = c->layer->m, n = c->layer->n, k = c->layer->k;
    const size_t shape[1][2] = {{n, k}};
    ws_train_gemm gemm;
    wsam_error error = {0};
    if (ws_training_gemm_init(&gemm, c->config->kernels, c->config->threads, m, 1, shape, &error)) {
        gbench_skip(state, error.message);
        return;
    }
    float *x = values(m * k), *w = values(n * k), *y = values(m * n), *bias = values(n);
    if (x && w && y && bias)
        while (gbench_keep_running(state)) {
            if (c->product == 0)
                ws_training_gemm_forward(&gemm, m, n, k, x, w, bias, y);
            else if (c->product == 1)
                ws_training_gemm_weights(&gemm, m, n, k, y, x, w);
            else
                ws_training_gemm_inputs(&gemm, m, n, k, y, w, x);
        }
    else
        gbench_skip(state, "no memory");
    free(x), free(w), free(y), free(bias);
    ws_training_gemm_free(&gemm);
}

static int add_cases(const bench_config *config)
{
    char path[512], line[256];
    snprintf(path, sizeof path, "%s/training.txt", config->shapes);
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        return 0;
    }
    while (n_layers < MAX_LAYERS && fgets(line, sizeof line, f)) {
        layer *l = &layers[n_layers];
        if (sscanf(line, "%zu %zu %zu %63[^\n]", &l->m, &l->k, &l->n, l->where) < 4)
            continue;
        for (int product = 0; product < PRODUCTS; product++) {
            bench_case *c = &cases[n_layers * PRODUCTS + product];
            *c = (bench_case){.config = config, .layer = l, .product = product};
            snprintf(c->name, sizeof c->name, "training/%zux%zux%zu/%s", l->m, l->k, l->n,
                     product_names[product]);
            gbench_register(c->name, bench_product, c);
        }
        n_layers++;
    }
    fclose(f);
    return n_layers;
}

static double seconds_of(const char *name, const gbench_result *results, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(results[i].name, name) == 0)
            return results[i].best_s;
    return 0.0;
}

static void print_results(const bench_config *config, const gbench_result *results, int n,
                          double peak)
{
    printf("level %s, %d threads; f32 peak %.0f GFLOP/s\n\n", config->kernels->isa, config->threads,
           peak);
    printf("| %-40s | %-15s | %-10s | %-10s | %-10s | %-10s |\n|---|---|---|---|---|---|\n",
           "layer", "RoIs x k x n", product_names[0], product_names[1], product_names[2],
           "together");
    for (int i = 0; i < n_layers; i++) {
        const layer *l = &layers[i];
        const double flops = 2e-9 * (double)l->m * (double)l->n * (double)l->k;
        double sum = 0.0;
        char shape[64];
        snprintf(shape, sizeof shape, "%zux%zux%zu", l->m, l->k, l->n);
        printf("| %-40s | %-15s |", l->where, shape);
        for (int product = 0; product < PRODUCTS; product++) {
            const double s = seconds_of(cases[i * PRODUCTS + product].name, results, n);
            sum += s;
            printf(" %4.0f %3.0f %% |", s > 0.0 ? flops / s : 0.0,
                   s > 0.0 ? 100.0 * flops / s / peak : 0.0);
        }
        printf(" %4.0f %3.0f %% |\n", sum > 0.0 ? 3 * flops / sum : 0.0,
               sum > 0.0 ? 300.0 * flops / sum / peak : 0.0);
    }
}

static void print_json(const bench_config *config, const gbench_result *results, int n, double peak)
{
    ws_machine m;
    ws_machine_read(&m);
    for (int i = 0; i < n_layers * PRODUCTS; i++) {
        const bench_case *c = &cases[i];
        const double s = seconds_of(c->name, results, n);
        const double flops = 2e-9 * (double)c->layer->m * (double)c->layer->n * (double)c->layer->k;
        if (s <= 0.0)
            continue;
        printf("{\"device\":\"%s\",\"name\":\"%s\",\"where\":\"%s\",\"isa\":\"%s\",\"threads\":%d,"
               "\"best_s\":%.6g,\"gops\":%.1f,\"peak_gops\":%.1f,\"percent_of_peak\":%.1f}\n",
               m.cpu, c->name, c->layer->where, config->kernels->isa, config->threads, s, flops / s,
               peak, 100.0 * flops / s / peak);
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
    config->kernels = ws_kernels_find(isa, &error);
    if (config->kernels && config->threads > 0)
        return kept;
    fprintf(stderr, "bench_training: %s\n",
            config->kernels ? "--threads needs a number from 1" : error.message);
    return -1;
}

int main(int argc, char **argv)
{
    static gbench_result results[MAX_LAYERS * PRODUCTS];
    bench_config config = {.threads = wsam_default_threads(), .shapes = "bench/shapes"};
    argc = parse(&config, argc, argv);
    if (argc < 0 || !add_cases(&config))
        return 2;
    const double before = ws_peak_gops(config.kernels->isa, WS_PEAK_F32, config.threads);
    const int n = gbench_run(argc, argv, results, MAX_LAYERS * PRODUCTS);
    if (n < 0)
        return 2;
    const double after = ws_peak_gops(config.kernels->isa, WS_PEAK_F32, config.threads);
    (config.json ? print_json : print_results)(&config, results, n,
                                               before > after ? before : after);
    return 0;
}
