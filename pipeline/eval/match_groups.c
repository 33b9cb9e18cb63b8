/* pipeline/eval/match_groups.c - see match_groups.h. */
#include "pipeline/eval/match_groups.h"

#include <stdlib.h>

/* ---- order ---- */

/* Picture and class of an element. */
typedef struct pair {
    int32_t image, category;
} pair;

/* One pass of a counting sort: `from` (NULL: 0, 1, ...) stably by a key below n_keys. */
static int sort_pass(const pair *pairs, size_t n, int by_category, size_t n_keys,
                     const int32_t *from, int32_t *to)
{
    size_t *starts = calloc(n_keys + 1, sizeof *starts);
    if (!starts)
        return 0;
    for (size_t i = 0; i < n; i++)
        starts[1 + (by_category ? pairs[i].category : pairs[i].image)]++;
    for (size_t k = 0; k < n_keys; k++)
        starts[k + 1] += starts[k];
    for (size_t i = 0; i < n; i++) {
        const int32_t e = from ? from[i] : (int32_t)i;
        to[starts[by_category ? pairs[e].category : pairs[e].image]++] = e;
    }
    free(starts);
    return 1;
}

/* The order by class, then picture, then place in the file. */
static int32_t *sorted(const pair *pairs, size_t n, size_t n_images, size_t n_categories)
{
    int32_t *first = malloc((n + 1) * sizeof *first), *order = malloc((n + 1) * sizeof *order);
    if (!first || !order || !sort_pass(pairs, n, 0, n_images, NULL, first) ||
        !sort_pass(pairs, n, 1, n_categories, first, order)) {
        free(order);
        order = NULL;
    }
    free(first);
    return order;
}

static int compare(pair a, pair b)
{
    if (a.category != b.category)
        return a.category < b.category ? -1 : 1;
    return (a.image > b.image) - (a.image < b.image);
}

/* How many elements from `at` on belong to the same cell. */
static size_t run_length(const pair *pairs, const int32_t *order, size_t n, size_t at)
{
    size_t end = at + 1;
    while (end < n && compare(pairs[order[end]], pairs[order[at]]) == 0)
        end++;
    return end - at;
}

/* Walks over both orders at once. With cells->cells NULL it only counts. */
static void merge(const pair *results, size_t n_results, const pair *objects, size_t n_objects,
                  ws_cells *cells)
{
    size_t r = 0, o = 0;
    cells->n = 0;
    for (size_t nr, no; r < n_results || o < n_objects; r += nr, o += no) {
        int side = r == n_results ? 1 : o == n_objects ? -1 : 0;
        if (!side)
            side = compare(results[cells->results[r]], objects[cells->objects[o]]);
        const pair at = side <= 0 ? results[cells->results[r]] : objects[cells->objects[o]];
        nr = side <= 0 ? run_length(results, cells->results, n_results, r) : 0;
        no = side >= 0 ? run_length(objects, cells->objects, n_objects, o) : 0;
        if (cells->cells) {
            cells->cells[cells->n] =
                (ws_cell){at.image, (int32_t)r, (int32_t)nr, (int32_t)o, (int32_t)no};
            cells->starts[at.category + 1] = cells->n + 1;
        }
        cells->n++;
    }
}

static int make(const pair *results, size_t n_results, const pair *objects, size_t n_objects,
                size_t n_images, ws_cells *cells)
{
    const size_t k = cells->n_categories;
    cells->results = sorted(results, n_results, n_images, k);
    cells->objects = sorted(objects, n_objects, n_images, k);
    cells->starts = calloc(k + 2, sizeof *cells->starts);
    if (!cells->results || !cells->objects || !cells->starts)
        return 0;
    merge(results, n_results, objects, n_objects, cells);
    cells->cells = malloc((cells->n + 1) * sizeof *cells->cells);
    if (!cells->cells)
        return 0;
    merge(results, n_results, objects, n_objects, cells);
    for (size_t i = 0; i < k; i++) /* classes without cells */
        if (cells->starts[i + 1] < cells->starts[i])
            cells->starts[i + 1] = cells->starts[i];
    return 1;
}

wsam_status ws_match_groups_make(const wsam_eval_truth *t, const wsam_eval_results *r,
                                 int classless, ws_cells *cells, wsam_error *error)
{
    pair *results = malloc((r->n + 1) * sizeof *results);
    pair *objects = malloc((t->n_objects + 1) * sizeof *objects);
    *cells = (ws_cells){.n_categories = classless ? 1 : t->n_categories};
    int ok = results && objects;
    for (size_t i = 0; i < r->n && ok; i++)
        results[i] = (pair){r->results[i].image, classless ? 0 : r->results[i].category};
    for (size_t i = 0; i < t->n_objects && ok; i++)
        objects[i] = (pair){t->objects[i].image, classless ? 0 : t->objects[i].category};
    ok = ok && make(results, r->n, objects, t->n_objects, t->n_images, cells);
    free(results);
    free(objects);
    return ok ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "eval: no memory");
}

void ws_match_groups_free(ws_cells *cells)
{
    free(cells->cells);
    free(cells->starts);
    free(cells->results);
    free(cells->objects);
}

/* ---- scores ---- */

static int by_score(const void *a, const void *b)
{
    const ws_scored *p = a, *q = b;
    if (p->score > q->score || p->score < q->score)
        return p->score > q->score ? -1 : 1;
    return (p->place > q->place) - (p->place < q->place);
}

void ws_match_groups_sort(ws_scored *list, size_t n)
{
    if (n > 1)
        qsort(list, n, sizeof *list, by_score);
}

/* ---- boxes ---- */

double ws_match_groups_iou(const double a[4], const double b[4], int crowd)
{
    const double right = a[0] + a[2] < b[0] + b[2] ? a[0] + a[2] : b[0] + b[2];
    const double bottom = a[1] + a[3] < b[1] + b[3] ? a[1] + a[3] : b[1] + b[3];
    const double w = right - (a[0] > b[0] ? a[0] : b[0]), h = bottom - (a[1] > b[1] ? a[1] : b[1]);
    if (w <= 0 || h <= 0)
        return 0;
    const double both = w * h;
    return both / (crowd ? a[2] * a[3] : a[2] * a[3] + b[2] * b[3] - both);
}
