/* pipeline/labels/labels_folder.c - labels that are a folder: VOC annotations, a text file per
 * image, or a folder of images per class. Names lead to images by picture_names.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/input.h"
#include "base/locale.h"
#include "pipeline/labels/folder_list.h"
#include "pipeline/labels/labels.h"
#include "pipeline/labels/picture_names.h"

enum { MAX_FILE = 64 << 20, MAX_LINE = 4096 };

/* ---- VOC ---- */

static wsam_status is_xml(const char *folder, const char *name, int *take, wsam_error *error)
{
    (void)folder, (void)error;
    *take = ws_folder_list_has_ending(name, ".xml");
    return WSAM_OK;
}

static wsam_status read_xml(ws_label_rows *r, const char *folder, const char *name, size_t line,
                            wsam_error *error)
{
    char *path = ws_folder_list_path(folder, name), *text = NULL;
    size_t n;
    if (!path)
        return ws_no_memory(error, folder);
    wsam_status status = ws_input_whole(path, MAX_FILE, &text, &n, error);
    if (!status)
        status = ws_labels_xml(r, text, n, path, name, line, error);
    free(text);
    free(path);
    return status;
}

static wsam_status read_voc(ws_label_rows *r, const char *folder, const ws_folder_list *xml,
                            wsam_error *error)
{
    wsam_status status = WSAM_OK;
    r->kind = "a folder of VOC annotations";
    for (size_t i = 0; i < xml->n && !status; i++)
        status = read_xml(r, folder, xml->names[i], i + 1, error);
    return status;
}

/* ---- a text file per image ---- */

/* Names of class ids, one per line. */
static const char *const name_files[] = {"classes.txt", "obj.names", "labels.txt", NULL};

static wsam_status is_text(const char *folder, const char *name, int *take, wsam_error *error)
{
    (void)folder, (void)error;
    *take = ws_folder_list_has_ending(name, ".txt");
    for (int i = 0; name_files[i]; i++)
        *take &= strcmp(name, name_files[i]) != 0;
    return WSAM_OK;
}

static wsam_status read_lines(const char *path, ws_folder_list *out, wsam_error *error)
{
    ws_text_lines *lines;
    char *line;
    size_t n;
    wsam_status status = ws_input_lines_open(path, MAX_LINE, &lines, error);
    if (status)
        return status;
    while (!(status = ws_input_lines_next(lines, &line, &n, error)) && line) {
        char **names = realloc(out->names, (out->n + 1) * sizeof *names);
        if (names)
            out->names = names;
        if (!names || !(names[out->n] = strdup(line))) {
            status = ws_no_memory(error, path);
            break;
        }
        out->n++;
    }
    ws_input_lines_close(lines);
    return status;
}

static wsam_status read_class_names(const char *folder, ws_folder_list *names, wsam_error *error)
{
    for (int up = 0; up < 2; up++)
        for (int i = 0; name_files[i]; i++) {
            char *above = up ? ws_folder_list_path(folder, "..") : NULL;
            char *path = ws_folder_list_path(above ? above : folder, name_files[i]);
            int there = 0;
            wsam_status status =
                path ? ws_file_there(path, &there, error) : ws_no_memory(error, folder);
            if (there)
                status = read_lines(path, names, error);
            free(above);
            free(path);
            if (status || names->n)
                return status;
        }
    return WSAM_OK;
}

/* `id x y w h` and more numbers: a box or polygon of YOLO. Returns the id, or -1. */
static long box_line(const char *line)
{
    char *end;
    const long id = strtol(line, &end, 10);
    int numbers = 0;
    if (end == line || id < 0 || (*end != ' ' && *end != '\t'))
        return -1;
    for (const char *at = end; *at; at = end, numbers++) {
        ws_locale_strtod(at, &end);
        if (end == at)
            return -1;
    }
    return numbers >= 4 ? id : -1;
}

static wsam_status add_line(ws_label_rows *r, const char *image, const char *path, const char *line,
                            const ws_folder_list *classes, size_t number, wsam_error *error)
{
    const long id = box_line(line);
    if (id < 0)
        return ws_label_rows_add(r, image, line, number, error);
    if ((size_t)id < classes->n)
        return ws_label_rows_add(r, image, classes->names[id], number, error);
    return ws_fail(error, WSAM_ERR_FORMAT,
                   classes->n ? "%s: there is no class %ld in classes.txt"
                              : "%s: class id %ld, but no classes.txt that names it",
                   path, id);
}

