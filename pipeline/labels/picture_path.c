/* pipeline/labels/picture_path.c - see picture_path.h. */
#include "pipeline/labels/picture_path.h"
#include "base/file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/labels/picture_names.h"

/* The images of the folder that was asked about last: a data set of 100 000 names of Windows would
 * else list its folder 100 000 times. A folder that has changed is listed anew. */
typedef struct listing {
    pthread_mutex_t lock;
    char *folder;
    struct timespec changed;
    ws_picture_names *names;
} listing;

static listing last = {.lock = PTHREAD_MUTEX_INITIALIZER};

int ws_picture_path_leads_out(const char *name)
{
    if (*name == '/' || !*name)
        return 1;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2]))
            return 1;
    }
    return 0;
}

static wsam_status join(const char *folder, const char *name, char **path, wsam_error *error)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    *path = malloc(size);
    if (!*path)
        return ws_no_memory(error, name);
    snprintf(*path, size, "%s/%s", folder, name);
    return WSAM_OK;
}

static int is_current(const char *folder, const struct stat *st)
{
    return last.names && strcmp(last.folder, folder) == 0 &&
           last.changed.tv_sec == st->st_mtim.tv_sec && last.changed.tv_nsec == st->st_mtim.tv_nsec;
}

static wsam_status list(const char *folder, wsam_error *error)
{
    struct stat st = {0};
    if (stat(folder, &st) == 0 && is_current(folder, &st))
        return WSAM_OK;
    ws_picture_names_free(last.names);
    free(last.folder);
    last.names = NULL;
    last.folder = strdup(folder);
    last.changed = st.st_mtim;
    return last.folder ? ws_picture_names_open(folder, &last.names, error)
                       : ws_no_memory(error, folder);
}

/* The lock is held: `path` is made of names that another thread may replace. */
static wsam_status find(const char *folder, const char *name, char **path, wsam_error *error)
{
    ws_name_verdict verdict;
    size_t index;
    wsam_status status = list(folder, error);
    if (!status)
        status = ws_picture_names_find(last.names, name, &index, &verdict, error);
    if (status)
        return status;
    if (verdict == WS_NAME_UNKNOWN)
        return ws_fail(error, WSAM_ERR_IO, "%.300s: there is no image '%.300s'", folder, name);
    const char *found = ws_picture_names_at(last.names, index);
    if (verdict == WS_NAME_AMBIGUOUS)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%.300s: '%.200s' may be one of several images, '%.200s' first", folder,
                       name, found);
    return join(folder, found, path, error);
}

wsam_status ws_picture_path(const char *folder, const char *name, char **path, wsam_error *error)
{
    int there = 0;
    *path = NULL;
    if (!ws_picture_path_leads_out(name)) {
        wsam_status status = join(folder, name, path, error);
        if (!status)
            status = ws_file_there(*path, &there, error);
        if (there)
            return WSAM_OK;
        free(*path);
        *path = NULL;
        if (status)
            return status;
    } else if (*name != '/') {
        return ws_fail(error, WSAM_ERR_FORMAT, "'%.300s' leads out of the folder", name);
    }
    pthread_mutex_lock(&last.lock);
    const wsam_status status = find(folder, name, path, error);
    pthread_mutex_unlock(&last.lock);
    return status;
}
