/* pipeline/review/review_session_load.c - what a review begins with: the labels of the run, and what was
 * decided about them before. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/review/review_session.h"
#include "pipeline/stages/stages.h"

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
}

/* ---- parts ---- */

wsam_status ws_review_session_class(ws_review_session *s, const char *name, int32_t *index,
                                    wsam_error *error)
{
    for (size_t i = 0; i < s->n_classes; i++)
        if (strcmp(s->classes[i], name) == 0) {
            *index = (int32_t)i;
            return WSAM_OK;
        }
    if (!*name || strlen(name) > 4096)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "a class needs a name of 1 to 4096 bytes");
    char **classes = ws_grow(s->classes, s->n_classes, &s->class_capacity, sizeof *classes);
    char *copy = strdup(name);
    if (classes)
        s->classes = classes;
    if (!classes || !copy) {
        free(copy);
        return no_memory(error);
    }
    classes[s->n_classes] = copy;
    *index = (int32_t)s->n_classes++;
    return WSAM_OK;
}

ws_review_object *ws_review_session_add(ws_review_image *image)
{
    ws_review_object *objects =
        ws_grow(image->objects, image->n, &image->capacity, sizeof *objects);
    if (!objects)
        return NULL;
    image->objects = objects;
    objects[image->n] = (ws_review_object){0};
    return &objects[image->n++];
}

ws_review_object *ws_review_session_find(ws_review_image *image, int64_t id)
{
    for (size_t i = 0; i < image->n; i++)
        if (image->objects[i].a.id == id)
            return &image->objects[i];
    return NULL;
}

/* ---- documents ---- */

/* Copies an object of a document into an image. Ids of earlier decisions may have been given to
 * others since: those get a new one. */
static wsam_status take_object(ws_review_session *s, ws_review_image *image, const char *class_name,
                               const wsam_instance *from, wsam_error *error)
{
    wsam_instance a;
    if (!ws_instances_copy(from, &a))
        return no_memory(error);
    wsam_status status = ws_review_session_class(s, class_name, &a.class_index, error);
    ws_review_object *o = status ? NULL : ws_review_session_add(image);
    if (!o) {
        free(a.counts), free(a.json);
        return status ? status : no_memory(error);
    }
    o->a = a;
    if (a.id >= s->next_id && !ws_id_texts_get(s->id_texts, a.id))
        s->next_id = a.id + 1;
    return WSAM_OK;
}

static wsam_status take_labels(ws_review_session *s, const wsam_coco_document *d, wsam_error *error)
{
    s->images = calloc(d->n_images + 1, sizeof *s->images);
    if (!s->images)
        return no_memory(error);
    for (size_t i = 0; i < d->n_classes; i++) {
        int32_t index;
        const wsam_status status = ws_review_session_class(s, d->class_names[i], &index, error);
        if (status)
            return status;
    }
    for (size_t i = 0; i < d->n_images; i++) {
        ws_review_image *image = &s->images[s->n_images++];
        image->width = d->sizes[2 * i];
        image->height = d->sizes[2 * i + 1];
        image->review = d->reviews[i];
        if (!(image->name = strdup(d->file_names[i])))
            return no_memory(error);
        if (image->width < 1 || image->height < 1)
            return ws_fail(error, WSAM_ERR_FORMAT, "'%s' has no width and height in this data set",
                           image->name);
        for (size_t k = d->first[i]; k < d->first[i + 1]; k++) {
            const wsam_instance *a = &d->instances.items[k];
            const wsam_status status =
                take_object(s, image, d->class_names[a->class_index], a, error);
            if (status)
                return status;
        }
    }
    return WSAM_OK;
}

/* ---- earlier decisions ---- */

static ws_review_image *image_named(ws_review_session *s, const char *name, size_t hint)
{
    for (size_t k = 0; k < s->n_images; k++) {
        ws_review_image *image = &s->images[(hint + k) % s->n_images];
        if (strcmp(image->name, name) == 0)
            return image;
    }
    return NULL;
}

