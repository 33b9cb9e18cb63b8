/* pipeline/learn/train_files.c - a training set from proposals and labels or pseudo labels. */
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/learn/learn.h"

typedef struct set_data {
    const wsam_train_input *in;
    ws_box_list list;
    wsam_labels *labels;
    wsam_coco_document *pgt;
    wsam_train_picture *pictures;
    float (*truth)[4];
    int32_t *truth_classes;
    int64_t *truth_ids;
    uint8_t *trusted;
    size_t labelled;
    wsam_train_set set;
} set_data;

static void free_set(set_data *s)
{
    wsam_labels_free(s->labels);
    wsam_coco_free(s->pgt);
    free(s->pictures);
    free(s->truth);
    free(s->truth_classes);
    free(s->truth_ids);
    free(s->trusted);
    ws_boxes_free(&s->list);
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const ws_boxes *)x)->image, ((const ws_boxes *)y)->image);
}

static wsam_train_picture *find_picture(set_data *s, char *image)
{
    const ws_boxes key = {.image = image};
    const ws_boxes *b =
        s->list.n ? bsearch(&key, s->list.items, s->list.n, sizeof key, by_name) : NULL;
    return b ? &s->pictures[b - s->list.items] : NULL;
}

/* Classes per image; images without labels teach nothing: their list stays NULL. */
static wsam_status take_labels(set_data *s, wsam_error *error)
{
    wsam_labels_options o = {.allow_missing = 1};
    if (s->in->classes) {
        o.names = s->in->classes->names;
        o.n_names = s->in->classes->n;
    }
    const wsam_status status =
        wsam_labels_load(s->in->labels, s->in->images, &o, &s->labels, error);
    if (status)
        return status;
    s->set.n_classes = s->labels->n_classes;
    s->set.classes = (const char *const *)s->labels->names;
    for (size_t i = 0; i < s->labels->n; i++) {
        wsam_train_picture *p = find_picture(s, s->labels->images[i]);
        if (!p)
            continue;
        p->labels = s->labels->classes + s->labels->first[i];
        p->n_labels = s->labels->first[i + 1] - s->labels->first[i];
        s->labelled++;
    }
    return WSAM_OK;
}

/* What the labels of one image teach: all but what a person rejected, and crowds. */
static size_t copy_truth(set_data *s, size_t first, size_t end)
{
    size_t n = 0;
    for (size_t i = first; i < end; i++) {
        const wsam_instance *from = &s->pgt->instances.items[i];
        if (from->reviewed == WSAM_REVIEWED_REJECTED || from->crowd)
            continue;
        for (size_t k = 0; k < 2; k++) {
            s->truth[first + n][k] = (float)from->bbox[k];
            s->truth[first + n][k + 2] = (float)(from->bbox[k] + from->bbox[k + 2]);
        }
        s->truth_classes[first + n] = from->class_index;
        s->trusted[first + n] = from->reviewed != WSAM_REVIEWED_NO;
        s->truth_ids[first + n++] = from->id;
    }
    return n;
}

static wsam_status take_pgt(set_data *s, wsam_error *error)
{
    const wsam_status status = wsam_coco_load(s->in->pgt, NULL, &s->pgt, error);
    if (status)
        return status;
    const size_t n = s->pgt->instances.n + 1;
    s->truth = calloc(n, sizeof *s->truth);
    s->truth_classes = calloc(n, sizeof *s->truth_classes);
    s->truth_ids = calloc(n, sizeof *s->truth_ids);
    s->trusted = calloc(n, 1);
    if (!s->truth || !s->truth_classes || !s->truth_ids || !s->trusted)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the pseudo labels");
    s->set.n_classes = s->pgt->n_classes;
    s->set.classes = (const char *const *)s->pgt->class_names;
    for (size_t i = 0; i < s->pgt->n_images; i++) {
        wsam_train_picture *p = find_picture(s, s->pgt->file_names[i]);
        if (!p)
            continue;
        const size_t first = s->pgt->first[i];
        p->n_truth = copy_truth(s, first, s->pgt->first[i + 1]);
        p->truth = (const float(*)[4])(s->truth + first);
        p->truth_classes = s->truth_classes + first;
        p->truth_ids = s->truth_ids + first;
        p->truth_trusted = s->trusted + first;
        p->complete = s->pgt->reviews[i] == WSAM_REVIEW_COMPLETE;
    }
    s->labelled = s->list.n;
    return WSAM_OK;
}

static wsam_status read_set(set_data *s, wsam_train_stage stage, wsam_error *error)
{
    wsam_status status = ws_boxes_read(s->in->proposals, &s->list, error);
    if (status)
        return status;
    s->pictures = calloc(s->list.n + 1, sizeof *s->pictures);
    if (!s->pictures)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the images");
    if (s->list.n)
        qsort(s->list.items, s->list.n, sizeof *s->list.items, by_name);
    for (size_t i = 0; i < s->list.n; i++)
        s->pictures[i] = (wsam_train_picture){.image = s->list.items[i].image,
                                              .n_boxes = s->list.items[i].n,
                                              .boxes = (const float(*)[4])s->list.items[i].boxes};
    s->set.n = s->list.n;
    s->set.pictures = s->pictures;
    return stage == WSAM_TRAIN_MIL ? take_labels(s, error) : take_pgt(s, error);
}

wsam_status wsam_train_files(const wsam_train_input *input, const wsam_train_options *options,
                             const char *output, wsam_train_summary *summary, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    set_data s = {.in = input};
    wsam_features *features = NULL;
    wsam_status status = wsam_features_open(input->features, &features, error);
    if (!status)
        status = read_set(&s, options->stage, error);
    if (summary)
        *summary = (wsam_train_summary){s.list.n, s.list.n - s.labelled};
    if (!status)
        status = wsam_train(features, &s.set, options, output, error);
    free_set(&s);
    wsam_features_close(features);
    return status;
}
