/* pipeline/labels/labels.c - labels and a folder brought together. */
#include "pipeline/labels/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/archive.h"
#include "base/input.h"
#include "base/text.h"
#include "base/utf8.h"
#include "kernels/float_scope.h"
#include "pipeline/labels/folder_list.h"
#include "pipeline/labels/picture_names.h"
#include "pipeline/labels/picture_path.h"
#include "weaksam/dataset.h"

enum { MAX_FILE = 64 << 20, MAX_NAME = 4096 };

/* ---- reading ---- */

/* Whether the first key of an object is one of a COCO data set's. */
static int begins_coco(const char *text)
{
    static const char *const keys[] = {"info",       "images", "licenses", "annotations",
                                       "categories", "type",   NULL};
    text += strspn(text, " \t\r\n");
    if (*text++ != '{')
        return 0;
    text += strspn(text, " \t\r\n");
    if (*text++ != '"')
        return 0;
    for (int i = 0; keys[i]; i++) {
        const size_t n = strlen(keys[i]);
        if (strncmp(text, keys[i], n) == 0 && text[n] == '"')
            return 1;
    }
    return 0;
}

/* The beginning tells a COCO data set, which may be larger than a list of labels. */
static wsam_status is_coco(const char *path, int *coco, wsam_error *error)
{
    char text[256];
    size_t n = 0;
    ws_input *in;
    wsam_status status = ws_input_open(path, &in, error);
    if (status)
        return status;
    status = ws_input_read(in, text, sizeof text - 1, &n, error);
    ws_input_close(in);
    text[status ? 0 : n] = 0;
    *coco = begins_coco(text);
    return status;
}

static wsam_status read_rows(ws_label_rows *r, wsam_error *error)
{
    struct stat st;
    char *text;
    size_t size;
    int coco = 0;
    if (stat(r->path, &st) != 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", r->path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return ws_labels_folder(r, error);
    if (ws_folder_list_has_ending(r->path, ".tar"))
        return ws_labels_archive(r, error);
    if (ws_archive_refuse_packed(r->path, error))
        return WSAM_ERR_FORMAT;
    const int json = ws_folder_list_has_ending(r->path, ".json");
    if (!json && !ws_folder_list_has_ending(r->path, ".csv") &&
        !ws_folder_list_has_ending(r->path, ".tsv"))
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: labels are a .csv, .tsv or .json file, or a folder (VOC annotations, a "
                       "text file per image, a folder of images per class)",
                       r->path);
    wsam_status status = json ? is_coco(r->path, &coco, error) : WSAM_OK;
    if (status || coco)
        return status ? status : ws_labels_coco(r, error);
    status = ws_input_whole(r->path, MAX_FILE, &text, &size, error);
    if (status)
        return status;
    status = json ? ws_labels_json(r, text, size, error) : ws_labels_csv(r, text, size, error);
    free(text);
    return status;
}

static wsam_status ambiguous(const char *path, const char *name, const char *first,
                             wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_FORMAT,
                   "%s: is '%.300s' about '%.300s' or another image of the folder? Several fit",
                   path, name, first);
}

/* Rows get the names that the images have in the folder; what is not there keeps its own. */
static wsam_status rename_row(ws_label_rows *r, size_t i, const ws_picture_names *pictures,
                              uint32_t *names, wsam_error *error)
{
    const char *image = ws_label_rows_image(r, i);
    size_t at;
    ws_name_verdict verdict;
    wsam_status status = ws_picture_names_find(pictures, image, &at, &verdict, error);
    if (status)
        return status;
    if (verdict == WS_NAME_AMBIGUOUS)
        return ambiguous(r->path, image, ws_picture_names_at(pictures, at), error);
    if (verdict == WS_NAME_UNKNOWN && ws_picture_path_leads_out(image))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%.300s' leads out of the folder", r->path,
                       image);
    if (verdict != WS_NAME_FOUND || strcmp(image, ws_picture_names_at(pictures, at)) == 0)
        return WSAM_OK;
    if (!names[at])
        status = ws_label_rows_text(r, ws_picture_names_at(pictures, at), &names[at], error);
    r->rows[i].image = names[at];
    return status;
}

