/* pipeline/exchange/export_list.c - see export_list.h. */
#include "pipeline/exchange/export_list.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
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

wsam_status ws_export_list_write(ws_export *e, wsam_error *error)
{
    const ws_text names = e->names; /* without the list's own name */
    return ws_export_file(e, list_name, &names, error);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, which is cut into them, sorted; free(). NULL without memory. */
static char **lines_of(char *text, size_t *n)
{
    size_t count = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    char **lines = malloc((count + 1) * sizeof *lines);
    *n = 0;
    for (char *end; lines && (end = strchr(text, '\n')); text = end + 1) {
        *end = 0;
        lines[(*n)++] = text;
    }
    if (*n)
        qsort(lines, *n, sizeof *lines, by_text);
    return lines;
}

static void remove_one(const ws_export *e, const char *name)
{
    char *path = ws_picture_path_leads_out(name) ? NULL : path_of(e, name);
    if (path)
        unlink(path);
    for (char *slash; path && (slash = strrchr(path + strlen(e->folder) + 1, '/'));) {
        *slash = 0;
        if (rmdir(path)) /* something is left in it */
            break;
    }
    free(path);
}

void ws_export_list_sweep(ws_export *e)
{
    size_t n_old = 0, n_new = 0;
    if (!e->before || !e->names.text)
        return;
    char **old = lines_of(e->before, &n_old), **now = lines_of(e->names.text, &n_new);
    for (size_t i = 0; old && now && i < n_old; i++)
        if (!bsearch(&old[i], now, n_new, sizeof *now, by_text))
            remove_one(e, old[i]);
    free(old);
    free(now);
}
