/* pipeline/exchange/pickle_names.c - see pickle_names.h. */
#include "pipeline/exchange/pickle_names.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "base/text.h"
#include "pipeline/labels/picture_path.h"
#include "weaksam/picture.h"

enum { LONGEST = 4096 };

typedef struct ws_pickle_id {
    int64_t id;
    size_t at; /* of the list, or of the files */
} ws_pickle_id;

/* ---- numbers in names ---- */

int ws_pickle_id_of(const char *name, int64_t *id)
{
    const char *slash = strrchr(name, '/'), *stem = slash ? slash + 1 : name;
    const char *dot = strrchr(stem, '.'), *end = dot && dot > stem ? dot : stem + strlen(stem);
    const char *from = end;
    int whole = 1, any = 0;
    for (const char *c = stem; c < end; c++)
        whole &= *c == '_' || isdigit((unsigned char)*c);
    while (from > stem && (isdigit((unsigned char)from[-1]) || (whole && from[-1] == '_')))
        from--;
    *id = 0;
    for (; from < end; from++) {
        if (*from == '_')
            continue;
        if (*id > (INT64_MAX - 9) / 10)
            return 0;
        *id = 10 * *id + (*from - '0');
        any = 1;
    }
    return any;
}

static int by_id(const void *x, const void *y)
{
    const ws_pickle_id *a = x, *b = y;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

static wsam_status index_ids(ws_pickle_names *n, wsam_error *error)
{
    const ws_picture_names *from = n->list ? n->list : n->files;
    const size_t count = from ? ws_picture_names_count(from) : 0;
    n->ids = calloc(count + 1, sizeof *n->ids);
    if (!n->ids)
        return ws_no_memory(error, "names");
    for (size_t i = 0; i < count; i++)
        if (ws_pickle_id_of(ws_picture_names_at(from, i), &n->ids[n->n_ids].id))
            n->ids[n->n_ids++].at = i;
    qsort(n->ids, n->n_ids, sizeof *n->ids, by_id);
    return WSAM_OK;
}

/* ---- opening ---- */

static wsam_status read_list(const char *path, char ***list, size_t *n, wsam_error *error)
{
    ws_text_lines *lines;
    size_t capacity = 0, length;
    char *line;
    wsam_status status = ws_input_lines_open(path, LONGEST, &lines, error);
    if (status)
        return status;
    while (!(status = ws_input_lines_next(lines, &line, &length, error)) && line) {
        char **grown = ws_grow(*list, *n, &capacity, sizeof **list);
        if (grown) {
            *list = grown;
            grown[*n] = strndup(line, length);
        }
        if (!grown || !grown[*n]) {
            status = ws_no_memory(error, path);
            break;
        }
        ++*n;
    }
    ws_input_lines_close(lines);
    return status;
}

static wsam_status open_list(ws_pickle_names *names, wsam_error *error)
{
    char **list = NULL;
    size_t n = 0;
    wsam_status status = read_list(names->path, &list, &n, error);
    if (!status && !n)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no names in it", names->path);
    if (!status)
        status = ws_picture_names_of((const char *const *)list, n, &names->list, error);
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
    return status;
}

wsam_status ws_pickle_names_open(const wsam_pickle_options *options, ws_pickle_names *names,
                                 wsam_error *error)
{
    wsam_status status = WSAM_OK;
    *names = (ws_pickle_names){0};
    if (!options)
        return WSAM_OK;
    names->path = options->names;
    names->folder = options->images;
    if (names->path)
        status = open_list(names, error);
    if (!status && names->folder)
        status = ws_picture_names_open(names->folder, &names->files, error);
    return status ? status : index_ids(names, error);
}

void ws_pickle_names_close(ws_pickle_names *n)
{
    ws_picture_names_free(n->list);
    ws_picture_names_free(n->files);
    free(n->ids);
}

/* ---- images ---- */

/* The file of a name in the folder, and its size. */
static wsam_status look(const ws_pickle_names *n, const char *name, ws_pickle_image *image,
                        wsam_error *error)
{
    ws_name_verdict verdict;
    wsam_picture picture;
    size_t at;
    char *path;
    if (!n->files) {
        image->name = strdup(name);
        return image->name ? WSAM_OK : ws_no_memory(error, name);
    }
    wsam_status status = ws_picture_names_find(n->files, name, &at, &verdict, error);
    if (status)
        return status;
    if (verdict != WS_NAME_FOUND)
        return ws_fail(error, WSAM_ERR_IO, "%s: '%s' is %s", n->folder, name,
                       verdict == WS_NAME_UNKNOWN ? "not in it" : "the name of several images");
    image->name = strdup(ws_picture_names_at(n->files, at));
    if (!image->name)
        return ws_no_memory(error, name);
    status = ws_picture_path(n->folder, image->name, &path, error);
    if (status)
        return status;
    status = wsam_picture_load(path, NULL, &picture, error);
    free(path);
    if (status)
        return status;
    image->width = picture.width;
    image->height = picture.height;
    wsam_picture_free(&picture);
    return WSAM_OK;
}

wsam_status ws_pickle_name_at(const ws_pickle_names *names, size_t at, size_t n,
                              ws_pickle_image *image, wsam_error *error)
{
    char number[24];
    *image = (ws_pickle_image){0};
    if (names->list && ws_picture_names_count(names->list) != n)
        return ws_fail(error, WSAM_ERR_MISMATCH, "%s: %zu names for a list of %zu images",
                       names->path, ws_picture_names_count(names->list), n);
    if (names->list)
        return look(names, ws_picture_names_at(names->list, at), image, error);
    if (names->files)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "the pickle is a list without names: the names of its images in their order "
                       "are needed, one per line");
    snprintf(number, sizeof number, "%zu", at);
    image->name = strdup(number);
    return image->name ? WSAM_OK : ws_no_memory(error, "names");
}

wsam_status ws_pickle_name_of(const ws_pickle_names *names, const char *id, ws_pickle_image *image,
                              wsam_error *error)
{
    ws_pickle_id wanted = {.at = 0};
    const ws_pickle_id *found = NULL;
    size_t low = 0, high = names->n_ids;
    *image = (ws_pickle_image){0};
    if (!names->list && !names->files)
        return look(names, id, image, error);
    if (ws_pickle_id_of(id, &wanted.id)) {
        while (low < high) {
            const size_t middle = (low + high) / 2;
            if (names->ids[middle].id < wanted.id)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < names->n_ids && names->ids[low].id == wanted.id)
            found = &names->ids[low];
    }
    if (found && low + 1 < names->n_ids && names->ids[low + 1].id == wanted.id)
        return ws_fail(error, WSAM_ERR_FORMAT, "several names have the number %" PRId64, wanted.id);
    if (found)
        return look(names, ws_picture_names_at(names->list ? names->list : names->files, found->at),
                    image, error);
    return ws_fail(error, WSAM_ERR_MISMATCH, "%s: no image with the id '%s'",
                   names->path ? names->path : names->folder, id);
}
