/* pipeline/coco/class_names.c - see class_names.h. */
#include "pipeline/coco/class_names.h"

#include <string.h>

size_t ws_class_names_find(const wsam_coco_document *d, const char *name)
{
    size_t i = name ? 0 : d->n_classes;
    while (i < d->n_classes && strcmp(d->class_names[i], name) != 0)
        i++;
    return i;
}
