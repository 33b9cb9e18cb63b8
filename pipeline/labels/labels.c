/* pipeline/labels/labels.c - labels and a folder brought together. */
#include "pipeline/labels/labels.h"
#include "base/text.h"
#include "kernels/float_scope.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/input.h"
#include "weaksam/dataset.h"

enum { MAX_FILE = 64 << 20 };

typedef struct names {
    size_t n, capacity;
    char **items;
} names;

static int names_add(names *l, const char *name)
{
    char **items = ws_grow(l->items, l->n, &l->capacity, sizeof *items);
    if (!items)
        return 0;
    l->items = items;
    l->items[l->n] = strdup(name);
    return l->items[l->n] ? (int)++l->n > 0 : 0;
}

static void names_free(names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i]);
    free(l->items);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int has_ending(const char *name, const char *ending)
{
    const size_t n = strlen(name), e = strlen(ending);
    return n > e && strcasecmp(name + n - e, ending) == 0;
}

static int is_picture(const char *name)
{
    return has_ending(name, ".png") || has_ending(name, ".jpg") || has_ending(name, ".jpeg");
}

/* Names in a folder, sorted: pictures, or those with an ending. */
static wsam_status list_folder(const char *folder, const char *ending, names *l, wsam_error *error)
{
    DIR *d = opendir(folder);
    int good = 1;
    if (!d)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", folder, strerror(errno));
    for (struct dirent *e = readdir(d); e && good; e = readdir(d))
        if (ending ? has_ending(e->d_name, ending) : is_picture(e->d_name))
            good = names_add(l, e->d_name);
    closedir(d);
    if (!good)
        return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its names", folder);
    if (l->n)
        qsort(l->items, l->n, sizeof *l->items, by_text);
    return WSAM_OK;
}

/* ---- VOC folders ---- */

/* The picture of annotation STEM.xml: the one of that stem, or the stem itself when none is there.
 * Names that begin with "STEM." follow each other in the list, others of a longer stem among them
 * (a.b.jpg after a.jpg). */
static wsam_status picture_of(const char *xml, const names *pictures, char **image,
                              wsam_error *error)
{
    const size_t stem = strlen(xml) - 4;
    const char *found = NULL;
    size_t low = 0, high = pictures->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strncmp(pictures->items[middle], xml, stem + 1) < 0) /* up to and with the dot */
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < pictures->n && strncmp(pictures->items[low], xml, stem + 1) == 0; low++) {
        const char *name = pictures->items[low];
        if (strchr(name + stem + 1, '.'))
            continue;
        if (found)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "%s: is it about '%s' or '%s'? One picture for each annotation", xml,
                           found, name);
        found = name;
    }
    *image = found ? strdup(found) : strndup(xml, stem);
    return *image ? WSAM_OK : ws_no_memory(error, xml);
}

static wsam_status read_xml(ws_label_rows *r, const char *folder, const char *name,
                            const names *pictures, size_t line, wsam_error *error)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size), *image = NULL, *text = NULL;
    size_t n;
    wsam_status status =
        path ? picture_of(name, pictures, &image, error) : ws_no_memory(error, folder);
    if (!status) {
        snprintf(path, size, "%s/%s", folder, name);
        status = ws_read_whole(path, MAX_FILE, &text, &n, error);
    }
    if (!status)
        status = ws_labels_xml(r, text, n, path, image, line, error);
    free(text);
    free(image);
    free(path);
    return status;
}

static wsam_status read_voc(ws_label_rows *r, const char *path, const names *pictures,
                            wsam_error *error)
{
    names xml = {0};
    struct stat st;
    const size_t size = strlen(path) + 20;
    char *folder = malloc(size);
    if (!folder)
        return ws_no_memory(error, path);
    snprintf(folder, size, "%s/Annotations", path);
    if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
        snprintf(folder, size, "%s", path);
    wsam_status status = list_folder(folder, ".xml", &xml, error);
    if (!status && !xml.n)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no VOC annotations (*.xml)", folder);
    for (size_t i = 0; i < xml.n && !status; i++)
        status = read_xml(r, folder, xml.items[i], pictures, i + 1, error);
    names_free(&xml);
    free(folder);
    return status;
}

