/* pipeline/segment/segment_masks.c - from logits to full-size masks, on all threads: bands of rows
 * first, then run lengths per mask. Band results are merged in order, so the division does not
 * matter. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/segment/segmenter.h"
#include "runtime/run/threads.h"

enum { BAND = 256 }; /* rows; a multiple of 64 (wsam_mask_kernels.upscale) */

typedef struct job {
    const wsam_segmenter *segmenter;
    wsam_mask_plan plan;
    wsam_mask_rule rule;
    size_t n;
    int bands;
    const float *const *logits;
    wsam_mask *const *masks;
    size_t words, scratch_bytes;
    uint64_t *bits;         /* [n][words] */
    char *scratch;          /* [threads][scratch_bytes] */
    wsam_mask_stats *stats; /* [n][bands] */
    int *failed;            /* [n] */
} job;

static void upscale_band(void *arg, int task, int worker)
{
    const job *j = arg;
    const size_t mask = (size_t)(task / j->bands);
    const int y0 = task % j->bands * BAND, h = j->plan.geometry.out_h;
    const int y1 = y0 + BAND < h ? y0 + BAND : h;
    j->segmenter->kernels->mask.upscale(&j->plan, &j->rule, j->logits[mask], y0, y1,
                                        j->scratch + (size_t)worker * j->scratch_bytes,
                                        j->bits + mask * j->words, &j->stats[task]);
}

/* The number of runs is known only afterwards: a first guess, then the exact size. */
static int set_runs(const job *j, const uint64_t *bits, const int32_t *box, wsam_rle *rle)
{
    const int h = j->plan.geometry.out_h, w = j->plan.geometry.out_w;
    *rle = (wsam_rle){.height = h, .width = w, .capacity = 4096};
    for (int attempt = 0; attempt < 2; attempt++) {
        rle->counts = malloc(rle->capacity * sizeof *rle->counts);
        if (!rle->counts)
            return 0;
        if (wsam_rle_from_bits(bits, h, w, box, 0, 0, rle) == WSAM_OK)
            return 1;
        free(rle->counts);
        rle->counts = NULL;
        rle->capacity = rle->n;
    }
    return 0;
}

static void finish_mask(void *arg, int task, int worker)
{
    const job *j = arg;
    const size_t i = (size_t)task;
    wsam_mask_stats s = {.x1 = -1, .y1 = -1};
    wsam_mask *m = j->masks[i];
    (void)worker;
    for (int b = 0; b < j->bands; b++)
        wsam_mask_stats_merge(&s, &j->stats[i * (size_t)j->bands + (size_t)b]);
    const int32_t box[4] = {s.x0, s.y0, s.x1, s.y1};
    m->area = s.area;
    m->stability_score = wsam_mask_stability(&s);
    m->bbox[0] = s.area ? s.x0 : 0;
    m->bbox[1] = s.area ? s.y0 : 0;
    m->bbox[2] = s.area ? s.x1 - s.x0 + 1 : 0;
    m->bbox[3] = s.area ? s.y1 - s.y0 + 1 : 0;
    j->failed[i] = !set_runs(j, j->bits + i * j->words, s.area ? box : NULL, &m->rle);
}

static wsam_status run(job *j, void *plan_memory, const wsam_mask_geometry *g, wsam_error *error)
{
    const int threads = j->segmenter->threads;
    j->bands = (g->out_h + BAND - 1) / BAND;
    j->words = wsam_bits_words(g->out_h, g->out_w);
    if (plan_memory) {
        wsam_mask_plan_init(&j->plan, g, plan_memory);
        j->scratch_bytes = ws_align64(j->segmenter->kernels->mask.scratch_bytes(&j->plan));
        j->bits = ws_alloc64(j->n * j->words * sizeof *j->bits);
        j->scratch = ws_alloc64((size_t)threads * j->scratch_bytes);
        j->stats = calloc(j->n * (size_t)j->bands, sizeof *j->stats);
        j->failed = calloc(j->n, sizeof *j->failed);
    }
    if (!plan_memory || !j->bits || !j->scratch || !j->stats || !j->failed)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu masks of %d x %d", j->n, g->out_w,
                       g->out_h);
    ws_parallel_for(threads, (int)j->n * j->bands, upscale_band, j);
    ws_parallel_for(threads, (int)j->n, finish_mask, j);
    for (size_t i = 0; i < j->n; i++)
        if (j->failed[i])
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for run lengths");
    return WSAM_OK;
}

wsam_status ws_segment_masks_finish(const wsam_segmenter *s, const wsam_transform *t, int low,
                                    size_t n, const float *const *logits, wsam_mask *const *masks,
                                    wsam_error *error)
{
    const wsam_mask_geometry g = ws_model_rules_geometry(&s->rules, low, t);
    job j = {.segmenter = s,
             .rule = {.threshold = 0.0f, .offset = 1.0f, .inclusive = s->rules.inclusive},
             .n = n,
             .logits = logits,
             .masks = masks};
    const size_t bytes = wsam_mask_plan_bytes(&g);
    if (!bytes)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "masks of %d x %d are out of range", t->width,
                       t->height);
    void *plan_memory = ws_alloc64(bytes);
    const wsam_status status = run(&j, plan_memory, &g, error);
    free(plan_memory);
    free(j.bits);
    free(j.scratch);
    free(j.stats);
    free(j.failed);
    return status;
}
