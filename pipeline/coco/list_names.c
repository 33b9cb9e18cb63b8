/* pipeline/coco/list_names.c - see list_names.h. */
#include "pipeline/coco/list_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_parse.h"
#include "base/json_writer.h"
#include "base/text.h"

/* Lists of one folder. */
enum { MOST = 64, LINE = 1 << 14 };

typedef struct names {
    size_t n;
    char *name[MOST];
} names;

static int by_text(const void *a, const void *b)
{
    const char *const *p = a, *const *q = b;
    return strcmp(*p, *q);
}

static void free_names(names *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->name[i]);
    list->n = 0;
}

static int add(names *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->name[i], name) == 0)
            return 1;
    if (list->n == MOST || !(list->name[list->n] = strdup(name)))
        return 0;
    list->n++;
    return 1;
}

/* The path of `name` in the folder of `path`; free it. */
static char *beside(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0, n = strlen(name) + 1;
    char *out = malloc(folder + n);
    if (out) {
        memcpy(out, path, folder);
        memcpy(out + folder, name, n);
    }
    return out;
}

/* Adds a list of the same folder that is there. */
static wsam_status add_there(names *found, const char *list, const char *name, wsam_error *error)
{
    int there = 0;
    if (strchr(name, '/'))
        return WSAM_OK;
    char *path = beside(list, name);
    wsam_status status = path ? ws_file_there(path, &there, error) : ws_no_memory(error, list);
    if (!status && there && !add(found, name) && found->n < MOST)
        status = ws_no_memory(error, list);
    free(path);
    return status;
}

/* ---- what is there ---- */

/* What the first line says the names are about: *results, a text or a list of texts; NULL where it says nothing. *root is to be
 * freed. The line ends where the rest of the object begins: {"results":... */
static wsam_status read_results(char *line, cJSON **root, const cJSON **results, wsam_error *error)
{
    const size_t n = strcspn(line, "\n");
    *root = NULL;
    *results = NULL;
    if (n < 2 || line[n] != '\n' || line[n - 1] != ',')
        return WSAM_OK;
    line[n - 1] = '}'; /* the object ends here */
    const wsam_status status = ws_json_parse("images.json", 0, line, n, root, error);
    if (!status)
        *results = cJSON_GetObjectItemCaseSensitive(*root, "results");
    return status == WSAM_ERR_MEMORY ? status : WSAM_OK;
}

static wsam_status read_names(const char *list, char *line, names *found, wsam_error *error)
{
    cJSON *root;
    const cJSON *results, *item;
    wsam_status status = read_results(line, &root, &results, error);
    if (cJSON_IsString(results))
        status = add_there(found, list, results->valuestring, error);
    for (item = results ? results->child : NULL; item && !status; item = item->next)
        if (cJSON_IsString(item))
            status = add_there(found, list, item->valuestring, error);
    cJSON_Delete(root);
    return status;
}

static int is_called(const cJSON *item, const char *name)
{
    return cJSON_IsString(item) && strcmp(item->valuestring, name) == 0;
}

static wsam_status read_owner(char *line, const char *name, ws_list_owner *owner, wsam_error *error)
{
    cJSON *root;
    const cJSON *results, *item;
    const wsam_status status = read_results(line, &root, &results, error);
    int is_this = is_called(results, name);
    for (item = results ? results->child : NULL; item; item = item->next)
        is_this |= is_called(item, name);
    if (results)
        *owner = is_this ? WS_LIST_THIS : WS_LIST_OTHERS;
    cJSON_Delete(root);
    return status;
}

wsam_status ws_list_names_owner(const char *list, char **path, ws_list_owner *owner,
                                wsam_error *error)
{
    char line[LINE];
    const char *slash = strrchr(list, '/');
    int there = 0;
    *owner = WS_LIST_NOBODY;
    *path = beside(list, "images.json");
    if (!*path)
        return ws_no_memory(error, list);
    wsam_status status = ws_file_there(*path, &there, error);
    if (status || !there)
        return status;
    FILE *f = fopen(*path, "rb");
    if (f && fgets(line, sizeof line, f))
        status = read_owner(line, slash ? slash + 1 : list, owner, error);
    if (!status && (!f || ferror(f)))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", *path, strerror(errno));
    if (f)
        fclose(f);
    return status;
}

static int goes_on(FILE *f, const char *bytes, size_t n)
{
    char own[LINE];
    for (; n; bytes += n < LINE ? n : LINE, n -= n < LINE ? n : LINE) {
        const size_t part = n < LINE ? n : LINE;
        if (fread(own, 1, part, f) != part || memcmp(own, bytes, part) != 0)
            return 0;
    }
    return 1;
}

