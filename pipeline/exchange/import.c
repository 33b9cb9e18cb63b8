/* pipeline/exchange/import.c - wsam_import: finds the format, its reader does the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "kernels/float_scope.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/exchange/exchange.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/exchange/pictures.h"

static wsam_status find_format(const char *path, int is_folder, int *format, wsam_error *error)
{
    /* COCO's words stand in other formats too, so it comes last */
    static const wsam_exchange_format order[] = {WSAM_EXCHANGE_CVAT,    WSAM_EXCHANGE_LABEL_STUDIO,
                                                 WSAM_EXCHANGE_YOLO,    WSAM_EXCHANGE_VOC,
                                                 WSAM_EXCHANGE_LABELME, WSAM_EXCHANGE_COCO};
    wsam_error failure = {0};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const int found = ws_formats_find(order[i])->found(path, is_folder, &failure);
        if (failure.status)
            return ws_fail(error, failure.status, "%s", failure.message);
        if (found) {
            *format = (int)order[i];
            return WSAM_OK;
        }
    }
    return ws_fail(error, WSAM_ERR_FORMAT,
                   "%s: no format is recognised; name it with --format coco, yolo, voc, labelme, "
                   "label-studio or cvat",
                   path);
}

/* weaksam.json beside what was exported. */
static wsam_status load_side(ws_import *in, wsam_error *error)
{
    const char *slash = strrchr(in->path, '/');
    int there = 0;
    const size_t n = in->is_folder ? strlen(in->path) : slash ? (size_t)(slash - in->path) : 0;
    const size_t size = n + sizeof "/weaksam.json" + 1;
    char *path = malloc(size);
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", in->path);
    snprintf(path, size, "%.*s%sweaksam.json", (int)n, in->path, n ? "/" : "");
    wsam_status status = ws_file_there(path, &there, error);
    if (!status && there)
        status = wsam_coco_load_masks(path, NULL, &in->side, error);
    if (!status && there)
        status = ws_id_texts_merge(&in->b.d->id_texts, in->side->id_texts, error);
    free(path);
    if (!status && in->side && !(in->used = calloc(in->side->instances.n + 1, 1)))
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", in->path);
    return status;
}

wsam_status wsam_import(const char *path, int format, const char *images,
                        const wsam_import_options *options, wsam_coco_document **document,
                        wsam_exchange_format *found, wsam_exchange_counts *counts,
                        wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_exchange_counts own = {0};
    ws_import in = {.path = path, .images = images, .counts = counts ? counts : &own};
    *document = NULL;
    *in.counts = (wsam_exchange_counts){0};
    int there;
    wsam_status status = ws_file_there(path, &there, error);
    if (!status && !there)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(ENOENT));
    if (!status)
        status = ws_file_folder_there(path, &in.is_folder, error);
    if (!status && format < 0)
        status = find_format(path, in.is_folder, &format, error);
    const ws_format *f = ws_formats_find((wsam_exchange_format)format);
    if (!status && !f)
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_import: no such format");
    if (!status)
        status = ws_document_start(&in.b, error);
    if (!status)
        status = ws_pictures_open(images, &in.pictures, error);
    if (!status)
        status = load_side(&in, error);
    if (options)
        in.options = *options;
    if (!status)
        status = f->read(&in, error);
    if (!status)
        status = ws_import_end_image(&in, error);
    if (!status && !in.counts->images)
        status =
            ws_fail(error, WSAM_ERR_MISMATCH, "%s: none of its images is in %s (the first is '%s')",
                    path, images, in.counts->first_unmatched);
    if (found && f)
        *found = (wsam_exchange_format)format;
    ws_pictures_close(in.pictures);
    wsam_coco_free(in.side);
    free(in.used);
    *document = ws_document_finish(&in.b, status);
    return status;
}
