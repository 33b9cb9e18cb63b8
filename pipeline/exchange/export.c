/* pipeline/exchange/export.c - wsam_export: chooses the images, the format's writer does the rest. */
#include <stdlib.h>

#include "kernels/float_scope.h"
#include "pipeline/exchange/export_list.h"
#include "pipeline/exchange/formats.h"

static wsam_status choose(ws_export *e, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    e->chosen = calloc(d->n_images + 1, 1);
    if (!e->chosen)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", e->folder);
    for (size_t i = 0; i < d->n_images; i++) {
        e->chosen[i] = !(e->options.open_only && ws_document_complete(d, i));
        e->counts->complete += !e->chosen[i];
        e->counts->images += e->chosen[i];
    }
    return WSAM_OK;
}

/* Masks are placed by the size of their image. */
static wsam_status check_sizes(const ws_export *e, wsam_error *error)
{
    const wsam_coco_document *d = e->d;
    for (size_t i = 0; i < d->n_images; i++)
        if (e->chosen[i] && (d->sizes[2 * i] < 1 || d->sizes[2 * i + 1] < 1))
            return ws_fail(error, WSAM_ERR_FORMAT, "'%s' has no width and height in this data set",
                           d->file_names[i]);
    return WSAM_OK;
}

wsam_status wsam_export(const wsam_coco_document *document, wsam_exchange_format format,
                        const wsam_export_options *options, const char *folder,
                        wsam_exchange_counts *counts, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_exchange_counts own = {0};
    ws_export e = {.d = document, .folder = folder, .counts = counts ? counts : &own};
    const ws_format *f = ws_formats_find(format);
    if (!f || !document || !folder)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "wsam_export: no such format");
    if (options)
        e.options = *options;
    *e.counts = (wsam_exchange_counts){0};
    wsam_status status = choose(&e, error);
    if (!status)
        status = check_sizes(&e, error);
    if (!status)
        status = ws_export_list_begin(&e, error);
    if (!status)
        status = ws_outputs_folder(&e.out, folder, error);
    if (!status)
        status = f->write(&e, error);
    if (!status && !e.options.no_side_file)
        status = ws_export_document(&e, "weaksam.json", error);
    if (!status)
        status = ws_export_list_write(&e, error);
    status = ws_outputs_finish(&e.out, status, error);
    if (!status)
        status = ws_export_list_sweep(&e, error);
    free(e.before);
    free(e.names.text);
    free(e.chosen);
    return status;
}