static wsam_status rename_rows(ws_label_rows *r, const ws_picture_names *pictures,
                               wsam_error *error)
{
    /* places of the names that are there already: never the first, which is a row's own */
    uint32_t *names = calloc(ws_picture_names_count(pictures) + 1, sizeof *names);
    wsam_status status = names ? WSAM_OK : ws_no_memory(error, r->path);
    for (size_t i = 0; i < r->n && !status; i++)
        status = rename_row(r, i, pictures, names, error);
    free(names);
    return status;
}

/* Keeps the rows of the images that a list names, one per line; what follows a blank (VOC's 1 and
 * -1) is not looked at. */
static wsam_status keep_listed(ws_label_rows *r, const ws_picture_names *pictures, const char *path,
                               wsam_error *error)
{
    ws_text_lines *lines = NULL;
    char *line = NULL, *listed = calloc(ws_picture_names_count(pictures) + 1, 1);
    size_t n, kept = 0, at;
    ws_name_verdict verdict;
    wsam_status status =
        listed ? ws_input_lines_open(path, MAX_NAME, &lines, error) : ws_no_memory(error, path);
    while (!status && !(status = ws_input_lines_next(lines, &line, &n, error)) && line) {
        line[strcspn(line, " \t")] = 0;
        status = ws_picture_names_find(pictures, line, &at, &verdict, error);
        if (!status && verdict == WS_NAME_AMBIGUOUS)
            status = ambiguous(path, line, ws_picture_names_at(pictures, at), error);
        if (!status && verdict == WS_NAME_FOUND)
            listed[at] = 1;
    }
    for (size_t i = 0; i < r->n && !status; i++) {
        status = ws_picture_names_find(pictures, ws_label_rows_image(r, i), &at, &verdict, error);
        if (!status && verdict == WS_NAME_FOUND && listed[at])
            r->rows[kept++] = r->rows[i];
    }
    if (!status) {
        r->n = kept;
        if (!kept)
            status =
                ws_fail(error, WSAM_ERR_MISMATCH, "%s: names none of the labelled images", path);
    }
    if (lines)
        ws_input_lines_close(lines);
    free(listed);
    return status;
}

/* ---- classes ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Images may have names of any bytes. Those of classes go into JSON files for other programs, which refuse what stands
 * there for bytes that are not UTF-8. */
static wsam_status copy_class(wsam_labels *l, const char *name, const char *path, wsam_error *error)
{
    if (!ws_utf8_valid(name, strlen(name)))
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: the class '%.200s' is not UTF-8 text: save it as UTF-8", path, name);
    if (!(l->names[l->n_classes] = strdup(name)))
        return ws_no_memory(error, path);
    l->n_classes++;
    return WSAM_OK;
}

/* The names of all rows, sorted: each once. */
static wsam_status found_classes(wsam_labels *l, const ws_label_rows *r, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    const char **names = calloc(r->n + 1, sizeof *names), **all = names;
    size_t n = 0, kept = 0;
    if (!names)
        return ws_no_memory(error, r->path);
    for (size_t i = 0; i < r->n; i++) { /* rows of one class often follow each other */
        const char *name = ws_label_rows_class(r, i);
        if (name && !(n && strcmp(names[n - 1], name) == 0))
            names[n++] = name;
    }
    if (n)
        qsort(names, n, sizeof *names, by_text);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp(names[kept - 1], names[i]) != 0)
            names[kept++] = names[i];
    l->names = calloc(kept + 1, sizeof *l->names);
    status = l->names ? WSAM_OK : ws_no_memory(error, r->path);
    for (size_t i = 0; i < kept && !status; i++)
        status = copy_class(l, names[i], r->path, error);
    free(all);
    return status;
}

