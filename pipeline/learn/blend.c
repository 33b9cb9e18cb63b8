/* pipeline/learn/blend.c - see blend.h. */
#include "pipeline/learn/blend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/coco/box_overlap.h"
#include "pipeline/coco/class_names.h"
#include "pipeline/coco/dataset.h"

/* What image j of `from` says of a box of its class `class_index`; one beyond the last class is none of its. */
static double share(const wsam_coco_document *from, size_t j, int32_t class_index,
                    const double *bbox)
{
    double best = 0, top = 0;
    for (size_t k = from->first[j]; k < from->first[j + 1]; k++) {
        const wsam_instance *a = &from->instances.items[k];
        if (a->class_index != class_index)
            continue;
        top = fmax(top, a->score);
        if (ws_box_overlap_iou(a->bbox, bbox) >= 0.5)
            best = fmax(best, a->score);
    }
    return top > 0 ? best / top : 0;
}

static void blend(wsam_coco_document *d, const wsam_coco_document *from, const ws_name_index *names,
                  const int32_t *class_of)
{
    for (size_t i = 0; i < d->n_images; i++) {
        const size_t j = ws_image_names_find(names, d->file_names[i]);
        for (size_t k = d->first[i]; k < d->first[i + 1]; k++) {
            wsam_instance *a = &d->instances.items[k];
            if (a->reviewed)
                continue;
            const double other =
                j == SIZE_MAX ? 0 : share(from, j, class_of[a->class_index], a->bbox);
            a->score = (a->score + other) / 2;
        }
    }
}

wsam_status ws_blend_scores(wsam_coco_document *d, const char *scores, wsam_error *error)
{
    wsam_coco_document *from = NULL;
    ws_name_index names = {0};
    int32_t *class_of = malloc((d->n_classes + 1) * sizeof *class_of);
    wsam_status status = class_of ? wsam_coco_load(scores, NULL, &from, error)
                                  : ws_fail(error, WSAM_ERR_MEMORY, "no memory for scores");
    if (!status)
        status = ws_image_names_make(&names, from->file_names, from->n_images, error);
    for (size_t c = 0; c < d->n_classes && !status; c++)
        class_of[c] = (int32_t)ws_class_names_find(from, d->class_names[c]);
    if (!status)
        blend(d, from, &names, class_of);
    ws_image_names_free(&names);
    wsam_coco_free(from);
    free(class_of);
    return status;
}
