/* demo/evaluate.c - what the demo weights can do, on pictures that training never saw.
 *
 * usage: evaluate -m SEGMENTER.wsam [--against F32.wsam] [--count N] [--seed S] [--everything N]
 * [--worst FILE.png]
 *
 * Prints one line per figure. "Large" instances are those whose visible box is over 32 pixels long
 * in the model's view. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "demo/drawing/scene.h"
#include "demo/evaluation/sheet.h"
#include "weaksam/weaksam.h"

enum { HELD_OUT = 1 << DEMO_BEARING | 1 << DEMO_WRENCH, WORST = 20 };

typedef struct sum {
    double total;
    long n;
} sum;

typedef struct run {
    wsam_model *model, *reference;
    wsam_segmenter *segmenter, *second;
    wsam_everything *everything;
    long count, covered_count;
    unsigned long long seed;
    sum click, box, unseen, tiny_click, tiny_box, both, covered, per_kind[DEMO_PARTS];
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

/* IoU of a mask with what instance `id` shows. */
static double iou_with(const demo_scene *s, const wsam_rle *rle, int id)
{
    const size_t pixels = (size_t)s->width * (size_t)s->height;
    uint8_t *mask = malloc(pixels);
    long both = 0, either = 0;
    if (!mask)
        return 0;
    wsam_rle_decode(rle, 1, mask, (size_t)s->width);
    for (size_t k = 0; k < pixels; k++) {
        both += mask[k] && s->ids[k] == id;
        either += mask[k] || s->ids[k] == id;
    }
    free(mask);
    return either ? (double)both / (double)either : 0;
}

static int is_large(const demo_scene *s, const demo_instance *i, int size)
{
    const int w = i->box[2] - i->box[0] + 1, h = i->box[3] - i->box[1] + 1;
    const int longest = s->width > s->height ? s->width : s->height;
    return (double)(w > h ? w : h) * size / longest > 32;
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

static void score(run *r, const demo_scene *s, const wsam_result *found, const wsam_transform *t)
{
    for (int i = 0; i < s->n; i++) {
        const demo_instance *at = &s->instances[i];
        double click = 0;
        for (size_t m = found->first[2 * i]; m < found->first[2 * i + 1]; m++)
            click = fmax(click, iou_with(s, &found->masks[m].rle, i + 1));
        const wsam_mask *mask = &found->masks[found->first[2 * i + 1]];
        const double box = iou_with(s, &mask->rle, i + 1);
        if (!is_large(s, at, t->size)) {
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

typedef struct coverage {
    const demo_scene *scene;
    double best[DEMO_MOST];
} coverage;

static int take_record(void *user, const wsam_everything_record *record)
{
    coverage *c = user;
    wsam_rle rle = {record->height, record->width, 0, 0, NULL};
    wsam_error error;
    rle.capacity = record->counts_length + 1;
    rle.counts = malloc(rle.capacity * sizeof *rle.counts);
    if (rle.counts &&
        wsam_rle_from_string(record->counts, record->counts_length, &rle, &error) == WSAM_OK)
        for (int i = 0; i < c->scene->n; i++) {
            const int *b = c->scene->instances[i].box;
            const int apart = record->bbox[0] > b[2] || record->bbox[1] > b[3] ||
                              record->bbox[0] + record->bbox[2] < b[0] ||
                              record->bbox[1] + record->bbox[3] < b[1];
            if (!apart)
                c->best[i] = fmax(c->best[i], iou_with(c->scene, &rle, i + 1));
        }
    free(rle.counts);
    return 0;
}

/* Thresholds of everything mode: a small model's own scores are lower than a large one's, for which
 * the defaults of 0.88 and 0.95 were chosen. */
static const double kept_iou = 0.3, kept_stability = 0.5;

static wsam_status cover(run *r, const demo_scene *s, const wsam_picture *picture,
                         const wsam_transform *t, wsam_error *error)
{
    wsam_everything_options o;
    wsam_everything_options_default(&o);
    o.pred_iou_thresh = kept_iou;
    o.stability_score_thresh = kept_stability;
    coverage c = {.scene = s};
    const wsam_status status =
        wsam_everything_run(r->everything, picture, &o, take_record, &c, NULL, error);
    for (int i = 0; !status && i < s->n; i++)
        if (is_large(s, &s->instances[i], t->size))
            add(&r->covered, c.best[i] >= 0.5);
    return status;
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
        const wsam_transform *t = wsam_embedding_transform(embedding);
        score(r, s, found, t);
        if (r->second)
            status = compare(r, &picture, prompts, n, found, error);
        if (!status && index < r->covered_count)
            status = cover(r, s, &picture, t, error);
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
    if (r->covered.n)
        printf(
            "everything mode (predicted IoU %.1f, stability %.1f), first %ld pictures: %.4f of %ld "
            "large instances covered at IoU 0.5\n",
            kept_iou, kept_stability, r->covered_count, mean(&r->covered), r->covered.n);
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
            "                [--everything PICTURES] [--worst FILE.png]\n");
    return 2;
}

static wsam_status open_models(run *r, const char *path, const char *against, wsam_error *error)
{
    wsam_status status = wsam_model_open(path, NULL, &r->model, error);
    if (!status)
        status = wsam_segmenter_create(r->model, &r->segmenter, error);
    if (!status)
        status = wsam_everything_create(r->model, &r->everything, error);
    if (!status && against)
        status = wsam_model_open(against, NULL, &r->reference, error);
    if (!status && against)
        status = wsam_segmenter_create(r->reference, &r->second, error);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"against", required_argument, NULL, 'a'}, {"count", required_argument, NULL, 'n'},
        {"seed", required_argument, NULL, 's'},    {"everything", required_argument, NULL, 'e'},
        {"worst", required_argument, NULL, 'w'},   {NULL, 0, NULL, 0}};
    run r = {.count = 500, .seed = 9000000};
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
        case 'w':
            worst = optarg;
            break;
        default:
            return usage();
        }
    if (!model || optind != argc || r.count < 1)
        return usage();
    wsam_error error = {WSAM_OK, ""};
    wsam_status status = open_models(&r, model, against, &error);
    const demo_options scene_options = {.distractors = 0.3f};
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
    wsam_everything_free(r.everything);
    wsam_segmenter_free(r.second);
    wsam_segmenter_free(r.segmenter);
    wsam_model_close(r.reference);
    wsam_model_close(r.model);
    return status != WSAM_OK;
}
