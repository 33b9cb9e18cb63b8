/* pipeline/train/batch.c - which RoIs an iteration sees, and their features. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/train/random.h"
#include "pipeline/train/trainer.h"
#include "runtime/run/threads.h"

enum { MOST_FOREGROUND = 128, MOST_ROIS = 512 };

static void choose_epoch(ws_trainer *t)
{
    const uint64_t epoch = t->iteration / t->per_epoch;
    if (epoch == t->order_epoch)
        return;
    ws_permute(ws_key(t->config.seed, WS_STREAM_ORDER, epoch, 0), t->order, t->data->n_images);
    t->order_epoch = epoch;
}

/* ---- retraining: sampling ---- */

static void widen(const float *x, double out[4])
{
    for (int i = 0; i < 4; i++)
        out[i] = (double)x[i];
}

/* The box of candidate i: proposals, then the pseudo ground truth itself. */
static const float *candidate(const ws_train_image *image, size_t i)
{
    return i < image->n_boxes ? image->boxes[i] : image->truth[i - image->n_boxes];
}

/* The first best match of a box among the ground truth; an IoU of -1: there is none. */
static size_t best_truth(const ws_train_image *image, const float *box, double *iou)
{
    double b[4], g[4];
    size_t best = 0;
    *iou = -1.0;
    widen(box, b);
    for (size_t k = 0; k < image->n_truth; k++) {
        widen(image->truth[k], g);
        const double overlap = ws_losses_box_iou(b, g);
        if (overlap > *iou) {
            *iou = overlap;
            best = k;
        }
    }
    return best;
}

