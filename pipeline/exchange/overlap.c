/* pipeline/exchange/overlap.c - see overlap.h. */
#include "pipeline/exchange/overlap.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/coco/box_overlap.h"
#include "pipeline/stages/stages.h"

/* ---- objects ---- */

double ws_overlap_iou(const wsam_instance *a, const wsam_instance *b, int height, int width)
{
    wsam_rle p = {0}, q = {0};
    double iou = ws_box_overlap_iou(a->bbox, b->bbox);
    if (a->counts && b->counts && iou > 0 &&
        !ws_counts_rle(a->counts, a->counts_length, height, width, &p, NULL) &&
        !ws_counts_rle(b->counts, b->counts_length, height, width, &q, NULL))
        iou = wsam_rle_iou(&p, &q, 0);
    free(p.counts);
    free(q.counts);
    return iou;
}

/* ---- images ---- */

typedef struct entry {
    const char *name;
    ws_member member;
    size_t order, group;
} entry;

static int by_name(const void *a, const void *b)
{
    const entry *p = a, *q = b;
    const int order = strcmp(p->name, q->name);
    return order ? order : (p->order > q->order) - (p->order < q->order);
}

static int by_group(const void *a, const void *b)
{
    const entry *p = a, *q = b;
    if (p->group != q->group)
        return p->group < q->group ? -1 : 1;
    return (p->order > q->order) - (p->order < q->order);
}

/* The group of an image is the order of the first image of its name. */
static void set_groups(entry *all, size_t n)
{
    if (!n)
        return;
    qsort(all, n, sizeof *all, by_name);
    for (size_t i = 0; i < n; i++)
        all[i].group =
            i && strcmp(all[i].name, all[i - 1].name) == 0 ? all[i - 1].group : all[i].order;
    qsort(all, n, sizeof *all, by_group);
}

wsam_status ws_overlap_groups_make(const wsam_coco_document *const *documents, size_t n,
                                   ws_image_groups *groups, wsam_error *error)
{
    size_t total = 0, at = 0;
    *groups = (ws_image_groups){0};
    for (size_t d = 0; d < n; d++)
        total += documents[d]->n_images;
    entry *all = malloc((total + 1) * sizeof *all);
    groups->first = malloc((total + 1) * sizeof *groups->first);
    groups->members = malloc((total + 1) * sizeof *groups->members);
    if (!all || !groups->first || !groups->members) {
        free(all);
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu images", total);
    }
    for (size_t d = 0; d < n; d++)
        for (size_t i = 0; i < documents[d]->n_images; i++, at++)
            all[at] = (entry){documents[d]->file_names[i], {d, i}, at, 0};
    set_groups(all, total);
    for (size_t i = 0; i < total; i++) {
        if (!i || all[i].group != all[i - 1].group)
            groups->first[groups->n++] = i;
        groups->members[i] = all[i].member;
    }
    groups->first[groups->n] = total;
    free(all);
    return WSAM_OK;
}

void ws_overlap_groups_free(ws_image_groups *groups)
{
    free(groups->first);
    free(groups->members);
    *groups = (ws_image_groups){0};
}