/* The image as it was decided: decisions of the data set itself are older than reviewed.json. */
static wsam_status take_decisions(ws_review_session *s, ws_review_image *image,
                                  const wsam_coco_document *d, size_t i, const char *path,
                                  wsam_error *error)
{
    size_t kept = 0;
    wsam_status status = WSAM_OK;
    for (size_t k = 0; k < image->n; k++)
        if (image->objects[k].a.reviewed)
            ws_review_session_object_clear(&image->objects[k]);
        else
            image->objects[kept++] = image->objects[k];
    image->n = kept;
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status; k++)
        status = take_object(
            s, image,
            ws_renamed_shown(&s->renamed, d->class_names[d->instances.items[k].class_index]),
            &d->instances.items[k], error);
    image->review = d->reviews[i];
    return status || !d->more[i]
               ? status
               : ws_review_session_machine_members(image, d->more[i], path, error);
}

/* Machines' objects that a decision is about already go (wsam_keep_truth). */
static wsam_status drop_decided(ws_review_image *image, wsam_error *error)
{
    wsam_instances list = {image->n, malloc((image->n + 1) * sizeof *list.items)};
    if (!list.items)
        return no_memory(error);
    for (size_t k = 0; k < image->n; k++)
        list.items[k] = image->objects[k].a;
    wsam_keep_truth(&list, image->review, NULL);
    for (size_t k = 0; k < list.n; k++)
        image->objects[k] = (ws_review_object){list.items[k], 0};
    image->n = list.n;
    free(list.items);
    return WSAM_OK;
}

static wsam_status load_decisions(ws_review_session *s, wsam_error *error)
{
    wsam_coco_document *d = NULL;
    int there = 0;
    const size_t size = strlen(s->options->output) + 20;
    char *path = malloc(size);
    if (!path)
        return no_memory(error);
    snprintf(path, size, "%s/reviewed.json", s->options->output);
    wsam_status status = ws_file_there(path, &there, error);
    if (!status && there)
        status = wsam_coco_load_masks(path, NULL, &d, error);
    if (!status && d)
        status = ws_id_texts_merge(&s->id_texts, d->id_texts, error);
    for (size_t i = 0; d && i < d->n_images && !status; i++) {
        ws_review_image *image = image_named(s, d->file_names[i], i);
        if (image)
            status = take_decisions(s, image, d, i, path, error);
    }
    for (size_t i = 0; i < s->n_images && !status; i++)
        status = drop_decided(&s->images[i], error);
    wsam_coco_free(d);
    free(path);
    return status;
}

static wsam_status dataset_of(const wsam_review_options *o, char **path, wsam_error *error)
{
    static const char *const names[] = {"final.json", "masks.json"};
    const size_t size = strlen(o->output) + 16;
    wsam_status status = WSAM_OK;
    int there = o->dataset != NULL;
    *path = o->dataset ? strdup(o->dataset) : malloc(size);
    if (!*path)
        return no_memory(error);
    for (int k = 0; k < 2 && !status && !there; k++) {
        snprintf(*path, size, "%s/%s", o->output, names[k]);
        status = ws_file_there(*path, &there, error);
    }
    return status;
}

wsam_status ws_review_session_load(ws_review_session *s, wsam_error *error)
{
    wsam_coco_document *d = NULL;
    char *path;
    wsam_status status = dataset_of(s->options, &path, error);
    if (!status)
        status = wsam_coco_load_masks(path, NULL, &d, error);
    if (!status)
        status = ws_renamed_read(path, &s->renamed, error);
    if (!status)
        status = ws_id_texts_merge(&s->id_texts, d->id_texts, error);
    if (!status)
        status = take_labels(s, d, error);
    if (!status)
        status = ws_review_session_machine_keep(s, error);
    wsam_coco_free(d);
    free(path);
    return status ? status : load_decisions(s, error);
}
