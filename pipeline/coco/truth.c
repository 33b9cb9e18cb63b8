/* pipeline/coco/truth.c - ground truth: opened, asked, freed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "kernels/float_scope.h"
#include "pipeline/coco/dataset.h"

void wsam_eval_read_options_default(wsam_eval_read_options *options)
{
    memset(options, 0, sizeof *options);
    options->max_pixels = (uint64_t)1 << 28;
}

wsam_status wsam_eval_read_truth(const char *path, const wsam_eval_read_options *options,
                                 wsam_eval_truth **truth, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_eval_read_options defaults;
    struct stat st;
    wsam_eval_read_options_default(&defaults);
    const wsam_eval_read_options *o = options ? options : &defaults;
    *truth = NULL;
    if (stat(path, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    wsam_eval_truth *t = calloc(1, sizeof *t);
    if (!t || !(t->path = strdup(path))) {
        free(t);
        return ws_no_memory(error, path);
    }
    wsam_status status;
    if (!S_ISDIR(st.st_mode))
        status = ws_truth_coco(t, o, error);
    else if (o->masks)
        status = ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: VOC annotations have no masks", path);
    else
        status = ws_truth_voc(t, o, error);
    if (status)
        wsam_eval_truth_free(t);
    else
        *truth = t;
    return status;
}

void wsam_eval_truth_free(wsam_eval_truth *t)
{
    if (!t)
        return;
    free(t->path);
    free(t->images);
    free(t->categories);
    free(t->objects);
    free(t->masks);
    free(t->stems);
    free(t->by_name);
    ws_text_arena_free(&t->store);
    free(t);
}

size_t wsam_eval_image_count(const wsam_eval_truth *t)
{
    return t->n_listed;
}

size_t wsam_eval_object_count(const wsam_eval_truth *t)
{
    return t->n_objects;
}

size_t wsam_eval_category_count(const wsam_eval_truth *t)
{
    return t->n_categories;
}

const char *wsam_eval_category_name(const wsam_eval_truth *t, size_t index)
{
    return index < t->n_categories ? t->categories[index].name : NULL;
}