static wsam_status read_rows(ws_label_rows *r, const names *pictures, wsam_error *error)
{
    struct stat st;
    char *text;
    size_t size;
    if (stat(r->path, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", r->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return read_voc(r, r->path, pictures, error);
    if (!has_ending(r->path, ".csv") && !has_ending(r->path, ".json"))
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: labels are a .csv or .json file, or a folder of VOC annotations",
                       r->path);
    wsam_status status = ws_input_whole(r->path, MAX_FILE, &text, &size, error);
    if (!status)
        status = has_ending(r->path, ".csv") ? ws_labels_csv(r, text, size, error)
                                             : ws_labels_json(r, text, size, error);
    free(text);
    return status;
}

/* ---- classes ---- */

static wsam_status take_classes(wsam_labels *l, const ws_label_rows *r,
                                const wsam_labels_options *o, wsam_error *error)
{
    names all = {0};
    int good = 1;
    for (size_t i = 0; o && o->names && i < o->n_names && good; i++)
        good = names_add(&all, o->names[i]);
    if (!o || !o->names) {
        for (size_t i = 0; i < r->n && good; i++)
            good = !r->rows[i].class_name || names_add(&all, r->rows[i].class_name);
        if (all.n)
            qsort(all.items, all.n, sizeof *all.items, by_text);
        size_t kept = 0;
        for (size_t i = 0; i < all.n; i++)
            if (kept && strcmp(all.items[kept - 1], all.items[i]) == 0)
                free(all.items[i]);
            else
                all.items[kept++] = all.items[i];
        all.n = kept;
    }
    l->names = all.items;
    l->n_classes = all.n;
    if (!good)
        return ws_no_memory(error, r->path);
    return all.n ? WSAM_OK : ws_fail(error, WSAM_ERR_FORMAT, "%s: no classes", r->path);
}

static wsam_status find_class(const wsam_labels *l, const ws_label_rows *r, const ws_label_row *row,
                              int32_t *index, wsam_error *error)
{
    for (size_t i = 0; i < l->n_classes; i++)
        if (strcmp(l->names[i], row->class_name) == 0) {
            *index = (int32_t)i;
            return WSAM_OK;
        }
    return ws_fail(error, WSAM_ERR_MISMATCH,
                   "%s: '%.300s' has the unknown class '%.200s' (there are %zu, '%.100s' first)",
                   r->path, row->image, row->class_name, l->n_classes, l->names[0]);
}

/* ---- together ---- */

static int in_folder(const char *folder, const names *pictures, const char *name)
{
    struct stat st;
    if (pictures->n &&
        bsearch(&name, pictures->items, pictures->n, sizeof *pictures->items, by_text))
        return 1;
    if (!strchr(name, '/'))
        return 0;
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (!path)
        return 0;
    snprintf(path, size, "%s/%s", folder, name);
    const int there = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    free(path);
    return there;
}

static int by_number(const void *a, const void *b)
{
    const int32_t p = *(const int32_t *)a, q = *(const int32_t *)b;
    return (p > q) - (p < q);
}

static void note(size_t *count, char **first, const char *name)
{
    if (!(*count)++)
        *first = strdup(name);
}

/* Rows [from, to) of one picture. */
static wsam_status take_picture(wsam_labels *l, const ws_label_rows *r, size_t from, size_t to,
                                wsam_error *error)
{
    int32_t *own = l->classes + l->first[l->n];
    size_t n = 0, kept = 0;
    wsam_status status = WSAM_OK;
    for (size_t i = from; i < to && !status; i++)
        if (r->rows[i].class_name)
            status = find_class(l, r, &r->rows[i], &own[n++], error);
    if (status)
        return status;
    if (!n) {
        note(&l->unlabelled, &l->first_unlabelled, r->rows[from].image);
        return WSAM_OK;
    }
    qsort(own, n, sizeof *own, by_number);
    for (size_t i = 0; i < n; i++)
        if (!kept || own[kept - 1] != own[i])
            own[kept++] = own[i];
    l->images[l->n] = strdup(r->rows[from].image);
    if (!l->images[l->n])
        return ws_no_memory(error, r->path);
    l->first[l->n + 1] = l->first[l->n] + kept;
    l->n++;
    return WSAM_OK;
}

static wsam_status take_pictures(wsam_labels *l, const ws_label_rows *r, const char *folder,
                                 const names *pictures, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    l->images = calloc(r->n, sizeof *l->images);
    l->first = calloc(r->n + 1, sizeof *l->first);
    l->classes = calloc(r->n, sizeof *l->classes);
    if (!l->images || !l->first || !l->classes)
        return ws_no_memory(error, r->path);
    size_t at = 0; /* in the folder's pictures, to find those without labels */
    for (size_t i = 0, next; i < r->n && !status; i = next) {
        const char *image = r->rows[i].image;
        for (next = i + 1; next < r->n && strcmp(r->rows[next].image, image) == 0;)
            next++;
        for (; at < pictures->n && strcmp(pictures->items[at], image) < 0; at++)
            note(&l->unlabelled, &l->first_unlabelled, pictures->items[at]);
        at += at < pictures->n && strcmp(pictures->items[at], image) == 0;
        if (in_folder(folder, pictures, image))
            status = take_picture(l, r, i, next, error);
        else
            note(&l->missing, &l->first_missing, image);
    }
    for (; at < pictures->n && !status; at++)
        note(&l->unlabelled, &l->first_unlabelled, pictures->items[at]);
    return status;
}

static wsam_status judge(const wsam_labels *l, const char *path, const char *folder,
                         const wsam_labels_options *o, wsam_error *error)
{
    if (l->missing && !(o && o->allow_missing))
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: %zu labelled pictures are not in %s, '%.300s' first", path, l->missing,
                       folder, l->first_missing ? l->first_missing : "");
    if (!l->n)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: no picture of %s has a label", path, folder);
    return WSAM_OK;
}

