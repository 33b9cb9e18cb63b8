/* pipeline/exchange/export_list.c - see export_list.h. */
#include "pipeline/exchange/export_list.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/outputs.h"
#include "pipeline/labels/picture_names.h"
#include "pipeline/labels/picture_path.h"

static const char list_name[] = ".weaksam-export";
enum { LONGEST_LIST = 1 << 30 };

static char *path_of(const ws_export *e, const char *name)
{
    const size_t size = strlen(e->folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", e->folder, name);
    return path;
}

/* Images, and nothing else. */
static wsam_status check_foreign(const ws_export *e, wsam_error *error)
{
    char **names;
    size_t n;
    wsam_status status = ws_import_list(e->folder, "", &names, &n, error);
    for (size_t i = 0; i < n; i++) {
        if (!status && !ws_picture_names_is_one(names[i]))
            status = ws_fail(error, WSAM_ERR_ARGUMENT,
                             "%s: has files that are not of an export ('%s' is one); name a new "
                             "folder",
                             e->folder, names[i]);
        free(names[i]);
    }
    free(names);
    return status;
}

wsam_status ws_export_list_begin(ws_export *e, wsam_error *error)
{
    int folder = 0, list = 0;
    size_t n;
    char *path = path_of(e, list_name);
    if (!path)
        return ws_no_memory(error, e->folder);
    wsam_status status = ws_file_folder_there(e->folder, &folder, error);
    if (!status && folder)
        status = ws_file_there(path, &list, error);
    if (!status && list)
        status = ws_file_read_whole(path, LONGEST_LIST, &e->before, &n, error);
    else if (!status && folder)
        status = check_foreign(e, error);
    free(path);
    return status;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, sorted. */
typedef struct lines {
    char *text, **at;
    size_t n;
} lines;

static void lines_free(lines *l)
{
    free(l->text);
    free(l->at);
}

static wsam_status cut(const char *text, lines *l, wsam_error *error)
{
    size_t count = 0;
    for (const char *c = text; (c = strchr(c, '\n')); c++)
        count++;
    *l = (lines){.text = strdup(text), .at = malloc((count + 1) * sizeof *l->at)};
    if (!l->text || !l->at)
        return ws_no_memory(error, list_name);
    for (char *from = l->text, *end; (end = strchr(from, '\n')); from = end + 1) {
        *end = 0;
        l->at[l->n++] = from;
    }
    if (l->n)
        qsort(l->at, l->n, sizeof *l->at, by_text);
    return WSAM_OK;
}

/* The files of the earlier export that are not of this one; lines_free also after a failure. */
static wsam_status find_gone(const ws_export *e, lines *gone, wsam_error *error)
{
    lines now = {0};
    size_t n = 0;
    wsam_status status = cut(e->before ? e->before : "", gone, error);
    if (!status)
        status = cut(e->names.text ? e->names.text : "", &now, error);
    for (size_t i = 0; i < gone->n && !status; i++)
        if (!bsearch(&gone->at[i], now.at, now.n, sizeof *now.at, by_text))
            gone->at[n++] = gone->at[i];
    gone->n = n;
    lines_free(&now);
    return status;
}

wsam_status ws_export_list_write(ws_export *e, wsam_error *error)
{
    lines gone;
    ws_text names = {0};
    wsam_status status = find_gone(e, &gone, error);
    ws_text_put(&names, e->names.text, e->names.n); /* without the list's own name */
    for (size_t i = 0; i < gone.n && !status; i++)
        ws_text_printf(&names, "%s\n", gone.at[i]);
    names.failed |= e->names.failed;
    if (!status)
        status = ws_export_file(e, list_name, &names, error);
    free(names.text);
    lines_free(&gone);
    return status;
}

static wsam_status remove_one(const ws_export *e, const char *name, wsam_error *error)
{
    if (ws_picture_path_leads_out(name))
        return WSAM_OK;
    char *path = path_of(e, name);
    if (!path)
        return ws_no_memory(error, name);
    const wsam_status status = ws_file_remove(path, error);
    for (char *slash; !status && (slash = strrchr(path + strlen(e->folder) + 1, '/'));) {
        *slash = 0;
        if (rmdir(path)) /* something is left in it */
            break;
    }
    free(path);
    return status;
}

wsam_status ws_export_list_sweep(ws_export *e, wsam_error *error)
{
    lines gone;
    const size_t own = strlen(list_name) + 1;
    char *path = path_of(e, list_name);
    wsam_status status = find_gone(e, &gone, error);
    const size_t n = gone.n;
    if (!status && !path)
        status = ws_no_memory(error, e->folder);
    for (size_t i = 0; i < n && !status; i++)
        status = remove_one(e, gone.at[i], error);
    if (!status && n) /* the last line of the names is the list itself */
        status = ws_outputs_write(path, e->names.text, e->names.n - own, 0, error);
    lines_free(&gone);
    free(path);
    return status;
}
