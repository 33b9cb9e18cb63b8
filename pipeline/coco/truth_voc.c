/* pipeline/coco/truth_voc.c - ground truth from a folder of PASCAL VOC annotations. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/file.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/coco/voc_xml.h"

enum { MAX_XML = 16 << 20 };

/* ---- the folder ---- */

static int is_xml(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);
    return n > 4 && entry->d_name[0] != '.' && strcasecmp(entry->d_name + n - 4, ".xml") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static char *join(const char *folder, const char *name)
{
    const size_t n = strlen(folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (path)
        snprintf(path, n, "%s/%s", folder, name);
    return path;
}

static wsam_status read_file(wsam_eval_truth *t, const char *folder, const char *name,
                             wsam_error *error)
{
    char *path = join(folder, name), *text = NULL;
    size_t size;
    if (!path)
        return ws_no_memory(error, name);
    wsam_status status = ws_file_read_whole(path, MAX_XML, &text, &size, error);
    if (!status)
        status = ws_voc_xml_parse(t, text, size, path, name, strlen(name) - 4, error);
    free(text);
    free(path);
    return status;
}

static wsam_status read_folder(wsam_eval_truth *t, const char *folder, wsam_error *error)
{
    struct dirent **entries;
    wsam_status status = WSAM_OK;
    const int n = scandir(folder, &entries, is_xml, by_bytes);
    if (n < 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", folder, strerror(errno));
    if (!n)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no .xml files in the folder", folder);
    for (int i = 0; i < n; i++) {
        if (!status)
            status = read_file(t, folder, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* ---- ids ---- */

/* The digits of 000005 or 2007_000027; 0 when the name is something else. */
static int digits(const char *name, int64_t *id)
{
    int n = 0;
    *id = 0;
    for (; *name; name++) {
        if (*name == '_')
            continue;
        if (*name < '0' || *name > '9' || ++n > 15)
            return 0;
        *id = 10 * *id + (*name - '0');
    }
    return n > 0;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

static wsam_status number_images(wsam_eval_truth *t, wsam_error *error)
{
    int64_t *ids = malloc((t->n_images + 1) * sizeof *ids);
    int usable = 1;
    if (!ids)
        return ws_no_memory(error, t->path);
    for (size_t i = 0; i < t->n_images; i++) {
        usable = usable && digits(t->images[i].name, &ids[i]);
        t->images[i].id = usable ? ids[i] : 0;
    }
    if (usable)
        qsort(ids, t->n_images, sizeof *ids, by_value);
    for (size_t i = 1; i < t->n_images; i++)
        usable = usable && ids[i] != ids[i - 1];
    for (size_t i = 0; i < t->n_images && !usable; i++)
        t->images[i].id = (int64_t)i + 1; /* the files were read in the alphabet's order */
    free(ids);
    return WSAM_OK;
}

/* ---- classes ---- */

static const char *const voc_names[20] = {
    "aeroplane", "bicycle",     "bird",  "boat",        "bottle", "bus",      "car",
    "cat",       "chair",       "cow",   "diningtable", "dog",    "horse",    "motorbike",
    "person",    "pottedplant", "sheep", "sofa",        "train",  "tvmonitor"};

static int64_t voc_class(const char *name)
{
    for (int i = 0; i < 20; i++)
        if (strcmp(voc_names[i], name) == 0)
            return i + 1;
    return 0;
}

static wsam_status add_missing(wsam_eval_truth *t, wsam_error *error)
{
    for (int i = 0; i < 20; i++) {
        int32_t at;
        wsam_status status = ws_voc_xml_class(t, voc_names[i], &at, error);
        if (status)
            return status;
        t->categories[at].id = i + 1;
    }
    return WSAM_OK;
}

static wsam_status number_categories(wsam_eval_truth *t, wsam_error *error)
{
    int all_known = 1;
    for (size_t i = 0; i < t->n_categories; i++)
        all_known = all_known && voc_class(t->categories[i].name) != 0;
    if (all_known)
        return add_missing(t, error);
    for (size_t i = 0; i < t->n_categories; i++) {
        t->categories[i].id = 1;
        for (size_t k = 0; k < t->n_categories; k++)
            t->categories[i].id += strcmp(t->categories[k].name, t->categories[i].name) < 0;
    }
    return WSAM_OK;
}

/* Objects of pictures that the list leaves out go. */
static void drop_unlisted(wsam_eval_truth *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->n_objects; i++)
        if (t->images[t->objects[i].image].listed)
            t->objects[kept++] = t->objects[i];
    t->n_objects = kept;
}

wsam_status ws_truth_voc(wsam_eval_truth *t, const wsam_eval_read_options *options,
                         wsam_error *error)
{
    int nested = 0;
    char *folder = join(t->path, "Annotations");
    if (!folder)
        return ws_no_memory(error, t->path);
    t->voc = 1;
    wsam_status status = ws_file_folder_there(folder, &nested, error);
    if (!status)
        status = read_folder(t, nested ? folder : t->path, error);
    if (!status)
        status = number_images(t, error);
    if (!status)
        status = number_categories(t, error);
    if (!status)
        status = ws_truth_index(t, error);
    if (!status && options->list) {
        status = ws_truth_list(t, options->list, error);
        drop_unlisted(t);
    }
    free(folder);
    return status;
}
