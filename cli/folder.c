/* cli/folder.c - the pictures of a folder. */
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/stages.h"

static int is_picture(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"};
    const size_t length = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const size_t e = strlen(endings[i]);
        if (length > e && strcasecmp(name + length - e, endings[i]) == 0)
            return 1;
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void cli_folder_free(char **paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(paths[i]);
    free(paths);
}

static int add(char ***paths, size_t *n, const char *folder, const char *name)
{
    char **more = realloc(*paths, (*n + 1) * sizeof *more);
    if (!more)
        return 0;
    *paths = more;
    const size_t size = strlen(folder) + strlen(name) + 2;
    more[*n] = malloc(size);
    if (!more[*n])
        return 0;
    snprintf(more[(*n)++], size, "%s/%s", folder, name);
    return 1;
}

static wsam_status fail(wsam_status status, const char *folder, const char *why, wsam_error *error)
{
    error->status = status;
    snprintf(error->message, sizeof error->message, "%.300s: %s", folder, why);
    return status;
}

wsam_status cli_folder_pictures(const char *folder, char ***paths, size_t *n, wsam_error *error)
{
    *paths = NULL;
    *n = 0;
    DIR *d = opendir(folder);
    if (!d)
        return fail(WSAM_ERR_IO, folder, strerror(errno), error);
    int good = 1;
    for (struct dirent *e = readdir(d); e && good; e = readdir(d))
        if (*e->d_name != '.' && is_picture(e->d_name)) /* `._a.jpg` is no image */
            good = add(paths, n, folder, e->d_name);
    closedir(d);
    if (!good) {
        cli_folder_free(*paths, *n);
        *paths = NULL;
        *n = 0;
        return fail(WSAM_ERR_MEMORY, folder, "no memory for its file names", error);
    }
    if (*n)
        qsort(*paths, *n, sizeof **paths, by_name);
    return WSAM_OK;
}

wsam_status cli_folder_sample(const char *folder, char ***paths, size_t *n, size_t *used,
                              wsam_error *error)
{
    enum { ENOUGH = 64 }; /* a few dozen tell the ranges; more take time alone */
    const wsam_status status = cli_folder_pictures(folder, paths, n, error);
    *used = *n < ENOUGH ? *n : ENOUGH;
    if (status || *n)
        return status;
    return fail(WSAM_ERR_ARGUMENT, folder, "no PNG or JPEG file in it", error);
}

static int leaves_folder(const char *name)
{
    if (*name == '/')
        return 1;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2]))
            return 1;
    }
    return 0;
}

wsam_status cli_folder_join(const char *folder, const char *name, const char *ending, char **path,
                            wsam_error *error)
{
    *path = NULL;
    if (leaves_folder(name))
        return cli_error(error, WSAM_ERR_FORMAT, "'%.300s' leads out of the folder", name);
    const size_t size = strlen(folder) + strlen(name) + strlen(ending) + 2;
    *path = malloc(size);
    if (!*path)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a path");
    snprintf(*path, size, "%s/%s%s", folder, name, ending);
    return WSAM_OK;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

void cli_folder_remove(const char *folder)
{
    enum { DESCRIPTORS = 16 };
    nftw(folder, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}
