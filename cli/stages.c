/* cli/stages.c - see stages.h. */
#include "cli/stages.h"
#include "base/input.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

wsam_status cli_error(wsam_error *error, wsam_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    error->status = status;
    return status;
}

wsam_status cli_about(const char *path, const wsam_error *inner, wsam_error *error)
{
    const wsam_error copy = *inner;
    return cli_error(error, copy.status, "%.300s: %.700s", path, copy.message);
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

wsam_status cli_join(const char *folder, const char *name, const char *ending, char **path,
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

wsam_status cli_worth_writing(wsam_status status, const char *output, size_t pictures,
                              size_t failed, wsam_error *error)
{
    if (status || !pictures || failed < pictures)
        return status;
    return cli_error(error, WSAM_ERR_FORMAT, "%.300s: not written, as every image failed", output);
}

/* ---- classes ---- */

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
        status = ws_text_lines_next(lines, &name, &length, error);
        if (!status && name && find(c, name) >= 0)
            status = cli_error(error, WSAM_ERR_FORMAT, "%.300s:%llu: '%.200s' is there twice", path,
                               (unsigned long long)ws_text_lines_number(lines), name);
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
    wsam_status status = ws_text_lines_open(path, LONGEST, &lines, error);
    if (status)
        return status;
    status = read_lines(lines, path, c, error);
    ws_text_lines_close(lines);
    c->closed = 1;
    return status;
}

void cli_classes_free(cli_classes *c)
{
    for (size_t i = 0; i < c->list.n; i++)
        free(c->names[i]);
    free(c->names);
}

/* ---- labels ---- */

void cli_one_class(const char *command, const char *name)
{
    fprintf(stderr, "weaksam %s: the class '", command);
    cli_print_safe(stderr, name);
    fprintf(stderr, "' is the only one: all images are searched for it, and nothing tells it from "
                    "others\n");
}

/* " (a.png, b.png and 3 more)" */
static void print_names(const wsam_label_gap *gap)
{
    fputs(" (", stderr);
    for (size_t i = 0; i < WSAM_LABEL_GAP_NAMES && gap->names[i]; i++) {
        fputs(i ? ", " : "", stderr);
        cli_print_safe(stderr, gap->names[i]);
    }
    if (gap->n > WSAM_LABEL_GAP_NAMES)
        fprintf(stderr, " and %zu more", gap->n - WSAM_LABEL_GAP_NAMES);
    fputs(")\n", stderr);
}

static void remark(const char *command, const char *what, const wsam_label_gap *gap)
{
    if (!gap->n)
        return;
    fprintf(stderr, "weaksam %s: %zu %s", command, gap->n, what);
    print_names(gap);
}

void cli_label_remarks(const char *command, const wsam_labels *l)
{
    int one = l->n > 0 && !l->negatives;
    fprintf(stderr, "weaksam %s: labels: %s; %zu images, %zu classes", command, l->kind, l->n,
            l->n_classes);
    if (l->negatives)
        fprintf(stderr, ", %zu images that show none of them", l->negatives);
    fputc('\n', stderr);
    remark(command, "images without labels are left out", &l->unlabelled_images);
    remark(command, "labelled images are not there", &l->missing_images);
    remark(command, "names are there more than once: the last of each counts",
           &l->repeated_members);
    for (size_t i = 1; i < l->first[l->n] && one; i++)
        one = l->classes[i] == l->classes[0];
    if (one)
        cli_one_class(command, l->names[l->classes[0]]);
}
