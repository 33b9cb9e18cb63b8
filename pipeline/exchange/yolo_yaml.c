/* pipeline/exchange/yolo_yaml.c - see yolo_yaml.h. */
#include "pipeline/exchange/yolo_yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { MAX_FILE = 1 << 20, MAX_CLASSES = 10000 };

typedef struct yaml {
    const char *path, *at;
    ws_yolo_names *names;
    wsam_error *error;
} yaml;

static wsam_status bad(const yaml *y, const char *what)
{
    return ws_fail(y->error, WSAM_ERR_FORMAT, "%s: names: %s", y->path, what);
}

/* Class `index`; those before it that are still missing stay NULL. */
static wsam_status put(const yaml *y, size_t index, const char *text, size_t n)
{
    ws_yolo_names *names = y->names;
    if (index >= MAX_CLASSES)
        return bad(y, "more than 10000 classes");
    if (index >= names->n) {
        char **items = realloc(names->items, (index + 1) * sizeof *items);
        if (!items)
            return ws_fail(y->error, WSAM_ERR_MEMORY, "%s: no memory", y->path);
        memset(items + names->n, 0, (index + 1 - names->n) * sizeof *items);
        names->items = items;
        names->n = index + 1;
    }
    if (names->items[index])
        return bad(y, "a class has two names");
    names->items[index] = strndup(text, n);
    return names->items[index] ? WSAM_OK
                               : ws_fail(y->error, WSAM_ERR_MEMORY, "%s: no memory", y->path);
}

static void skip_blanks(yaml *y)
{
    y->at += strspn(y->at, " \t");
}

/* To the next line that says something. */
static void skip_lines(yaml *y)
{
    for (;;) {
        const char *start = y->at;
        y->at += strspn(y->at, " \t\r\n");
        if (*y->at != '#') {
            while (y->at > start && y->at[-1] != '\n' && y->at[-1] != '\r')
                y->at--; /* keep the indent */
            return;
        }
        y->at += strcspn(y->at, "\n");
    }
}

/* A plain or quoted word that ends at one of `stops`, a comment or the line's end. Quoted words take
 * '' and \" for a quote. */
static wsam_status word(yaml *y, const char *stops, char *out, size_t size)
{
    size_t n = 0;
    skip_blanks(y);
    const char quote = *y->at == '"' || *y->at == '\'' ? *y->at++ : 0;
    while (*y->at && *y->at != '\n' && *y->at != '\r') {
        if (quote == '\'' && y->at[0] == '\'' && y->at[1] == '\'')
            y->at++;
        else if (quote == '"' && y->at[0] == '\\' && y->at[1])
            y->at++;
        else if (quote ? *y->at == quote : (strchr(stops, *y->at) != NULL))
            break;
        else if (!quote && *y->at == '#' && n && y->at[-1] == ' ')
            break;
        if (n + 1 >= size)
            return bad(y, "a name of more than 255 bytes");
        out[n++] = *y->at++;
    }
    if (quote && *y->at++ != quote)
        return bad(y, "a quoted name without its end");
    while (!quote && n && (out[n - 1] == ' ' || out[n - 1] == '\t'))
        n--;
    out[n] = 0;
    skip_blanks(y);
    return n ? WSAM_OK : bad(y, "an empty name");
}

static int whole(const char *text, size_t *value)
{
    char *end;
    const unsigned long v = strtoul(text, &end, 10);
    *value = v;
    return *text >= '0' && *text <= '9' && !*end && v < MAX_CLASSES;
}

/* [a, b] or {0: a, 1: b}, also over several lines. */
static wsam_status flow(yaml *y)
{
    char text[256];
    const char close = *y->at++ == '[' ? ']' : '}';
    for (size_t i = 0;; i++) {
        y->at += strspn(y->at, " \t\r\n,");
        if (*y->at == close)
            return WSAM_OK;
        if (!*y->at)
            return bad(y, "a list without its end");
        size_t index = i;
        wsam_status status = word(y, close == ']' ? ",]" : ":,}", text, sizeof text);
        if (!status && close == '}') {
            if (*y->at++ != ':' || !whole(text, &index))
                return bad(y, "expected NUMBER: NAME");
            status = word(y, ",}", text, sizeof text);
        }
        if (!status)
            status = put(y, index, text, strlen(text));
        if (status)
            return status;
    }
}

