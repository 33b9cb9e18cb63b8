/* pipeline/exchange/export_shared.c - what the writers of the formats share. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "kernels/float_scope.h"
#include "pipeline/exchange/exchange.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/labels/picture_path.h"
#include "pipeline/stages/stages.h"

/* ---- names ---- */

wsam_status ws_export_name(const char *prefix, const char *image, const char *ending, char **name,
                           wsam_error *error)
{
    const char *slash = strrchr(image, '/'), *base = slash ? slash + 1 : image;
    const char *dot = strrchr(base, '.');
    const size_t stem = dot && dot > base ? (size_t)(dot - image) : strlen(image);
    const size_t size = strlen(prefix) + stem + strlen(ending) + 2;
    *name = NULL;
    if (ws_picture_path_leads_out(image))
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "the file name '%s' leads out of the folder of images", image);
    *name = malloc(size);
    if (!*name)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", image);
    snprintf(*name, size, "%s%.*s%s", prefix, (int)stem, image, ending);
    return WSAM_OK;
}

typedef struct named {
    char *name;
    size_t image;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

wsam_status ws_export_unique(const ws_export *e, const char *prefix, const char *ending,
                             wsam_error *error)
{
    size_t n = 0;
    wsam_status status = WSAM_OK;
    named *all = malloc((e->d->n_images + 1) * sizeof *all);
    if (!all)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", e->folder);
    for (size_t i = 0; i < e->d->n_images && !status; i++)
        if (e->chosen[i]) {
            all[n].image = i;
            status = ws_export_name(prefix, e->d->file_names[i], ending, &all[n].name, error);
            n += !status;
        }
    if (n && !status)
        qsort(all, n, sizeof *all, by_name);
    for (size_t i = 1; i < n && !status; i++)
        if (strcmp(all[i].name, all[i - 1].name) == 0)
            status = ws_fail(
                error, WSAM_ERR_FORMAT, "'%s' and '%s' would share the file %s: rename one of them",
                e->d->file_names[all[i - 1].image], e->d->file_names[all[i].image], all[i].name);
    for (size_t i = 0; i < n; i++)
        free(all[i].name);
    free(all);
    return status;
}

/* ---- files ---- */

/* The folders of `path` below the export's own. */
static wsam_status make_folders(char *path, size_t from, wsam_error *error)
{
    for (char *at = strchr(path + from, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        const wsam_status status = ws_file_folder_make(path, error);
        if (status)
            return status;
        *at = '/';
    }
    return WSAM_OK;
}

/* A name with a line feed is not listed: that file stays until it is overwritten. */
static void list(ws_export *e, const char *name)
{
    if (!strchr(name, '\n'))
        ws_text_printf(&e->names, "%s\n", name);
}

FILE *ws_export_open(ws_export *e, const char *name, wsam_error *error)
{
    const size_t folder = strlen(e->folder), size = folder + strlen(name) + 2;
    char *path = malloc(size);
    FILE *f = NULL;
    if (!path) {
        ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", name);
        return NULL;
    }
    snprintf(path, size, "%s/%s", e->folder, name);
    if (!make_folders(path, folder + 1, error))
        f = ws_outputs_open(&e->out, path, error);
    if (f)
        list(e, name);
    free(path);
    return f;
}

wsam_status ws_export_file(ws_export *e, const char *name, const ws_text *text, wsam_error *error)
{
    wsam_error own = {0};
    if (!error)
        error = &own;
    if (text->failed)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", name);
    FILE *f = ws_export_open(e, name, error);
    if (!f)
        return error->status ? error->status : WSAM_ERR_IO;
    if (text->n && fwrite(text->text, 1, text->n, f) != text->n)
        return ws_fail(error, WSAM_ERR_IO, "%s/%s: %s", e->folder, name, strerror(errno));
    return ws_outputs_close(&e->out, error);
}

/* ---- documents ---- */

int ws_export_wanted(const ws_export *e, const wsam_instance *a)
{
    const int rejected = a->reviewed == WSAM_REVIEWED_REJECTED;
    e->counts->rejected += (size_t)rejected;
    return !rejected;
}

wsam_status ws_export_document(ws_export *e, const char *name, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    const size_t size = strlen(e->folder) + strlen(name) + 2;
    char *path = malloc(size);
    wsam_coco_writer *writer = NULL;
    const wsam_classes classes = {d->n_classes, (const char *const *)d->class_names, d->class_ids,
                                  d->id_texts};
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", name);
    snprintf(path, size, "%s/%s", e->folder, name);
    wsam_status status =
        ws_coco_write_in(&e->out, path, WSAM_COCO_MASKS, &classes, NULL, &writer, error);
    for (size_t i = 0; i < d->n_images && !status; i++) {
        const wsam_coco_image image = ws_document_image(d, i);
        const wsam_instances objects = {d->first[i + 1] - d->first[i],
                                        d->instances.items + d->first[i]};
        if (e->chosen[i])
            status = wsam_coco_put(writer, &image, &objects, error);
    }
    status = wsam_coco_finish(writer, status, error);
    if (!status)
        list(e, name);
    free(path);
    return status;
}
