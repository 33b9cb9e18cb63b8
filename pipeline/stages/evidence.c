/* pipeline/stages/evidence.c - the built-in scorer: clue maps inside and around masks. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/stages/stages.h"

/* One map at the picture's size, as running sums in the order of run lengths (down the columns):
 * the sum of a run is one subtraction. 16 bytes a pixel. */
typedef struct sums {
    int height, width;
    double *of, *of_squares; /* [height * width + 1] */
} sums;

typedef struct region {
    double area, sum, squares;
} region;

void wsam_evidence_options_default(wsam_evidence_options *o)
{
    *o = (wsam_evidence_options){
        .context = 0.5, .floor = 0.2, .level = 1, .quality = 1, .min_side = 2};
}

/* ---- sums ---- */

/* Where sample i of n lies between the m samples of the map: index and weight of the next. */
static double place(int i, int n, int m, int *low)
{
    double at = (i + 0.5) * m / n - 0.5;
    at = at < 0 ? 0 : at > m - 1 ? m - 1 : at;
    *low = (int)at < m - 1 ? (int)at : (m > 1 ? m - 2 : 0);
    return at - *low;
}

static void fill_sums(const wsam_clue_map *map, sums *s)
{
    double sum = 0, squares = 0;
    size_t at = 0;
    s->of[0] = s->of_squares[0] = 0;
    for (int x = 0; x < s->width; x++) {
        int left, top;
        const double right_weight = place(x, s->width, map->width, &left);
        const int right = left + (map->width > 1);
        for (int y = 0; y < s->height; y++) {
            const double down_weight = place(y, s->height, map->height, &top);
            const float *a = map->values + (size_t)top * (size_t)map->width;
            const float *b = map->height > 1 ? a + map->width : a;
            const double upper = (double)a[left] + right_weight * ((double)a[right] - a[left]);
            const double lower = (double)b[left] + right_weight * ((double)b[right] - b[left]);
            const double f = upper + down_weight * (lower - upper);
            sum += f;
            squares += f * f;
            s->of[++at] = sum;
            s->of_squares[at] = squares;
        }
    }
}

static void add_run(const sums *s, size_t first, size_t n, region *r)
{
    r->area += (double)n;
    r->sum += s->of[first + n] - s->of[first];
    r->squares += s->of_squares[first + n] - s->of_squares[first];
}

/* Inclusive corners within the picture. */
static region box_region(const sums *s, const int box[4])
{
    region r = {0};
    for (int x = box[0]; x <= box[2]; x++)
        add_run(s, (size_t)x * (size_t)s->height + (size_t)box[1], (size_t)(box[3] - box[1] + 1),
                &r);
    return r;
}

static region mask_region(const sums *s, const wsam_rle *rle)
{
    region r = {0};
    size_t at = 0;
    for (size_t i = 0; i < rle->n; i++) {
        if (i & 1)
            add_run(s, at, rle->counts[i], &r);
        at += rle->counts[i];
    }
    return r;
}

/* ---- one proposal ---- */

/* Whole pixels within the picture; 0 for boxes outside of it. */
static int clip(const double box[4], int height, int width, int out[4])
{
    for (int k = 0; k < 4; k++) {
        const double most = (k & 1 ? height : width) - 1;
        const double v = box[k] < 0 ? 0 : box[k] > most ? most : box[k];
        out[k] = (int)floor(v + 0.5);
    }
    return box[2] >= 0 && box[3] >= 0 && box[0] < width && box[1] < height && out[2] >= out[0] &&
           out[3] >= out[1];
}

static double correlation(const region *in, const region *window, double floor_)
{
    const double p = in->area / window->area, out_area = window->area - in->area;
    if (in->area <= 0 || out_area < 0.5)
        return 0;
    const double mean = window->sum / window->area;
    const double variance = window->squares / window->area - mean * mean;
    const double inside = in->sum / in->area, outside = (window->sum - in->sum) / out_area;
    const double spread = sqrt((variance > 0 ? variance : 0) + floor_ * floor_);
    return spread > 0 ? (inside - outside) * sqrt(p * (1 - p)) / spread : 0;
}