/* Does the rest of f have these images? */
static int has_images(FILE *f, FILE *images)
{
    static const char begin[] = "\"images\":[\n", end[] = "\n]}\n";
    char bytes[LINE];
    size_t n;
    if (!goes_on(f, begin, sizeof begin - 1) || fflush(images) || fseek(images, 0, SEEK_SET))
        return 0;
    while ((n = fread(bytes, 1, sizeof bytes, images)) > 0)
        if (!goes_on(f, bytes, n))
            return 0;
    return goes_on(f, end, sizeof end - 1) && fgetc(f) == EOF;
}

/* Of two lines of classes the one that goes on where the other ends; NULL where an id would mean two classes. */
static const char *longer_of(const char *a, const char *b)
{
    static const char end[] = "],\n";
    if (strlen(a) > strlen(b))
        return longer_of(b, a);
    if (strlen(a) < sizeof end)
        return NULL;
    const size_t common = strlen(a) - (sizeof end - 1);
    return strncmp(a, b, common) == 0 && (b[common] == ',' || b[common] == ']') ? b : NULL;
}

/* The other lists that images.json is about, where it has the same images and `line` and its classes begin alike; *longer are its classes
 * where they are more (free it). Failing to look is an error: a list that was left out could not be read again. */
static wsam_status find_others(const char *path, const char *list, const char *line, FILE *images,
                               names *others, char **longer, wsam_error *error)
{
    char about[LINE], *own = NULL;
    size_t size = 0;
    FILE *f = fopen(path, "rb");
    wsam_status status = f || errno == ENOENT
                             ? WSAM_OK
                             : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    if (f && fgets(about, sizeof about, f) && getline(&own, &size, f) > 0) {
        const char *both = longer_of(own, line);
        if (both && has_images(f, images))
            status = read_names(list, about, others, error);
        if (others->n && both == own) {
            *longer = own;
            own = NULL;
        }
    }
    if (f && ferror(f) && !status)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    if (f)
        fclose(f);
    free(own);
    return status;
}

/* ---- writing ---- */

static void put_names(const names *list, ws_text *t)
{
    const int several = list->n > 1;
    ws_text_printf(t, "{\"results\":%s", several ? "[" : "");
    for (size_t i = 0; i < list->n; i++) {
        ws_text_printf(t, "%s", i ? "," : "");
        ws_json_bytes(t, list->name[i], strlen(list->name[i]));
    }
    ws_text_printf(t, "%s", several ? "]" : "");
}

wsam_status ws_list_names_copy(FILE *images, const char *path, FILE *to, wsam_error *error)
{
    char bytes[LINE];
    size_t n;
    if (fflush(images) || fseek(images, 0, SEEK_SET)) /* rewind() would hide a failure */
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    fputs("\"images\":[\n", to);
    while ((n = fread(bytes, 1, sizeof bytes, images)) > 0)
        fwrite(bytes, 1, n, to);
    fputs("\n]", to);
    return ferror(images) ? ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno)) : WSAM_OK;
}

static wsam_status write_file(ws_outputs *out, const char *path, const char *text, FILE *images,
                              wsam_error *error)
{
    FILE *f = ws_outputs_open(out, path, error);
    if (!f)
        return WSAM_ERR_IO;
    fputs(text, f);
    const wsam_status status = ws_list_names_copy(images, path, f, error);
    fputs("}\n", f);
    const wsam_status closed = status ? status : ws_outputs_close(out, error);
    if (!closed) /* a list that is there can be read */
        ws_outputs_first(out);
    return closed;
}

wsam_status ws_list_names_write(ws_outputs *out, const char *list, const char *classes,
                                FILE *images, wsam_error *error)
{
    const char *slash = strrchr(list, '/');
    char *path = beside(list, "images.json");
    names about = {0};
    ws_text t = {0};
    char *longer = NULL;
    wsam_status status = path ? WSAM_OK : ws_no_memory(error, list);
    if (!status)
        status = find_others(path, list, classes, images, &about, &longer, error);
    if (!status) {
        if (!add(&about, slash ? slash + 1 : list)) { /* too many: this one counts */
            free_names(&about);
            free(longer);
            longer = NULL;
            if (!add(&about, slash ? slash + 1 : list))
                status = ws_no_memory(error, list);
        }
        qsort(about.name, about.n, sizeof *about.name, by_text);
        put_names(&about, &t);
        ws_text_put(&t, ",\n", 2);
        ws_text_put(&t, longer ? longer : classes, strlen(longer ? longer : classes));
    }
    if (!status)
        status =
            t.failed ? ws_no_memory(error, list) : write_file(out, path, t.text, images, error);
    free_names(&about);
    free(longer);
    free(path);
    free(t.text);
    return status;
}
