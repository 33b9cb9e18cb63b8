/* kernels/rle_set.c - two masks as run lengths: intersection, IoU, merge. */
#include "kernels/rle.h"

/* Walks over the runs of a mask. */
typedef struct cursor {
    const wsam_rle *rle;
    size_t next;
    uint32_t left;
    int value;
} cursor;

/* Runs of length 0 are passed over: the first one is where a mask begins with a pixel that is set. */
static void settle(cursor *c)
{
    while (!c->left && c->next < c->rle->n) {
        c->value = (int)(c->next % 2);
        c->left = c->rle->counts[c->next++];
    }
}

/* The next stretch where neither mask changes; 0 at the end. */
static uint32_t next_stretch(cursor *a, cursor *b)
{
    settle(a);
    settle(b);
    const uint32_t n = a->left < b->left ? a->left : b->left;
    a->left -= n;
    b->left -= n;
    return n;
}

uint64_t wsam_rle_intersection(const wsam_rle *a, const wsam_rle *b)
{
    cursor ca = {.rle = a}, cb = {.rle = b};
    uint64_t both = 0;
    for (uint32_t n; (n = next_stretch(&ca, &cb));)
        if (ca.value && cb.value)
            both += n;
    return both;
}

/* Most pairs of an image do not meet, which their boxes tell. */
static int boxes_meet(const wsam_rle *a, const wsam_rle *b)
{
    int32_t p[4], q[4];
    return wsam_rle_box(a, p) && wsam_rle_box(b, q) && p[0] <= q[2] && q[0] <= p[2] &&
           p[1] <= q[3] && q[1] <= p[3];
}

double wsam_rle_iou(const wsam_rle *a, const wsam_rle *b, int crowd)
{
    if (!boxes_meet(a, b))
        return 0;
    if (a->height != b->height || a->width != b->width)
        return -1;
    /* In 64 bits and one division, as pycocotools has it: the same double. */
    const uint64_t both = wsam_rle_intersection(a, b);
    if (!both)
        return 0;
    const uint64_t area = wsam_rle_area(a);
    return (double)both / (double)(crowd ? area : area + wsam_rle_area(b) - both);
}

wsam_status wsam_rle_merge(const wsam_rle *a, const wsam_rle *b, wsam_merge kind, wsam_rle *out)
{
    if (a->height != b->height || a->width != b->width)
        return WSAM_ERR_MISMATCH;
    out->height = a->height;
    out->width = a->width;
    cursor ca = {.rle = a}, cb = {.rle = b};
    ws_run_writer w = ws_runs_begin(out);
    for (uint32_t n; (n = next_stretch(&ca, &cb));)
        ws_runs_put(&w, kind == WSAM_MERGE_UNION ? ca.value || cb.value : ca.value && cb.value, n);
    return ws_runs_end(&w);
}