/* Copies of the names that there may be, or of those found, sorted. */
static wsam_status take_classes(wsam_labels *l, const ws_label_rows *r,
                                const wsam_labels_options *o, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    if (o && o->names) {
        l->names = calloc(o->n_names + 1, sizeof *l->names);
        status = l->names ? WSAM_OK : ws_no_memory(error, r->path);
        for (size_t i = 0; i < o->n_names && !status; i++)
            status = copy_class(l, o->names[i], r->path, error);
    } else {
        status = found_classes(l, r, error);
    }
    if (status)
        return status;
    return l->n_classes ? WSAM_OK
                        : ws_fail(error, WSAM_ERR_FORMAT, "%s: no classes: %s", r->path,
                                  r->n ? "no image has one" : "it names no image");
}

/* `sorted`: the classes are. */
static wsam_status find_class(const wsam_labels *l, const ws_label_rows *r, size_t row, int sorted,
                              int32_t *index, wsam_error *error)
{
    const char *name = ws_label_rows_class(r, row);
    char *const *found =
        sorted ? bsearch(&name, l->names, l->n_classes, sizeof *l->names, by_text) : NULL;
    for (size_t i = 0; i < l->n_classes && !sorted && !found; i++)
        found = strcmp(l->names[i], name) == 0 ? &l->names[i] : NULL;
    if (!found)
        return ws_fail(
            error, WSAM_ERR_MISMATCH,
            "%s: '%.300s' has the unknown class '%.200s' (there are %zu, '%.100s' first)", r->path,
            ws_label_rows_image(r, row), name, l->n_classes, l->names[0]);
    *index = (int32_t)(found - l->names);
    return WSAM_OK;
}

/* ---- together ---- */

static int by_number(const void *a, const void *b)
{
    const int32_t p = *(const int32_t *)a, q = *(const int32_t *)b;
    return (p > q) - (p < q);
}

/* The first few are named, the others counted. */
static void note(wsam_label_gap *gap, const char *name)
{
    if (gap->n++ < WSAM_LABEL_GAP_NAMES)
        gap->names[gap->n - 1] = strdup(name);
}

/* Rows [from, to) of one picture; one without a class shows none. */
static wsam_status take_picture(wsam_labels *l, const ws_label_rows *r, size_t from, size_t to,
                                int sorted, wsam_error *error)
{
    int32_t *own = l->classes + l->first[l->n];
    size_t n = 0, kept = 0;
    wsam_status status = WSAM_OK;
    for (size_t i = from; i < to && !status; i++)
        if (ws_label_rows_class(r, i))
            status = find_class(l, r, i, sorted, &own[n++], error);
    if (status)
        return status;
    l->negatives += !n;
    if (n)
        qsort(own, n, sizeof *own, by_number);
    for (size_t i = 0; i < n; i++)
        if (!kept || own[kept - 1] != own[i])
            own[kept++] = own[i];
    l->images[l->n] = strdup(ws_label_rows_image(r, from));
    if (!l->images[l->n])
        return ws_no_memory(error, r->path);
    l->first[l->n + 1] = l->first[l->n] + kept;
    l->n++;
    return WSAM_OK;
}

/* Images of the folder that no row is about; those in subfolders only where rows lead there, too. */
static void note_unlabelled(wsam_labels *l, const ws_picture_names *pictures)
{
    int below = 0;
    for (size_t i = 0; i < l->n; i++)
        below |= strchr(l->images[i], '/') != NULL;
    for (size_t i = 0; i < ws_picture_names_count(pictures); i++) {
        const char *name = ws_picture_names_at(pictures, i);
        if ((below || !strchr(name, '/')) &&
            !(l->n && bsearch(&name, l->images, l->n, sizeof *l->images, by_text)))
            note(&l->unlabelled_images, name);
    }
}

