/* pipeline/coco/renamed.c - see renamed.h. */
#include "pipeline/coco/renamed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/input.h"
#include "base/json_parse.h"
#include "kernels/float_scope.h"
#include "pipeline/coco/members.h"
#include "weaksam/stages.h"

/* `info` stands first in what we write; 100 names of 4 kB twice are less. */
enum { HEAD = 1 << 20 };

static wsam_status read_head(const char *path, char **head, wsam_error *error)
{
    ws_input *in;
    size_t n = 0, got = 1;
    wsam_status status = ws_input_open(path, &in, error);
    if (status)
        return status;
    *head = malloc(HEAD + 1);
    if (!*head)
        status = ws_no_memory(error, path);
    while (!status && got && n < HEAD &&
           !(status = ws_input_read(in, *head + n, HEAD - n, &got, error)))
        n += got;
    if (*head)
        (*head)[n] = 0;
    ws_input_close(in);
    return status;
}

wsam_status ws_renamed_read(const char *path, ws_renamed *r, wsam_error *error)
{
    char *head = NULL;
    ws_member info;
    int there = 0;
    *r = (ws_renamed){0};
    wsam_status status = ws_file_there(path, &there, error);
    if (!status && there)
        status = read_head(path, &head, error);
    const char *at = head;
    if (!status && head && ws_members_next(&at, &info) && ws_members_is(&info, "info"))
        status = ws_json_parse(path, 0, info.value, info.value_length, &r->root, error);
    free(head);
    if (status)
        return status;
    const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(r->root, "parameters"), *item;
    r->names = cJSON_GetObjectItemCaseSensitive(parameters, "renamed");
    cJSON_ArrayForEach(item, r->names) if (!cJSON_IsString(item)) return ws_fail(
        error, WSAM_ERR_FORMAT, "%s: 'renamed' has a name that is no text", path);
    return WSAM_OK;
}

void ws_renamed_free(ws_renamed *r)
{
    cJSON_Delete(r->root);
    *r = (ws_renamed){0};
}

const char *ws_renamed_shown(const ws_renamed *r, const char *label)
{
    const char *shown = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(r->names, label));
    return shown ? shown : label;
}

const char *ws_renamed_label(const ws_renamed *r, const char *shown)
{
    const cJSON *item;
    const char *label = NULL;
    int n = 0;
    cJSON_ArrayForEach(item, r->names) if (strcmp(item->valuestring, shown) == 0)
    {
        if (strcmp(item->string, shown) == 0)
            return shown;
        label = item->string;
        n++;
    }
    return n == 1 ? label : shown;
}

/* All at once, so that two classes may have changed their names with one another. */
wsam_status wsam_coco_undo_renames(wsam_coco_document *d, const char *final, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_renamed r;
    const size_t n = d->n_classes;
    char **labels = calloc(n + 1, sizeof *labels), between[32];
    wsam_status status = labels ? ws_renamed_read(final, &r, error) : ws_no_memory(error, final);
    for (size_t i = 0; i < n && !status; i++) {
        const char *label = ws_renamed_label(&r, d->class_names[i]);
        if (strcmp(label, d->class_names[i]) == 0)
            continue;
        snprintf(between, sizeof between, "\x01%zu", i);
        labels[i] = strdup(label);
        status = labels[i] ? wsam_coco_rename_class(d, d->class_names[i], between, error)
                           : ws_no_memory(error, final);
    }
    for (size_t i = 0; i < n && !status; i++) {
        snprintf(between, sizeof between, "\x01%zu", i);
        if (labels[i])
            status = wsam_coco_rename_class(d, between, labels[i], error);
    }
    for (size_t i = 0; labels && i < n; i++)
        free(labels[i]);
    if (labels)
        ws_renamed_free(&r);
    free(labels);
    return status;
}
