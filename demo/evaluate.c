/* demo/evaluate.c - what the demo weights can do, on pictures that training never saw.
 *
 * usage: evaluate -m SEGMENTER.wsam [--against F32.wsam] [--count N] [--seed S]
 *     [--everything N [--confident-logit F]] [--worst FILE.png] [--photographic P]
 *
 * Prints one line per figure. "Large" instances are those whose visible box is over 32 pixels long
 * where the image's longest side has 256, whatever the model's input. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "demo/drawing/scene.h"
#include "demo/evaluation/everything.h"
#include "demo/evaluation/sheet.h"
#include "weaksam/weaksam.h"

enum { HELD_OUT = 1 << DEMO_BEARING | 1 << DEMO_WRENCH, WORST = 20, VIEW = 256 };

typedef struct sum {
    double total;
    long n;
} sum;

typedef struct run {
    wsam_model *model, *reference;
    wsam_segmenter *segmenter, *second;
    demo_everything everything;
    long count, covered_count;
    unsigned long long seed;
    sum click, box, unseen, tiny_click, tiny_box, both, per_kind[DEMO_PARTS];
    double encode_ms, click_ms;
    demo_sheet sheet;
} run;

static void add(sum *s, double v)
{
    s->total += v;
    s->n++;
}

static double mean(const sum *s)
{
    return s->n ? s->total / (double)s->n : NAN;
}

static int is_large(const demo_scene *s, const demo_instance *i)
{
    const int w = i->box[2] - i->box[0] + 1, h = i->box[3] - i->box[1] + 1;
    const int longest = s->width > s->height ? s->width : s->height;
    return (double)(w > h ? w : h) * VIEW / longest > 32;
}

/* Two prompts per instance: its inner point (three masks), its box (one mask). */
static size_t prompts_of(const demo_scene *s, wsam_point *points, wsam_prompt *prompts)
{
    for (int i = 0; i < s->n; i++) {
        const demo_instance *at = &s->instances[i];
        points[i] = (wsam_point){at->inner[0], at->inner[1], 1};
        prompts[2 * i] = (wsam_prompt){.points = &points[i], .n_points = 1, .multimask = 1};
        prompts[2 * i + 1] =
            (wsam_prompt){.has_box = 1, .box = {at->box[0], at->box[1], at->box[2], at->box[3]}};
    }
    return 2 * (size_t)s->n;
}

static void score(run *r, const demo_scene *s, const wsam_result *found)
{
    for (int i = 0; i < s->n; i++) {
        const demo_instance *at = &s->instances[i];
        double click = 0;
        for (size_t m = found->first[2 * i]; m < found->first[2 * i + 1]; m++)
            click = fmax(click, demo_iou_with(s, &found->masks[m].rle, i + 1));
        const wsam_mask *mask = &found->masks[found->first[2 * i + 1]];
        const double box = demo_iou_with(s, &mask->rle, i + 1);
        if (!is_large(s, at)) {
            add(&r->tiny_click, click);
            add(&r->tiny_box, box);
            continue;
        }
        add(&r->click, click);
        add(&r->box, box);
        add(&r->per_kind[at->kind], box);
        if (HELD_OUT >> at->kind & 1)
            add(&r->unseen, box);
        demo_sheet_offer(&r->sheet, s, at, &mask->rle, box);
    }
}

/* Mean IoU between the two models' box masks. */
static wsam_status compare(run *r, const wsam_picture *picture, const wsam_prompt *prompts,
                           size_t n, const wsam_result *found, wsam_error *error)
{
    wsam_embedding *embedding = NULL;
    wsam_result *other = NULL;
    wsam_status status = wsam_segmenter_encode(r->second, picture, &embedding, error);
    if (!status)
        status =
            wsam_segmenter_run(r->second, embedding, prompts, n, WSAM_WANT_MASKS, &other, error);
    for (size_t p = 1; !status && p < n; p += 2)
        add(&r->both, wsam_rle_iou(&found->masks[found->first[p]].rle,
                                   &other->masks[other->first[p]].rle, 0));
    wsam_result_free(other);
    wsam_embedding_free(embedding);
    return status;
}

static wsam_status cover(run *r, const demo_scene *s, const wsam_picture *picture,
                         wsam_error *error)
{
    int large[DEMO_MOST];
    for (int i = 0; i < s->n; i++)
        large[i] = is_large(s, &s->instances[i]);
    return demo_everything_scene(&r->everything, s, picture, large, error);
}