static double power(double base, double exponent)
{
    return base > 0 ? pow(base, exponent) : exponent > 0 ? 0 : 1;
}

static double score_of(const wsam_evidence_options *o, const sums *s, const wsam_proposal *p,
                       const wsam_rle *rle, double weight)
{
    const double w = (double)p->box[2] - p->box[0] + 1, h = (double)p->box[3] - p->box[1] + 1;
    const double grown[4] = {p->box[0] - o->context * w, p->box[1] - o->context * h,
                             p->box[2] + o->context * w, p->box[3] + o->context * h};
    const double box[4] = {p->box[0], p->box[1], p->box[2], p->box[3]};
    int inner[4], outer[4];
    if (!(w >= o->min_side && h >= o->min_side) || !clip(box, s->height, s->width, inner) ||
        !clip(grown, s->height, s->width, outer))
        return 0;
    const region in = rle ? mask_region(s, rle) : box_region(s, inner);
    const region window = box_region(s, outer);
    const double r = correlation(&in, &window, o->floor);
    if (!(r > 0))
        return 0;
    return weight * r * r * power(in.sum / in.area, o->level) *
           power((double)p->predicted_iou, o->quality);
}

/* ---- the scorer ---- */

static wsam_status check_map(const wsam_clue_map *map, wsam_error *error)
{
    if (map->height < 1 || map->width < 1 || !map->values)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "scores: the clue map of class %d has no size",
                       (int)map->class_index);
    const size_t n = (size_t)map->height * (size_t)map->width;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(map->values[i]))
            return ws_fail(error, WSAM_ERR_ARGUMENT,
                           "scores: the clue map of class %d holds values that are not finite",
                           (int)map->class_index);
    return WSAM_OK;
}

/* Column m of the table of scores. */
static wsam_status score_map(const wsam_evidence_options *o, const wsam_score_input *input,
                             size_t m, const sums *s, float *scores, wsam_error *error)
{
    const wsam_proposals *p = input->proposals;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < p->n && !status; i++) {
        wsam_rle rle = {0};
        const wsam_proposal *item = &p->items[i];
        if (item->counts)
            status =
                ws_counts_rle(item->counts, item->counts_length, p->height, p->width, &rle, error);
        if (!status)
            scores[i * input->n_maps + m] =
                (float)score_of(o, s, item, item->counts ? &rle : NULL, input->maps[m].weight);
        free(rle.counts);
    }
    return status;
}

static wsam_status score(void *user, const wsam_score_input *input, float *scores, float *boxes,
                         wsam_error *error)
{
    wsam_evidence_options defaults;
    const wsam_evidence_options *o = user ? user : &defaults;
    const wsam_proposals *p = input->proposals;
    wsam_evidence_options_default(&defaults);
    (void)boxes; /* they stay the proposals' */
    sums s = {.height = p->height, .width = p->width};
    const size_t n = (size_t)p->height * (size_t)p->width + 1;
    s.of = malloc(n * sizeof *s.of);
    s.of_squares = malloc(n * sizeof *s.of_squares);
    wsam_status status = WSAM_OK;
    if (!s.of || !s.of_squares)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for the sums of a clue map");
    for (size_t m = 0; m < input->n_maps && !status; m++) {
        status = check_map(&input->maps[m], error);
        if (status)
            break;
        fill_sums(&input->maps[m], &s);
        status = score_map(o, input, m, &s, scores, error);
    }
    free(s.of);
    free(s.of_squares);
    return status;
}

void wsam_evidence_scorer(const wsam_evidence_options *options, wsam_scorer *scorer)
{
    *scorer = (wsam_scorer){.score = score};
    memcpy(&scorer->user, &options, sizeof options); /* only read */
}