static wsam_status take_pictures(wsam_labels *l, const ws_label_rows *r,
                                 const ws_picture_names *pictures, int sorted, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    l->images = calloc(r->n + 1, sizeof *l->images);
    l->first = calloc(r->n + 1, sizeof *l->first);
    l->classes = calloc(r->n + 1, sizeof *l->classes);
    if (!l->images || !l->first || !l->classes)
        return ws_no_memory(error, r->path);
    for (size_t i = 0, next, at; i < r->n && !status; i = next) {
        const char *image = ws_label_rows_image(r, i);
        ws_name_verdict verdict;
        for (next = i + 1; next < r->n && strcmp(ws_label_rows_image(r, next), image) == 0;)
            next++;
        status = ws_picture_names_find(pictures, image, &at, &verdict, error);
        if (!status && verdict == WS_NAME_FOUND)
            status = take_picture(l, r, i, next, sorted, error);
        else if (!status)
            note(&l->missing_images, image);
    }
    note_unlabelled(l, pictures);
    l->unlabelled = l->unlabelled_images.n;
    l->missing = l->missing_images.n;
    l->first_unlabelled = l->unlabelled_images.names[0];
    l->first_missing = l->missing_images.names[0];
    return status;
}

/* Of the images' archive and, where that is another one, of the labels'. */
static wsam_status note_repeats(wsam_labels *l, const char *path, const char *folder,
                                wsam_error *error)
{
    const char *const files[] = {folder, path};
    const ws_archive *a, *last = NULL;
    for (int i = 0; i < 2; i++) {
        if (!ws_is_archive(files[i]))
            continue;
        const wsam_status status = ws_archive_open(files[i], &a, error);
        if (status)
            return status;
        const ws_repeats *r = ws_archive_repeats(a);
        for (size_t k = 0; a != last && k < r->n; k++)
            note(&l->repeated_members, k < WS_REPEATS_NAMED ? r->names[k] : "");
        last = a;
    }
    return WSAM_OK;
}

static wsam_status judge(const wsam_labels *l, const char *path, const char *folder,
                         const wsam_labels_options *o, wsam_error *error)
{
    if (l->missing && !(o && o->allow_missing))
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: %zu labelled %s not in %s, '%.300s' first",
                       path, l->missing, l->missing == 1 ? "image is" : "images are", folder,
                       l->first_missing ? l->first_missing : "");
    if (l->n == l->negatives)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: no image of %s has a label", path, folder);
    return WSAM_OK;
}

static wsam_status load(wsam_labels *l, ws_label_rows *rows, const char *folder,
                        const wsam_labels_options *o, wsam_error *error)
{
    ws_picture_names *pictures = NULL;
    wsam_status status = ws_picture_names_open(folder, &pictures, error);
    if (!status && !ws_picture_names_count(pictures))
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no images (JPEG, PNG, WebP, TIFF)", folder);
    if (!status)
        status = read_rows(rows, error);
    if (!status)
        status = rename_rows(rows, pictures, error);
    if (!status && o && o->list)
        status = keep_listed(rows, pictures, o->list, error);
    if (!status)
        status = ws_label_rows_sort(rows, error);
    if (!status)
        status = take_classes(l, rows, o, error);
    if (!status)
        status = take_pictures(l, rows, pictures, !(o && o->names), error);
    if (!status)
        status = note_repeats(l, rows->path, folder, error);
    l->kind = rows->kind;
    ws_picture_names_free(pictures);
    return status ? status : judge(l, rows->path, folder, o, error);
}

wsam_status wsam_labels_load(const char *path, const char *folder,
                             const wsam_labels_options *options, wsam_labels **out,
                             wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_label_rows rows = {.path = path};
    wsam_labels *l = calloc(1, sizeof *l);
    *out = NULL;
    const wsam_status status =
        l ? load(l, &rows, folder, options, error) : ws_no_memory(error, path);
    ws_label_rows_free(&rows);
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
    for (size_t i = 0; i < WSAM_LABEL_GAP_NAMES; i++) {
        free(l->unlabelled_images.names[i]);
        free(l->missing_images.names[i]);
        free(l->repeated_members.names[i]);
    }
    free(l->images);
    free(l->names);
    free(l->first);
    free(l->classes);
    free(l);
}