static wsam_status read_text_file(ws_label_rows *r, const char *folder, const char *name,
                                  const ws_folder_list *classes, size_t number, wsam_error *error)
{
    ws_folder_list lines = {0};
    char *path = ws_folder_list_path(folder, name);
    FILE *f = path ? fopen(path, "r") : NULL;
    wsam_status status = path ? WSAM_OK : ws_no_memory(error, folder);
    const int empty = f && fgetc(f) == EOF;
    if (f)
        fclose(f);
    if (!status && !empty)
        status = read_lines(path, &lines, error);
    for (size_t i = 0; i < lines.n && !status; i++)
        status = add_line(r, name, path, lines.names[i], classes, number, error);
    if (!status && !lines.n)
        status = ws_label_rows_add(r, name, NULL, number, error);
    ws_folder_list_free(&lines);
    free(path);
    return status;
}

static wsam_status read_texts(ws_label_rows *r, const char *folder, const ws_folder_list *texts,
                              wsam_error *error)
{
    ws_folder_list classes = {0};
    wsam_status status = read_class_names(folder, &classes, error);
    r->kind = "a folder with a text file per image";
    for (size_t i = 0; i < texts->n && !status; i++)
        status = read_text_file(r, folder, texts->names[i], &classes, i + 1, error);
    ws_folder_list_free(&classes);
    return status;
}

/* ---- a folder per class ---- */

static wsam_status is_picture(const char *folder, const char *name, int *take, wsam_error *error)
{
    (void)folder, (void)error;
    *take = ws_picture_names_is_one(name);
    return WSAM_OK;
}

static wsam_status has_pictures(const char *folder, const char *name, int *take, wsam_error *error)
{
    ws_folder_list pictures = {0};
    char *path = ws_folder_list_path(folder, name);
    int there = 0;
    wsam_status status =
        path ? ws_file_folder_there(path, &there, error) : ws_no_memory(error, folder);
    if (!status && there)
        status = ws_folder_list_read(&pictures, path, is_picture, error);
    *take = pictures.n > 0;
    ws_folder_list_free(&pictures);
    free(path);
    return status;
}

static wsam_status read_class_folder(ws_label_rows *r, const char *folder, const char *name,
                                     size_t number, wsam_error *error)
{
    ws_folder_list pictures = {0};
    char *path = ws_folder_list_path(folder, name);
    wsam_status status = path ? ws_folder_list_read(&pictures, path, is_picture, error)
                              : ws_no_memory(error, folder);
    for (size_t i = 0; i < pictures.n && !status; i++) {
        char *image = ws_folder_list_path(name, pictures.names[i]);
        status =
            image ? ws_label_rows_add(r, image, name, number, error) : ws_no_memory(error, folder);
        free(image);
    }
    ws_folder_list_free(&pictures);
    free(path);
    return status;
}

static wsam_status read_class_folders(ws_label_rows *r, const char *folder,
                                      const ws_folder_list *classes, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    r->kind = "a folder of images per class";
    r->merge = 1; /* an image may lie in several */
    for (size_t i = 0; i < classes->n && !status; i++)
        status = read_class_folder(r, folder, classes->names[i], i + 1, error);
    return status;
}

/* ---- which of them ---- */

wsam_status ws_labels_folder(ws_label_rows *r, wsam_error *error)
{
    ws_folder_list list = {0};
    char *annotations = ws_folder_list_path(r->path, "Annotations");
    int nested = 0;
    wsam_status status = annotations ? ws_file_folder_there(annotations, &nested, error)
                                     : ws_no_memory(error, r->path);
    const char *folder = nested ? annotations : r->path;
    if (!status)
        status = ws_folder_list_read(&list, folder, is_xml, error);
    if (!status && list.n) {
        status = read_voc(r, folder, &list, error);
    } else if (!status) {
        status = ws_folder_list_read(&list, folder, is_text, error);
        if (!status && list.n)
            status = read_texts(r, folder, &list, error);
        else if (!status)
            status = ws_folder_list_read(&list, folder, has_pictures, error);
        if (!status && list.n && !r->n)
            status = read_class_folders(r, folder, &list, error);
        else if (!status && !list.n)
            status = ws_fail(error, WSAM_ERR_FORMAT,
                             "%s: no VOC annotations (*.xml), no text file per image, no folder of "
                             "images per class",
                             folder);
    }
    ws_folder_list_free(&list);
    free(annotations);
    return status;
}
