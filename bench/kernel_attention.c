/* bench/kernel_attention.c - attention on the grids of the encoders. */
#include <omp.h>
#include <stdlib.h>

#include "bench/kernel_cases.h"

void bench_attention(gbench_state *state, void *arg)
{
    const bench_case *c = arg;
    const wsam_attention_shape *s = &c->attention;
    const wsam_attention_kernel *k = c->type == WS_PEAK_BF16 ? &c->config->kernels->attention_bf16
                                                             : &c->config->kernels->attention_f32;
    const size_t tokens = (size_t)s->q_h * (size_t)s->q_w;
    const size_t width = (size_t)s->heads * (size_t)s->head_dim;
    const size_t side = (size_t)(2 * (s->window ? s->window : s->q_h) - 1);
    float *qkv = bench_floats(tokens * 3 * width),
          *out = bench_buffer(tokens * width * sizeof *out);
    float *rel = bench_floats(side * (size_t)s->head_dim);
    float *table = bench_floats(side * side * (size_t)s->heads), *pad = bench_floats(2 * width);
    void *bias = bench_buffer(k->bias_bytes(s) + 64),
         *packed = bench_buffer(k->packed_bytes(s) + 64);
    const size_t scratch_bytes = (k->scratch_bytes(s) + 127) / 64 * 64;
    char *scratch = bench_buffer(scratch_bytes * (size_t)c->config->threads);
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
