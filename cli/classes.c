/* cli/classes.c - class names that grow, see stages.h. */
#include "base/input.h"
#include "base/text.h"
#include "base/utf8.h"
#include "cli/stages.h"

#include <stdlib.h>
#include <string.h>

static wsam_status add(cli_classes *c, const char *name, wsam_error *error)
{
    char **names = ws_grow(c->names, c->list.n, &c->capacity, sizeof *names);
    if (!names)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for classes");
    c->names = names;
    c->names[c->list.n] = strdup(name);
    if (!c->names[c->list.n])
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for classes");
    c->list.n++;
    c->list.names = (const char *const *)c->names;
    return WSAM_OK;
}

static int find(const cli_classes *c, const char *name)
{
    for (size_t i = 0; i < c->list.n; i++)
        if (strcmp(c->names[i], name) == 0)
            return (int)i;
    return -1;
}

wsam_status cli_classes_find(cli_classes *c, const char *name, int32_t *index, wsam_error *error)
{
    *index = find(c, name);
    if (*index >= 0)
        return WSAM_OK;
    if (c->closed)
        return cli_error(error, WSAM_ERR_MISMATCH, "the class '%.200s' is not in the list of %zu",
                         name, c->list.n);
    *index = (int32_t)c->list.n;
    return add(c, name, error);
}

static wsam_status read_lines(ws_text_lines *lines, const char *path, cli_classes *c,
                              wsam_error *error)
{
    char *name;
    size_t length;
    wsam_status status;
    do {
        status = ws_input_lines_next(lines, &name, &length, error);
        if (!status && name && !ws_utf8_valid(name, length))
            status =
                cli_error(error, WSAM_ERR_FORMAT,
                          "%.300s:%llu: the class '%.200s' is not UTF-8 text: save it as UTF-8",
                          path, (unsigned long long)ws_input_lines_number(lines), name);
        if (!status && name && find(c, name) >= 0)
            status = cli_error(error, WSAM_ERR_FORMAT, "%.300s:%llu: '%.200s' is there twice", path,
                               (unsigned long long)ws_input_lines_number(lines), name);
        if (!status && name)
            status = add(c, name, error);
    } while (!status && name);
    if (!status && !c->list.n)
        return cli_error(error, WSAM_ERR_FORMAT, "%.300s: no classes", path);
    return status;
}

wsam_status cli_classes_read(const char *path, cli_classes *c, wsam_error *error)
{
    enum { LONGEST = 1000 };
    ws_text_lines *lines;
    wsam_status status = ws_input_lines_open(path, LONGEST, &lines, error);
    if (status)
        return status;
    status = read_lines(lines, path, c, error);
    ws_input_lines_close(lines);
    c->closed = 1;
    return status;
}

void cli_classes_free(cli_classes *c)
{
    for (size_t i = 0; i < c->list.n; i++)
        free(c->names[i]);
    free(c->names);
}