/* Lines of "- a" or "0: a". */
static wsam_status block(yaml *y)
{
    char text[256];
    for (size_t i = 0;; i++) {
        skip_lines(y);
        const int indented = *y->at == ' ' || *y->at == '\t';
        skip_blanks(y);
        size_t index = i;
        wsam_status status = WSAM_OK;
        if (y->at[0] == '-' && y->at[1] == ' ') {
            y->at += 2;
        } else if (!indented || !*y->at) {
            return WSAM_OK;
        } else {
            status = word(y, ":", text, sizeof text);
            if (!status && (*y->at++ != ':' || !whole(text, &index)))
                return bad(y, "expected NUMBER: NAME");
        }
        if (!status)
            status = word(y, "", text, sizeof text);
        if (!status)
            status = put(y, index, text, strlen(text));
        if (status)
            return status;
        y->at += strcspn(y->at, "\n");
    }
}

static wsam_status parse(yaml *y)
{
    const char *key = "names:";
    while (*y->at && strncmp(y->at, key, strlen(key)) != 0) {
        y->at += strcspn(y->at, "\n");
        y->at += *y->at == '\n';
    }
    if (!*y->at)
        return ws_fail(y->error, WSAM_ERR_FORMAT, "%s: no 'names'", y->path);
    y->at += strlen(key);
    skip_blanks(y);
    const wsam_status status = *y->at == '[' || *y->at == '{' ? flow(y) : block(y);
    if (status)
        return status;
    for (size_t i = 0; i < y->names->n; i++)
        if (!y->names->items[i])
            return bad(y, "a number is missing");
    return y->names->n ? WSAM_OK : bad(y, "no classes");
}

static wsam_status lines(yaml *y)
{
    wsam_status status = WSAM_OK;
    while (*y->at && !status) {
        const size_t n = strcspn(y->at, "\r\n");
        if (n)
            status = put(y, y->names->n, y->at, n);
        y->at += n;
        y->at += strspn(y->at, "\r\n");
    }
    return status ? status : y->names->n ? WSAM_OK : bad(y, "no classes");
}

/* FOLDER/NAME if it is there, else NULL; free(). */
static wsam_status file_in(const char *folder, const char *name, char **path, wsam_error *error)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    int there = 0;
    *path = malloc(size);
    if (!*path)
        return ws_no_memory(error, folder);
    snprintf(*path, size, "%s/%s", folder, name);
    const wsam_status status = ws_file_there(*path, &there, error);
    if (there)
        return WSAM_OK;
    free(*path);
    *path = NULL;
    return status;
}

static const char *const yaml_names[] = {"data.yaml", "dataset.yaml", "data.yml"};

/* One of the yaml files, else classes.txt. */
static wsam_status names_in(const char *folder, char **path, int *is_yaml, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    *path = NULL;
    for (size_t i = 0; i < 3 && !*path && !status; i++)
        status = file_in(folder, yaml_names[i], path, error);
    *is_yaml = *path != NULL;
    if (!*path && !status)
        status = file_in(folder, "classes.txt", path, error);
    return status;
}

int ws_yolo_yaml_has_names(const char *folder, wsam_error *failure)
{
    char *labels = NULL, *path = NULL;
    int is_yaml;
    const int found = !file_in(folder, "labels", &labels, failure) && labels &&
                      !names_in(folder, &path, &is_yaml, failure) && path;
    free(labels);
    free(path);
    return found;
}

wsam_status ws_yolo_yaml_read(const char *folder, ws_yolo_names *names, wsam_error *error)
{
    char *path = NULL, *text = NULL;
    size_t n;
    *names = (ws_yolo_names){0};
    int is_yaml;
    wsam_status status = names_in(folder, &path, &is_yaml, error);
    if (status)
        return status;
    if (!path)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: neither data.yaml nor classes.txt is in it",
                       folder);
    status = ws_file_read_whole(path, MAX_FILE, &text, &n, error);
    if (!status) {
        yaml y = {path, text, names, error};
        status = is_yaml ? parse(&y) : lines(&y);
    }
    if (status)
        ws_yolo_yaml_free(names);
    free(text);
    free(path);
    return status;
}

void ws_yolo_yaml_free(ws_yolo_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->items[i]);
    free(names->items);
    *names = (ws_yolo_names){0};
}
