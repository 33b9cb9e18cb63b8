/* pipeline/exchange/import_shared.c - what the readers of the formats share. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "kernels/float_scope.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/exchange/exchange.h"
#include "pipeline/exchange/exchange_json.h"
#include "pipeline/exchange/formats.h"
#include "pipeline/exchange/pictures.h"
#include "pipeline/stages/stages.h"

/* ---- folders ---- */

enum { MAX_DEPTH = 8 };

typedef struct listing {
    const char *ending;
    char **names;
    size_t n, capacity;
} listing;

static int has_ending(const char *name, const char *ending)
{
    const size_t n = strlen(name), e = strlen(ending);
    return n > e && strcasecmp(name + n - e, ending) == 0;
}

static wsam_status list_below(listing *l, const char *folder, const char *prefix, int depth,
                              wsam_error *error);

/* One entry: a folder is entered, a file with the ending is noted. */
static wsam_status list_entry(listing *l, const char *folder, const char *prefix, const char *entry,
                              int depth, wsam_error *error)
{
    const size_t size = strlen(folder) + strlen(prefix) + strlen(entry) + 4;
    char *path = malloc(size), *name = malloc(size);
    wsam_status status = WSAM_OK;
    int is_folder = 0;
    if (path && name) {
        snprintf(path, size, "%s/%s%s", folder, prefix, entry);
        snprintf(name, size, "%s%s", prefix, entry);
    }
    char **names = path && name ? ws_grow(l->names, l->n, &l->capacity, sizeof *names) : NULL;
    if (!names) {
        status = ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its names", folder);
    } else {
        l->names = names;
        status = ws_file_folder_there(path, &is_folder, error);
        if (is_folder) {
            strcat(name, "/");
            status = depth < MAX_DEPTH ? list_below(l, folder, name, depth + 1, error) : WSAM_OK;
        } else if (!status && has_ending(entry, l->ending)) {
            l->names[l->n++] = name;
            name = NULL;
        }
    }
    free(path);
    free(name);
    return status;
}

static wsam_status list_below(listing *l, const char *folder, const char *prefix, int depth,
                              wsam_error *error)
{
    const size_t size = strlen(folder) + strlen(prefix) + 2;
    char *path = malloc(size);
    wsam_status status = WSAM_OK;
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", folder);
    snprintf(path, size, "%s/%s", folder, prefix);
    DIR *d = opendir(path);
    if (!d)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    while (!status) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            if (errno)
                status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
            break;
        }
        if (e->d_name[0] != '.')
            status = list_entry(l, folder, prefix, e->d_name, depth, error);
    }
    if (d)
        closedir(d);
    free(path);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

wsam_status ws_import_list(const char *folder, const char *ending, char ***names, size_t *n,
                           wsam_error *error)
{
    listing l = {.ending = ending};
    const wsam_status status = list_below(&l, folder, "", 0, error);
    if (status) {
        for (size_t i = 0; i < l.n; i++)
            free(l.names[i]);
        free(l.names);
        l = (listing){0};
    }
    if (l.n)
        qsort(l.names, l.n, sizeof *l.names, by_text);
    *names = l.names;
    *n = l.n;
    return status;
}

/* ---- images ---- */

/* Files are read in the order of weaksam.json nearly always: the next one is looked at first. */
static void find_side_image(ws_import *in, const char *file)
{
    const wsam_coco_document *side = in->side;
    const size_t n = side ? side->n_images : 0, next = in->side_image + 1;
    for (size_t k = 0; k < n; k++) {
        in->side_image = (next + k) % n;
        if (strcmp(side->file_names[in->side_image], file) == 0)
            return;
    }
    in->side_image = n;
}

static void note_unmatched(ws_import *in, const char *name)
{
    if (!in->counts->unmatched++)
        snprintf(in->counts->first_unmatched, sizeof in->counts->first_unmatched, "%s", name);
}

/* An object of weaksam.json as it is, but for what a person says about it. */
static wsam_status restore(ws_import *in, const wsam_instance *from, wsam_reviewed reviewed,
                           wsam_error *error)
{
    wsam_instance a;
    if (!ws_instances_copy(from, &a))
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", in->path);
    const wsam_status status = ws_document_add_class(
        &in->b, in->side->class_names[from->class_index], &a.class_index, error);
    if (status) {
        ws_document_clear_instance(&a);
        return status;
    }
    a.reviewed = reviewed;
    in->used[from - in->side->instances.items] = 1;
    return ws_document_add_object(&in->b, &a, error);
}

