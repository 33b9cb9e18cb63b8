/* pipeline/labels/folder_list.c - see folder_list.h. */
#include "pipeline/labels/folder_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

char *ws_folder_list_path(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

int ws_folder_list_has_ending(const char *name, const char *ending)
{
    const size_t n = strlen(name), e = strlen(ending);
    return n > e && strcasecmp(name + n - e, ending) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add(ws_folder_list *l, const char *name)
{
    char **names = ws_grow(l->names, l->n, &l->capacity, sizeof *names);
    if (!names)
        return 0;
    l->names = names;
    l->names[l->n] = strdup(name);
    return l->names[l->n] ? (int)++l->n > 0 : 0;
}

wsam_status ws_folder_list_read(ws_folder_list *l, const char *folder, ws_folder_filter filter,
                                wsam_error *error)
{
    DIR *d = opendir(folder);
    wsam_status status = WSAM_OK;
    if (!d)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", folder, strerror(errno));
    while (!status) {
        int take = 0;
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            if (errno)
                status = ws_fail(error, WSAM_ERR_IO, "%s: %s", folder, strerror(errno));
            break;
        }
        if (*e->d_name != '.')
            status = filter(folder, e->d_name, &take, error);
        if (take && !status && !add(l, e->d_name))
            status = ws_no_memory(error, folder);
    }
    closedir(d);
    if (status)
        return status;
    if (l->n)
        qsort(l->names, l->n, sizeof *l->names, by_text);
    return WSAM_OK;
}

void ws_folder_list_free(ws_folder_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->names[i]);
    free(l->names);
    *l = (ws_folder_list){0};
}
