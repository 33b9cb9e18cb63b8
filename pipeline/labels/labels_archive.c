/* pipeline/labels/labels_archive.c - labels that lie beside the images in a tar file. */
#include <stdlib.h>
#include <string.h>

#include "base/archive.h"
#include "base/file.h"
#include "pipeline/labels/folder_list.h"
#include "pipeline/labels/labels.h"

enum { MAX_FILE = 1 << 20 };

/* The classes of one member: a line each. */
static wsam_status add_lines(ws_label_rows *r, const char *name, char *text, size_t line,
                             wsam_error *error)
{
    wsam_status status = WSAM_OK;
    int any = 0;
    for (char *at = text, *end; at && !status; at = end) {
        end = strchr(at, '\n');
        if (end)
            *end++ = 0;
        at += strspn(at, " \t\r");
        size_t n = strlen(at);
        while (n && strchr(" \t\r", at[n - 1]))
            at[--n] = 0;
        if (n) {
            any = 1;
            status = ws_label_rows_add(r, name, at, line, error);
        }
    }
    return status || any ? status : ws_label_rows_add(r, name, NULL, line, error);
}

static wsam_status read_member(ws_label_rows *r, const char *name, size_t line, wsam_error *error)
{
    char *path = ws_folder_list_path(r->path, name), *text;
    ws_member m;
    size_t size;
    wsam_status status = WSAM_OK;
    if (!path)
        return ws_no_memory(error, r->path);
    if (ws_archive_find(path, &m)) {
        free(m.file);
        if (!m.size) {
            status = ws_label_rows_add(r, name, NULL, line, error);
        } else if (!(status = ws_file_read_whole(path, MAX_FILE, &text, &size, error))) {
            status = strlen(text) == size ? add_lines(r, name, text, line, error)
                                          : ws_fail(error, WSAM_ERR_FORMAT, "%s: not a text", path);
            free(text);
        }
    }
    free(path);
    return status;
}

wsam_status ws_labels_archive(ws_label_rows *r, wsam_error *error)
{
    const ws_archive *a;
    size_t n = 0;
    r->kind = "a tar file with a text beside each image";
    wsam_status status = ws_archive_open(r->path, &a, error);
    for (size_t i = 0; !status && i < ws_archive_count(a); i++) {
        const char *name = ws_archive_name(a, i);
        if (!ws_folder_list_has_ending(name, ".cls") && !ws_folder_list_has_ending(name, ".txt"))
            continue;
        status = read_member(r, name, i + 1, error);
        n++;
    }
    if (!status && !n)
        status =
            ws_fail(error, WSAM_ERR_FORMAT,
                    "%s: no labels: expected a member .cls or .txt beside each image", r->path);
    return status;
}