wsam_status ws_import_restore(ws_import *in, const wsam_instance *from, wsam_error *error)
{
    const int seen = in->options.reviewed && from->reviewed == WSAM_REVIEWED_NO;
    in->counts->objects++;
    in->counts->restored++;
    in->counts->boxes += !from->counts;
    return restore(in, from, seen ? WSAM_REVIEWED_ACCEPTED : from->reviewed, error);
}

int ws_import_used(const ws_import *in, const wsam_instance *side)
{
    return in->used[side - in->side->instances.items];
}

/* What a person took out of an image was wrong; what stayed was right. */
wsam_status ws_import_end_image(ws_import *in, wsam_error *error)
{
    const wsam_instance *side;
    const size_t n = ws_import_side(in, &side);
    wsam_status status = WSAM_OK;
    if (!in->options.reviewed || !in->b.d->n_images)
        return WSAM_OK;
    ws_document_add_review(&in->b, WSAM_REVIEW_COMPLETE);
    for (size_t i = 0; i < n && !status; i++) {
        if (ws_import_used(in, &side[i]))
            continue;
        in->counts->removed += side[i].reviewed != WSAM_REVIEWED_REJECTED;
        status = restore(in, &side[i], WSAM_REVIEWED_REJECTED, error);
    }
    return status;
}

wsam_status ws_import_image(ws_import *in, const char *name, int *width, int *height, int *known,
                            wsam_error *error)
{
    const char *file = NULL;
    int again = 0;
    wsam_status status = ws_import_end_image(in, error);
    if (status)
        return status;
    status = ws_pictures_take(in->pictures, name, &file, &again, error);
    *known = !status && file;
    if (!status && !file)
        note_unmatched(in, name);
    if (!*known)
        return status;
    if (again)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%s' comes twice", in->path, file);
    find_side_image(in, file);
    if (!*width || !*height) {
        status = ws_pictures_size(in->pictures, file, width, height, error);
        if (status)
            return status;
    }
    in->counts->images++;
    return ws_document_add_image(&in->b, file, *width, *height, error);
}

/* ---- objects ---- */

wsam_status ws_import_object(ws_import *in, const char *class_name, wsam_instance *a,
                             wsam_error *error)
{
    const wsam_status status = ws_document_add_class(&in->b, class_name, &a->class_index, error);
    if (status) {
        ws_document_clear_instance(a);
        return status;
    }
    if (!a->reviewed)
        a->reviewed = WSAM_REVIEWED_DRAWN;
    if (!a->counts)
        in->counts->boxes++;
    in->counts->objects++;
    return ws_document_add_object(&in->b, a, error);
}

size_t ws_import_side(const ws_import *in, const wsam_instance **objects)
{
    const wsam_coco_document *side = in->side;
    *objects = NULL;
    if (!side || in->side_image >= side->n_images)
        return 0;
    *objects = side->instances.items + side->first[in->side_image];
    return side->first[in->side_image + 1] - side->first[in->side_image];
}

int ws_import_same(const ws_import *in, const wsam_instance *side, const char *class_name,
                   const wsam_instance *a)
{
    if (ws_import_used(in, side) ||
        strcmp(in->side->class_names[side->class_index], class_name) != 0 ||
        !side->counts != !a->counts)
        return 0;
    if (a->counts)
        return side->counts_length == a->counts_length &&
               memcmp(side->counts, a->counts, a->counts_length) == 0;
    for (int k = 0; k < 4; k++) /* text and per cent keep ten digits */
        if (!(fabs(side->bbox[k] - a->bbox[k]) < 1e-4))
            return 0;
    return 1;
}

const wsam_instance *ws_import_find(const ws_import *in, const char *class_name,
                                    const wsam_instance *a)
{
    const wsam_instance *side;
    const size_t n = ws_import_side(in, &side);
    for (size_t i = 0; i < n; i++)
        if (ws_import_same(in, &side[i], class_name, a))
            return &side[i];
    return NULL;
}