wsam_status wsam_labels_load(const char *path, const char *folder,
                             const wsam_labels_options *options, wsam_labels **out,
                             wsam_error *error)
{
    WS_FLOAT_SCOPE;
    names pictures = {0};
    ws_label_rows rows = {.path = path};
    wsam_labels *l = calloc(1, sizeof *l);
    *out = NULL;
    wsam_status status = l ? WSAM_OK : ws_no_memory(error, path);
    if (!status)
        status = list_folder(folder, NULL, &pictures, error);
    if (!status)
        status = read_rows(&rows, &pictures, error);
    if (!status)
        status = ws_label_rows_sort(&rows, error);
    if (!status && !pictures.n && !strchr(rows.rows[0].image, '/'))
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no pictures (PNG, JPEG)", folder);
    if (!status)
        status = take_classes(l, &rows, options, error);
    if (!status)
        status = take_pictures(l, &rows, folder, &pictures, error);
    if (!status)
        status = judge(l, path, folder, options, error);
    ws_label_rows_free(&rows);
    names_free(&pictures);
    if (status)
        wsam_labels_free(l);
    else
        *out = l;
    return status;
}

void wsam_labels_free(wsam_labels *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++)
        free(l->images[i]);
    for (size_t i = 0; i < l->n_classes; i++)
        free(l->names[i]);
    free(l->images);
    free(l->names);
    free(l->first);
    free(l->classes);
    free(l->first_unlabelled);
    free(l->first_missing);
    free(l);
}
