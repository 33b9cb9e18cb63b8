/* pipeline/detect/mist_stage.c - see mist_stage.h. */
#include "pipeline/detect/mist_stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static int32_t find(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int32_t)i;
    return -1;
}

/* Every class of the run must be one of MIST's: it would never be found. */
static wsam_status map_classes(const char *const *names, size_t n, ws_mist_stage *s,
                               wsam_error *error)
{
    const size_t own = wsam_mist_class_count(s->mist);
    s->class_of = malloc(own * sizeof *s->class_of);
    if (!s->class_of)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for classes");
    for (size_t i = 0; i < own; i++)
        s->class_of[i] = find(names, n, wsam_mist_class_name(s->mist, i));
    for (size_t k = 0; k < n; k++) {
        size_t i = 0;
        while (i < own && s->class_of[i] != (int32_t)k)
            i++;
        if (i == own)
            return ws_fail(error, WSAM_ERR_MISMATCH,
                           "the scorer does not know the class '%.100s'; convert it with the names "
                           "of its classes (--classes)",
                           names[k]);
    }
    return WSAM_OK;
}

wsam_status ws_mist_stage_open(wsam_model *model, const char *const *names, size_t n,
                               ws_mist_stage *s, wsam_error *error)
{
    *s = (ws_mist_stage){NULL, NULL};
    wsam_status status = wsam_mist_create(model, &s->mist, error);
    if (!status)
        status = map_classes(names, n, s, error);
    if (status)
        ws_mist_stage_close(s);
    return status;
}

void ws_mist_stage_close(ws_mist_stage *s)
{
    wsam_mist_free(s->mist);
    free(s->class_of);
    *s = (ws_mist_stage){NULL, NULL};
}

/* The run's classes, in their order; those that it does not have go. */
static int by_class(const void *x, const void *y)
{
    const wsam_instance *a = x, *b = y;
    if (a->class_index != b->class_index)
        return a->class_index < b->class_index ? -1 : 1;
    return (a->score < b->score) - (a->score > b->score);
}

static void rename_classes(const ws_mist_stage *s, wsam_instances *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++) {
        const int32_t c = s->class_of[list->items[i].class_index];
        if (c < 0)
            continue;
        list->items[kept] = list->items[i];
        list->items[kept++].class_index = c;
    }
    list->n = kept;
    if (kept)
        qsort(list->items, kept, sizeof *list->items, by_class);
}

wsam_status ws_mist_stage_score(const ws_mist_stage *s, const wsam_picture *picture,
                                const wsam_proposals *proposals, const wsam_mist_params *params,
                                wsam_instances *out, wsam_error *error)
{
    wsam_mist_views *views = NULL;
    float(*boxes)[4] = malloc((proposals->n + 1) * sizeof *boxes);
    *out = (wsam_instances){0};
    if (!boxes)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu boxes", proposals->n);
    for (size_t i = 0; i < proposals->n; i++)
        for (int k = 0; k < 4; k++)
            boxes[i][k] = proposals->items[i].box[k] + (k < 2 ? 0.0f : 1.0f);
    wsam_status status = wsam_mist_run(s->mist, picture, proposals->n, (const float(*)[4])boxes,
                                       params, &views, error);
    if (!status)
        status = wsam_mist_detect(views, picture->height, picture->width, params, out, error);
    if (!status)
        rename_classes(s, out);
    wsam_mist_views_free(views);
    free(boxes);
    return status;
}
