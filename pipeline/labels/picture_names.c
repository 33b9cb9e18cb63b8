/* pipeline/labels/picture_names.c - see picture_names.h. */
#include "pipeline/labels/picture_names.h"
#include "base/archive.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MAX_DEPTH = 8 };

typedef struct entry {
    char *path;
    size_t base, stem, length; /* where the name begins; bytes up to the ending; of all */
    size_t index;              /* in the order of the list */
} entry;

struct ws_picture_names {
    size_t n, capacity;
    entry *entries;   /* by stem of the name, in lower case */
    size_t *by_index; /* place of image i in entries */
};

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the names of images");
}

/* ---- names ---- */

int ws_picture_names_is_one(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"};
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const size_t e = strlen(endings[i]);
        if (n > e && strcasecmp(name + n - e, endings[i]) == 0)
            return 1;
    }
    return 0;
}

static entry measure(char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t base = slash ? (size_t)(slash - path) + 1 : 0, length = strlen(path);
    const char *dot = strrchr(path + base, '.');
    const size_t stem = dot && dot > path + base ? (size_t)(dot - path) : length;
    return (entry){path, base, stem, length, 0};
}

static int by_stem(const void *a, const void *b)
{
    const entry *p = a, *q = b;
    const size_t n = p->stem - p->base, m = q->stem - q->base;
    const int order = strncasecmp(p->path + p->base, q->path + q->base, n < m ? n : m);
    if (order || n != m)
        return order ? order : n < m ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

/* ---- lists ---- */

static wsam_status add(ws_picture_names *names, char *path, wsam_error *error)
{
    if (path && names->n == names->capacity) {
        const size_t capacity = names->capacity ? 2 * names->capacity : 64;
        entry *grown = realloc(names->entries, capacity * sizeof *grown);
        if (grown) {
            names->entries = grown;
            names->capacity = capacity;
        }
    }
    if (!path || names->n == names->capacity) {
        free(path);
        return no_memory(error);
    }
    names->entries[names->n++] = measure(path);
    return WSAM_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->path, ((const entry *)b)->path);
}

static wsam_status finish(ws_picture_names *names, wsam_error *error)
{
    names->by_index = malloc((names->n + 1) * sizeof *names->by_index);
    if (!names->by_index)
        return no_memory(error);
    for (size_t i = 0; i < names->n; i++)
        names->entries[i].index = i;
    if (names->n)
        qsort(names->entries, names->n, sizeof *names->entries, by_stem);
    for (size_t i = 0; i < names->n; i++)
        names->by_index[names->entries[i].index] = i;
    return WSAM_OK;
}

static wsam_status list_folder(ws_picture_names *names, const char *folder, const char *prefix,
                               int depth, wsam_error *error);

/* A file is noted, a folder entered; what vanishes meanwhile is passed over. */
static wsam_status list_entry(ws_picture_names *names, const char *folder, const char *prefix,
                              const struct dirent *e, int depth, wsam_error *error)
{
    const size_t size = strlen(folder) + strlen(prefix) + strlen(e->d_name) + 3;
    char *path = malloc(size), *name = malloc(size);
    struct stat st;
    wsam_status status = WSAM_OK;
    if (!path || !name) {
        free(path), free(name);
        return no_memory(error);
    }
    snprintf(path, size, "%s/%s%s", folder, prefix, e->d_name);
    snprintf(name, size, "%s%s", prefix, e->d_name);
    if (ws_picture_names_is_one(e->d_name) && (e->d_type == DT_REG || e->d_type == DT_LNK)) {
        status = add(names, name, error);
        name = NULL;
    } else if (stat(path, &st) != 0) {
        status = ws_file_errno_stays(errno)
                     ? WSAM_OK
                     : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        strcat(name, "/");
        status = depth < MAX_DEPTH ? list_folder(names, folder, name, depth + 1, error) : WSAM_OK;
    } else if (ws_picture_names_is_one(e->d_name) && S_ISREG(st.st_mode)) {
        status = add(names, name, error); /* file systems that do not tell types */
        name = NULL;
    }
    free(path);
    free(name);
    return status;
}

static wsam_status list_folder(ws_picture_names *names, const char *folder, const char *prefix,
                               int depth, wsam_error *error)
{
    const size_t size = strlen(folder) + strlen(prefix) + 2;
    char *path = malloc(size);
    if (!path)
        return no_memory(error);
    snprintf(path, size, "%s/%s", folder, prefix);
    DIR *d = opendir(path);
    wsam_status status = d ? WSAM_OK : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    free(path);
    while (!status) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            if (errno)
                status = ws_fail(error, WSAM_ERR_IO, "%s/%s: %s", folder, prefix, strerror(errno));
            break;
        }
        if (e->d_name[0] != '.')
            status = list_entry(names, folder, prefix, e, depth, error);
    }
    if (d)
        closedir(d);
    return status;
}

