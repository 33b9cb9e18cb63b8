/* pipeline/coco/recast.c - classes of a document under other names, or gone. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "pipeline/coco/class_names.h"
#include "weaksam/stages.h"

static wsam_status unknown(const wsam_coco_document *d, const char *name, wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_ARGUMENT, "no class '%.200s' among the %zu of the results", name,
                   d->n_classes);
}

/* Takes a class off the list; nothing has it any more. */
static void remove_class(wsam_coco_document *d, size_t at)
{
    free(d->class_names[at]);
    d->n_classes--;
    memmove(d->class_names + at, d->class_names + at + 1,
            (d->n_classes - at) * sizeof *d->class_names);
    memmove(d->class_ids + at, d->class_ids + at + 1, (d->n_classes - at) * sizeof *d->class_ids);
    for (size_t i = 0; i < d->instances.n; i++)
        d->instances.items[i].class_index -= (size_t)d->instances.items[i].class_index > at;
}

wsam_status wsam_coco_rename_class(wsam_coco_document *d, const char *from, const char *to,
                                   wsam_error *error)
{
    const size_t at = ws_class_names_find(d, from), other = ws_class_names_find(d, to);
    if (at == d->n_classes)
        return unknown(d, from, error);
    if (at == other)
        return WSAM_OK;
    if (other == d->n_classes) {
        char *name = strdup(to);
        if (!name)
            return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a class");
        free(d->class_names[at]);
        d->class_names[at] = name;
        return WSAM_OK;
    }
    for (size_t i = 0; i < d->instances.n; i++)
        if ((size_t)d->instances.items[i].class_index == at)
            d->instances.items[i].class_index = (int32_t)other;
    remove_class(d, at);
    return WSAM_OK;
}

wsam_status wsam_coco_drop_class(wsam_coco_document *d, const char *name, size_t *dropped,
                                 wsam_error *error)
{
    const size_t at = ws_class_names_find(d, name);
    size_t kept = 0, k = 0;
    if (at == d->n_classes)
        return unknown(d, name, error);
    for (size_t i = 0; i < d->n_images; i++) {
        for (; k < d->first[i + 1]; k++) {
            wsam_instance *a = &d->instances.items[k];
            if ((size_t)a->class_index != at) {
                d->instances.items[kept++] = *a;
                continue;
            }
            free(a->counts);
            free(a->json);
        }
        d->first[i + 1] = kept; /* k goes on where it was */
    }
    if (dropped)
        *dropped = d->instances.n - kept;
    d->instances.n = kept;
    remove_class(d, at);
    return WSAM_OK;
}