static wsam_status one_scene(run *r, long index, const demo_scene *s, wsam_error *error)
{
    const wsam_picture picture = {s->height, s->width, 3, (size_t)s->width * 3, s->rgb, NULL};
    wsam_point points[DEMO_MOST];
    wsam_prompt prompts[2 * DEMO_MOST];
    wsam_embedding *embedding = NULL;
    wsam_result *found = NULL, *one = NULL;
    const size_t n = prompts_of(s, points, prompts);
    const double start = ws_clock_ms();
    wsam_status status = wsam_segmenter_encode(r->segmenter, &picture, &embedding, error);
    const double encoded = ws_clock_ms();
    if (!status)
        status =
            wsam_segmenter_run(r->segmenter, embedding, prompts, 1, WSAM_WANT_MASKS, &one, error);
    r->click_ms += ws_clock_ms() - encoded;
    r->encode_ms += encoded - start;
    if (!status)
        status =
            wsam_segmenter_run(r->segmenter, embedding, prompts, n, WSAM_WANT_MASKS, &found, error);
    if (!status) {
        score(r, s, found);
        if (r->second)
            status = compare(r, &picture, prompts, n, found, error);
        if (!status && index < r->covered_count)
            status = cover(r, s, &picture, error);
    }
    wsam_result_free(one);
    wsam_result_free(found);
    wsam_embedding_free(embedding);
    return status;
}

static void print(const run *r)
{
    printf("pictures %ld, large instances %ld\n", r->count, r->box.n);
    printf("click, best of three: mean IoU %.4f\n", mean(&r->click));
    printf("box, single mask: mean IoU %.4f\n", mean(&r->box));
    printf("box, classes held out (%ld): mean IoU %.4f\n", r->unseen.n, mean(&r->unseen));
    printf("smaller instances (%ld): click %.4f, box %.4f\n", r->tiny_box.n, mean(&r->tiny_click),
           mean(&r->tiny_box));
    for (int k = 0; k < (int)DEMO_PARTS; k++)
        printf("  %-8s %4ld instances, box %.4f\n", demo_class_sets[DEMO_OLD].names[k],
               r->per_kind[k].n, mean(&r->per_kind[k]));
    demo_everything_print(&r->everything);
    if (r->second)
        printf("against the other file, %ld box prompts: mean mask IoU %.4f\n", r->both.n,
               mean(&r->both));
    printf("per picture, %d threads, %s: encode %.2f ms, one click with full-size masks %.2f ms\n",
           wsam_model_threads(r->model), wsam_model_isa(r->model), r->encode_ms / (double)r->count,
           r->click_ms / (double)r->count);
}

static int usage(void)
{
    fprintf(stderr,
            "usage: evaluate -m SEGMENTER.wsam [--against F32.wsam] [--count N] [--seed S]\n"
            "                [--everything PICTURES [--confident-logit F]] [--worst FILE.png]\n"
            "                [--photographic P]\n");
    return 2;
}

static wsam_status open_models(run *r, const char *path, const char *against, wsam_error *error)
{
    wsam_status status = wsam_model_open(path, NULL, &r->model, error);
    if (!status)
        status = wsam_segmenter_create(r->model, &r->segmenter, error);
    if (!status)
        status = wsam_everything_create(r->model, &r->everything.generator, error);
    if (!status && against)
        status = wsam_model_open(against, NULL, &r->reference, error);
    if (!status && against)
        status = wsam_segmenter_create(r->reference, &r->second, error);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"against", required_argument, NULL, 'a'},
                                            {"count", required_argument, NULL, 'n'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"everything", required_argument, NULL, 'e'},
                                            {"worst", required_argument, NULL, 'w'},
                                            {"confident-logit", required_argument, NULL, 'c'},
                                            {"photographic", required_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    run r = {.count = 500, .seed = 9000000, .everything.confident_logit = 8.5};
    demo_options scene_options = {.distractors = 0.3f};
    const char *model = NULL, *against = NULL, *worst = NULL;
    for (int option; (option = getopt_long(argc, argv, "m:", options, NULL)) != -1;)
        switch (option) {
        case 'm':
            model = optarg;
            break;
        case 'a':
            against = optarg;
            break;
        case 'n':
            r.count = strtol(optarg, NULL, 10);
            break;
        case 's':
            r.seed = strtoull(optarg, NULL, 10);
            break;
        case 'e':
            r.covered_count = strtol(optarg, NULL, 10);
            break;
        case 'c':
            r.everything.confident_logit = strtod(optarg, NULL);
            break;
        case 'w':
            worst = optarg;
            break;
        case 'p':
            scene_options.photographic = strtof(optarg, NULL);
            break;
        default:
            return usage();
        }
    if (!model || optind != argc || r.count < 1)
        return usage();
    wsam_error error = {WSAM_OK, ""};
    wsam_status status = open_models(&r, model, against, &error);
    for (long i = 0; i < r.count && !status; i++) {
        demo_scene s;
        if (!demo_scene_draw(r.seed + (unsigned long long)i, &scene_options, &s)) {
            status = WSAM_ERR_MEMORY;
            snprintf(error.message, sizeof error.message, "no memory for a picture");
            break;
        }
        if (s.n)
            status = one_scene(&r, i, &s, &error);
        demo_scene_free(&s);
    }
    if (!status)
        print(&r);
    if (!status && worst)
        status = demo_sheet_save(&r.sheet, worst, &error);
    if (status)
        fprintf(stderr, "evaluate: %s\n", error.message);
    demo_sheet_free(&r.sheet);
    wsam_everything_free(r.everything.generator);
    wsam_segmenter_free(r.second);
    wsam_segmenter_free(r.segmenter);
    wsam_model_close(r.reference);
    wsam_model_close(r.model);
    return status != WSAM_OK;
}
