/* pipeline/exchange/coco.c - COCO data sets: annotations.json with run lengths. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/id_texts.h"
#include "pipeline/exchange/exchange_json.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/stages/stages.h"

static wsam_status write_coco(ws_export *e, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    for (size_t i = 0; i < d->n_images; i++)
        for (size_t k = d->first[i]; k < d->first[i + 1] && e->chosen[i]; k++) {
            e->counts->objects++;
            e->counts->boxes += !d->instances.items[k].counts;
        }
    return ws_export_document(e, "annotations.json", error);
}

static char *file_of(const char *path, int is_folder)
{
    const size_t size = strlen(path) + 20;
    char *file = malloc(size);
    if (file)
        snprintf(file, size, is_folder ? "%s/annotations.json" : "%s", path);
    return file;
}

/* What nobody touched comes back as it was; what a person decided in the file counts. */
static wsam_status read_object(ws_import *in, const wsam_coco_document *d,
                               const wsam_instance *from, wsam_error *error)
{
    const char *name = d->class_names[from->class_index];
    const wsam_instance *side = ws_import_find(in, name, from);
    wsam_instance a;
    if (side && (!from->reviewed || from->reviewed == side->reviewed))
        return ws_import_restore(in, side, error);
    if (!ws_instances_copy(from, &a))
        return ws_no_memory(error, in->path);
    return ws_import_object(in, name, &a, error);
}

static wsam_status read_image(ws_import *in, const wsam_coco_document *d, size_t i,
                              wsam_error *error)
{
    int width = d->sizes[2 * i], height = d->sizes[2 * i + 1], known;
    wsam_status status = ws_import_image(in, d->file_names[i], &width, &height, &known, error);
    if (!status && known)
        ws_document_add_review(&in->b, d->reviews[i]);
    for (size_t k = d->first[i]; k < d->first[i + 1] && !status && known; k++)
        status = read_object(in, d, &d->instances.items[k], error);
    return status;
}

static wsam_status read_coco(ws_import *in, wsam_error *error)
{
    wsam_coco_document *d = NULL;
    char *file = file_of(in->path, in->is_folder);
    wsam_status status = file ? wsam_coco_load_masks(file, NULL, &d, error)
                              : ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", in->path);
    if (!status)
        status = ws_id_texts_merge(&in->b.d->id_texts, d->id_texts, error);
    for (size_t i = 0; !status && i < d->n_classes; i++) {
        int32_t index;
        status = ws_document_add_class(&in->b, d->class_names[i], &index, error);
    }
    for (size_t i = 0; !status && i < d->n_images; i++)
        status = read_image(in, d, i, error);
    wsam_coco_free(d);
    free(file);
    return status;
}

static int found_coco(const char *path, int is_folder, wsam_error *failure)
{
    char *file = file_of(path, is_folder);
    const int found = file &&
                      (ws_exchange_json_mentions(file, "\"categories\"", failure) ||
                       ws_exchange_json_mentions(file, "\"annotations\"", failure)) &&
                      !ws_exchange_json_mentions(file, "\"data\"", failure);
    if (!file)
        ws_no_memory(failure, path);
    free(file);
    return found;
}

const ws_format ws_format_coco = {"coco", write_coco, found_coco, read_coco};