/* The images of a tar file or a list, without those of hidden folders and files. */
static wsam_status list_archive(ws_picture_names *names, const char *path, wsam_error *error)
{
    const ws_archive *a;
    wsam_status status = ws_archive_open(path, &a, error);
    for (size_t i = 0; !status && i < ws_archive_count(a); i++) {
        const char *name = ws_archive_name(a, i);
        if (ws_picture_names_is_one(name) && *name != '.' && !strstr(name, "/."))
            status = add(names, strdup(name), error);
    }
    return status;
}

wsam_status ws_picture_names_open(const char *folder, ws_picture_names **out, wsam_error *error)
{
    ws_picture_names *names = calloc(1, sizeof *names);
    *out = NULL;
    if (!names)
        return no_memory(error);
    wsam_status status = ws_archive_refuse_packed(folder, error);
    if (!status)
        status = ws_is_archive(folder) ? list_archive(names, folder, error)
                                       : list_folder(names, folder, "", 0, error);
    if (!status && names->n)
        qsort(names->entries, names->n, sizeof *names->entries, by_path);
    if (!status)
        status = finish(names, error);
    if (status)
        ws_picture_names_free(names);
    else
        *out = names;
    return status;
}

wsam_status ws_picture_names_of(const char *const *list, size_t n, ws_picture_names **out,
                                wsam_error *error)
{
    ws_picture_names *names = calloc(1, sizeof *names);
    wsam_status status = names ? WSAM_OK : no_memory(error);
    *out = NULL;
    for (size_t i = 0; i < n && !status; i++)
        status = add(names, strdup(list[i]), error);
    if (!status)
        status = finish(names, error);
    if (status)
        ws_picture_names_free(names);
    else
        *out = names;
    return status;
}

void ws_picture_names_free(ws_picture_names *names)
{
    if (!names)
        return;
    for (size_t i = 0; i < names->n; i++)
        free(names->entries[i].path);
    free(names->entries);
    free(names->by_index);
    free(names);
}

size_t ws_picture_names_count(const ws_picture_names *names)
{
    return names->n;
}

const char *ws_picture_names_at(const ws_picture_names *names, size_t index)
{
    return names->entries[names->by_index[index]].path;
}

/* ---- finding ---- */

typedef int (*equal_fn)(const char *a, const char *b, size_t n);

static int exact(const char *a, const char *b, size_t n)
{
    return memcmp(a, b, n) == 0;
}

static int either_case(const char *a, const char *b, size_t n)
{
    return strncasecmp(a, b, n) == 0;
}

/* How well two paths agree, 0 to 3; n and m bytes of them count. */
static int agreement(const entry *c, size_t n, const entry *q, size_t m, equal_fn equal)
{
    if (n == m && equal(c->path, q->path, n))
        return 3;
    if (m > n && q->path[m - n - 1] == '/' && equal(q->path + m - n, c->path, n))
        return 2;
    if (n > m && c->path[n - m - 1] == '/' && equal(c->path + n - m, q->path, m))
        return 2;
    return n - c->base == m - q->base && equal(c->path + c->base, q->path + q->base, n - c->base);
}

/* 1 and more; higher is better. Of two that end alike the longer end counts more. */
static size_t score(const entry *c, const entry *q, int with_ending)
{
    const size_t n = with_ending ? c->length : c->stem, m = with_ending ? q->length : q->stem;
    const int same = agreement(c, n, q, m, exact);
    const int alike = same ? 0 : agreement(c, n, q, m, either_case);
    const size_t level = (size_t)(same ? 4 + same : 1 + alike);
    return level * 65536 + (same == 2 || alike == 2 ? n < m ? n : m : 0);
}

static ws_name_verdict best_of(const ws_picture_names *names, const entry *q, size_t *index)
{
    const int with_ending = ws_picture_names_is_one(q->path);
    size_t low = 0, high = names->n;
    size_t best = 0;
    int several = 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (by_stem(&names->entries[middle], q) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < names->n; low++) {
        const entry *c = &names->entries[low];
        const size_t n = c->stem - c->base;
        if (n != q->stem - q->base || !either_case(c->path + c->base, q->path + q->base, n))
            break;
        const size_t s = score(c, q, with_ending);
        if (s < best)
            continue;
        several = s == best;
        best = s;
        *index = several ? *index : c->index;
    }
    return !best ? WS_NAME_UNKNOWN : several ? WS_NAME_AMBIGUOUS : WS_NAME_FOUND;
}

/* Label Studio's prefix: eight hexadecimal digits and a minus. */
static int has_prefix(const char *base)
{
    return strspn(base, "0123456789abcdef") == 8 && base[8] == '-' && base[9];
}

wsam_status ws_picture_names_find(const ws_picture_names *names, const char *name, size_t *index,
                                  ws_name_verdict *verdict, wsam_error *error)
{
    char *path = strdup(name);
    if (!path)
        return no_memory(error);
    for (char *at = path; *at; at++)
        if (*at == '\\')
            *at = '/';
    entry q = measure(path);
    *verdict = best_of(names, &q, index);
    if (*verdict == WS_NAME_UNKNOWN && has_prefix(path + q.base)) {
        memmove(path + q.base, path + q.base + 9, strlen(path + q.base + 9) + 1);
        q = measure(path);
        *verdict = best_of(names, &q, index);
    }
    free(path);
    return WSAM_OK;
}
