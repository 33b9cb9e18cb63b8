/* demo/evaluate_clues.c - how well the clue network tells which part classes a picture
 * shows, on pictures that training never saw: average precision of the logits, per class and mean.
 *
 * usage: evaluate_clues -m CLUES.wsam [--count N] [--seed S] [--size PIXELS] */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "demo/drawing/scene.h"
#include "weaksam/weaksam.h"

typedef struct sample {
    float logit[DEMO_PARTS];
    int shown[DEMO_PARTS];
} sample;

typedef struct ranked {
    float logit;
    int shown;
    long index;
} ranked;

static int by_logit(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->logit < y->logit || x->logit > y->logit)
        return x->logit < y->logit ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

/* Mean precision at every picture that shows the class; below 0 where none does. */
static double average_precision(const sample *samples, long n, int class_index, ranked *order)
{
    long found = 0;
    double sum = 0.0;
    for (long i = 0; i < n; i++)
        order[i] = (ranked){samples[i].logit[class_index], samples[i].shown[class_index], i};
    qsort(order, (size_t)n, sizeof *order, by_logit);
    for (long i = 0; i < n; i++)
        if (order[i].shown)
            sum += (double)++found / (double)(i + 1);
    return found ? sum / (double)found : -1.0;
}

static wsam_status look(wsam_clues *clues, const demo_scene *s, int size, sample *to,
                        wsam_error *error)
{
    const wsam_picture picture = {s->height, s->width, 3, (size_t)s->width * 3, s->rgb, NULL};
    wsam_clues_result *result = NULL;
    wsam_clues_params params;
    wsam_clues_params_default(&params);
    params.size = size;
    params.n_scales = 1;
    params.mirror = 0;
    params.least_logit = 1e30; /* no class, so no maps */
    const wsam_status status = wsam_clues_run(clues, &picture, NULL, 0, &params, &result, error);
    for (int k = 0; !status && k < (int)DEMO_PARTS; k++) {
        const int32_t at = wsam_clues_class_find(clues, demo_class_sets[DEMO_OLD].names[k]);
        to->logit[k] = at < 0 ? 0.0f : result->logits[at];
        to->shown[k] = 0;
    }
    for (int i = 0; !status && i < s->n; i++)
        if ((int)s->instances[i].kind < (int)DEMO_PARTS)
            to->shown[s->instances[i].kind] = 1;
    wsam_clues_result_free(result);
    return status;
}

static void print(const sample *samples, long n, ranked *order)
{
    double sum = 0.0;
    int classes = 0;
    for (int k = 0; k < (int)DEMO_PARTS; k++) {
        const double ap = average_precision(samples, n, k, order);
        if (ap < 0.0)
            continue;
        printf("  %-8s AP %.4f\n", demo_class_sets[DEMO_OLD].names[k], ap);
        sum += ap;
        classes++;
    }
    printf("pictures %ld, image-level classification: mean AP %.4f\n", n, sum / classes);
}

static wsam_status evaluate(const char *path, long count, unsigned long long seed, int size,
                            wsam_error *error)
{
    wsam_model *model = NULL;
    wsam_clues *clues = NULL;
    sample *samples = calloc((size_t)count, sizeof *samples);
    ranked *order = calloc((size_t)count, sizeof *order);
    const demo_options options = {.distractors = 0.3f};
    wsam_status status = wsam_model_open(path, NULL, &model, error);
    if (!status)
        status = wsam_clues_create(model, &clues, error);
    for (long i = 0; samples && order && !status && i < count; i++) {
        demo_scene s;
        if (!demo_scene_draw(seed + (unsigned long long)i, &options, &s)) {
            status = WSAM_ERR_MEMORY;
            snprintf(error->message, sizeof error->message, "no memory for a picture");
            break;
        }
        status = look(clues, &s, size, &samples[i], error);
        demo_scene_free(&s);
    }
    if (samples && order && !status)
        print(samples, count, order);
    wsam_clues_free(clues);
    wsam_model_close(model);
    free(samples);
    free(order);
    return status;
}

static int usage(void)
{
    fprintf(stderr, "usage: evaluate_clues -m CLUES.wsam [--count N] [--seed S] [--size PIXELS]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"count", required_argument, NULL, 'n'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"size", required_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    const char *model = NULL;
    long count = 500, size = 256;
    unsigned long long seed = 9000000;
    for (int option; (option = getopt_long(argc, argv, "m:", options, NULL)) != -1;)
        switch (option) {
        case 'm':
            model = optarg;
            break;
        case 'n':
            count = strtol(optarg, NULL, 10);
            break;
        case 's':
            seed = strtoull(optarg, NULL, 10);
            break;
        case 'p':
            size = strtol(optarg, NULL, 10);
            break;
        default:
            return usage();
        }
    if (!model || optind != argc || count < 1 || size < 16 || size > 16384)
        return usage();
    wsam_error error = {WSAM_OK, ""};
    const wsam_status status = evaluate(model, count, seed, (int)size, &error);
    if (status)
        fprintf(stderr, "evaluate_clues: %s\n", error.message);
    return status != WSAM_OK;
}