static int by_number(const void *x, const void *y)
{
    const uint32_t *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

/* Keeps min(n, most) of list[n], chosen without replacement; returns how many. */
static size_t keep(uint32_t *list, size_t n, size_t most, uint64_t key, uint32_t *order)
{
    if (n <= most)
        return n;
    ws_permute(key, order, n);
    for (size_t i = 0; i < most; i++)
        order[i] = list[order[i]];
    memcpy(list, order, most * sizeof *list);
    return most;
}

static void fill_row(ws_trainer *t, const ws_train_image *image, size_t row, uint32_t at)
{
    double iou, box[4], truth[4];
    const float *from = candidate(image, at);
    const size_t k = best_truth(image, from, &iou);
    memcpy(t->boxes[row], from, sizeof t->boxes[row]);
    const int foreground = iou >= 0.5;
    t->label[row] = foreground ? image->truth_class[k] : 0;
    t->truth[row] = image->first_truth + k;
    t->weight[row] = image->complete || (foreground && image->trusted && image->trusted[k])
                         ? t->config.trust
                         : 1.0;
    if (!image->n_truth) {
        memset(t->target[row], 0, sizeof t->target[row]); /* of background: not looked at */
        return;
    }
    widen(from, box);
    widen(image->truth[k], truth);
    ws_losses_box_encode(truth, box, t->target[row]);
}

/* At most 128 foreground and 512 RoIs of an image, in the candidates' order. */
static size_t sample_rois(ws_trainer *t, size_t image_at, size_t row)
{
    const ws_train_image *image = &t->data->images[image_at];
    const size_t n = image->n_boxes + image->n_truth;
    uint32_t *fg = t->sample, *bg = fg + n, *order = bg + n;
    size_t n_fg = 0, n_bg = 0;
    if (!image->n_truth && !image->complete)
        return 0;
    for (size_t i = 0; i < n; i++) {
        double iou;
        best_truth(image, candidate(image, i), &iou);
        if (iou >= 0.5)
            fg[n_fg++] = (uint32_t)i;
        else
            bg[n_bg++] = (uint32_t)i;
    }
    n_fg = keep(fg, n_fg, MOST_FOREGROUND,
                ws_key(t->config.seed, WS_STREAM_FOREGROUND, t->iteration, image_at), order);
    n_bg = keep(bg, n_bg, MOST_ROIS - n_fg,
                ws_key(t->config.seed, WS_STREAM_BACKGROUND, t->iteration, image_at), order);
    memcpy(order, fg, n_fg * sizeof *order);
    memcpy(order + n_fg, bg, n_bg * sizeof *order);
    qsort(order, n_fg + n_bg, sizeof *order, by_number);
    for (size_t i = 0; i < n_fg + n_bg; i++)
        fill_row(t, image, row + i, order[i]);
    return n_fg + n_bg;
}

void ws_batch_choose(ws_trainer *t)
{
    const size_t first = (size_t)(t->iteration % t->per_epoch) * t->config.batch;
    size_t row = 0;
    choose_epoch(t);
    t->n_items = 0;
    for (size_t i = first; i < t->data->n_images && i < first + t->config.batch; i++) {
        const size_t at = t->order[i];
        const ws_train_image *image = &t->data->images[at];
        size_t n = image->n_boxes;
        if (t->config.stage == WS_STAGE_RETRAIN)
            n = sample_rois(t, at, row);
        else
            memcpy(t->boxes + row, image->boxes, n * sizeof *t->boxes);
        if (!n)
            continue;
        t->items[t->n_items++] = (ws_batch_item){.image = at, .first = row, .n = n};
        row += n;
    }
    t->total = t->total_weight = (double)row;
    if (t->config.stage != WS_STAGE_RETRAIN)
        return;
    t->total_weight = 0;
    for (size_t i = 0; i < row; i++)
        t->total_weight += t->weight[i];
}

/* ---- features ---- */

typedef struct pool_job {
    ws_trainer *t;
    size_t first; /* item */
} pool_job;

/* Zeroes 3x3 patches of the cells of one RoI and scales the others up; nothing where all would be
 * zeroed. */
static void drop_cells(const ws_trainer *t, uint64_t key, size_t n, float *row)
{
    enum { MOST_CELLS = 256 };
    unsigned char gone[MOST_CELLS] = {0};
    const size_t cells = t->data->cells, channels = t->data->features / cells;
    size_t side = 1, dropped = 0;
    while (side * side < cells)
        side++;
    for (size_t i = 0; i < cells; i++) {
        if ((double)ws_uniform(key, n * cells + i) >= t->config.cell_drop)
            continue;
        for (size_t y = i / side ? i / side - 1 : 0; y < side && y <= i / side + 1; y++)
            for (size_t x = i % side ? i % side - 1 : 0; x < side && x <= i % side + 1; x++)
                gone[y * side + x] = 1;
    }
    for (size_t i = 0; i < cells; i++)
        dropped += gone[i];
    if (!dropped || dropped == cells)
        return;
    const float scale = (float)cells / (float)(cells - dropped);
    for (size_t i = 0; i < cells; i++)
        for (size_t c = 0; c < channels; c++)
            row[i * channels + c] = gone[i] ? 0.0f : row[i * channels + c] * scale;
}

/* An image per task: its maps are read once. */
static void pool_task(void *arg, int task, int worker)
{
    const pool_job *j = arg;
    ws_trainer *t = j->t;
    const ws_batch_item *item = &t->items[j->first + (size_t)task];
    const size_t features = t->data->features;
    float *rows = t->work.x + (item->first - t->items[j->first].first) * features;
    t->data->pool(t->data->user, worker, item->image, item->n,
                  (const float(*)[4])(t->boxes + item->first), rows);
    const uint64_t key =
        ws_key(t->config.seed, WS_STREAM_CELLS, t->iteration, (uint64_t)item->image);
    for (size_t r = 0; r < item->n && t->config.cell_drop > 0.0 && t->data->cells > 1; r++)
        drop_cells(t, key, r, rows + r * features);
}

void ws_batch_pool(ws_trainer *t, size_t first, size_t last)
{
    pool_job j = {t, first};
    ws_parallel_for(t->threads, (int)(last - first), pool_task, &j);
}
