/* pipeline/segment/prompts.c - prompt files: JSON lines, untrusted. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/input.h"
#include "base/json_parse.h"
#include "kernels/float_scope.h"
#include "pipeline/segment/point_label.h"
#include "weaksam/segment.h"

enum { MAX_PROMPTS = 65536, MAX_POINTS = 4096, MAX_LINE = 1 << 20, MAX_FILE = 256 << 20 };

typedef struct reader {
    const char *name;
    size_t line;
    int multimask;
    wsam_prompt_list *list;
    size_t capacity;
    wsam_error *error;
} reader;

static wsam_status bad(const reader *r, const char *field, const char *wants)
{
    return ws_fail(r->error, WSAM_ERR_FORMAT, "%s:%zu: '%s' is not %s", r->name, r->line, field,
                   wants);
}

/* ---- fields ---- */

/* n finite numbers, or fewer, but at least `least`; the rest of `out` is left alone. */
static int numbers(const cJSON *array, int least, int n, double *out)
{
    const int size = cJSON_IsArray(array) ? cJSON_GetArraySize(array) : -1;
    const cJSON *item;
    if (size < least || size > n)
        return 0;
    cJSON_ArrayForEach(item, array)
    {
        if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
            return 0;
        *out++ = item->valuedouble;
    }
    return 1;
}

static wsam_status read_points(const reader *r, const cJSON *array, wsam_prompt *p)
{
    static const char wants[] = "a list of [x,y,label] of finite numbers, label 0 or 1";
    const int n = cJSON_IsArray(array) ? cJSON_GetArraySize(array) : -1;
    const cJSON *item;
    if (n < 0)
        return bad(r, "points", wants);
    if (n > MAX_POINTS)
        return ws_fail(r->error, WSAM_ERR_LIMIT, "%s:%zu: %d points; the limit is %d", r->name,
                       r->line, n, MAX_POINTS);
    wsam_point *points = calloc((size_t)n + 1, sizeof *points);
    if (!points)
        return ws_no_memory(r->error, r->name);
    p->points = points;
    p->n_points = (size_t)n;
    cJSON_ArrayForEach(item, array)
    {
        double v[3] = {0, 0, 1};
        int label;
        if (!numbers(item, 2, 3, v) || !ws_point_label(v[2], &label))
            return bad(r, "points", wants);
        *points++ = (wsam_point){v[0], v[1], label};
    }
    return WSAM_OK;
}

static wsam_status read_id(const reader *r, const cJSON *id, size_t index)
{
    char number[32];
    snprintf(number, sizeof number, "%zu", index);
    r->list->ids[index] = id ? cJSON_PrintUnformatted(id) : strdup(number);
    return r->list->ids[index] ? WSAM_OK : ws_no_memory(r->error, r->name);
}

static const cJSON *field(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNull(item) ? NULL : item;
}

static wsam_status read_fields(const reader *r, const cJSON *object, size_t index)
{
    wsam_prompt *p = &r->list->prompts[index];
    const cJSON *points = field(object, "points"), *box = field(object, "box");
    const cJSON *mask = field(object, "mask"), *multimask = field(object, "multimask");
    wsam_status status = read_id(r, cJSON_GetObjectItemCaseSensitive(object, "id"), index);
    if (!status && points)
        status = read_points(r, points, p);
    if (status)
        return status;
    p->has_box = box != NULL;
    if (box && !numbers(box, 4, 4, p->box))
        return bad(r, "box", "[x0,y0,x1,y1] of finite numbers");
    if (!p->has_box && !p->n_points)
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s:%zu: neither 'points' nor 'box'", r->name,
                       r->line);
    if (multimask && !cJSON_IsBool(multimask))
        return bad(r, "multimask", "true or false");
    p->multimask = multimask ? cJSON_IsTrue(multimask) : r->multimask;
    if (mask && (!cJSON_IsString(mask) || !*mask->valuestring))
        return bad(r, "mask", "a file name");
    if (mask && !(r->list->masks[index] = strdup(mask->valuestring)))
        return ws_no_memory(r->error, r->name);
    return WSAM_OK;
}

/* ---- lines ---- */

static int grow(reader *r)
{
    wsam_prompt_list *l = r->list;
    if (l->n < r->capacity)
        return 1;
    const size_t capacity = r->capacity ? 2 * r->capacity : 16;
    wsam_prompt *prompts = realloc(l->prompts, capacity * sizeof *prompts);
    if (prompts)
        l->prompts = prompts;
    char **ids = realloc(l->ids, capacity * sizeof *ids);
    if (ids)
        l->ids = ids;
    char **masks = realloc(l->masks, capacity * sizeof *masks);
    if (masks)
        l->masks = masks;
    if (!prompts || !ids || !masks)
        return 0;
    r->capacity = capacity;
    return 1;
}

static wsam_status read_line(reader *r, const char *text, size_t n)
{
    cJSON *root;
    if (n > MAX_LINE || r->list->n == MAX_PROMPTS)
        return ws_fail(r->error, WSAM_ERR_LIMIT, "%s:%zu: %s", r->name, r->line,
                       n > MAX_LINE ? "a line of more than 1 MiB" : "more than 65536 prompts");
    if (!grow(r))
        return ws_no_memory(r->error, r->name);
    wsam_status status = ws_json_parse(r->name, r->line, text, n, &root, r->error);
    if (!status && !cJSON_IsObject(root)) {
        status = ws_fail(r->error, WSAM_ERR_FORMAT, "%s:%zu: not a JSON object", r->name, r->line);
    } else if (!status) {
        const size_t index = r->list->n++;
        memset(&r->list->prompts[index], 0, sizeof *r->list->prompts);
        r->list->ids[index] = r->list->masks[index] = NULL;
        status = read_fields(r, root, index);
    }
    cJSON_Delete(root);
    return status;
}

static int is_blank(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i == n;
}

wsam_status wsam_prompts_parse(const char *text, size_t size, const char *name, int multimask,
                               wsam_prompt_list **list, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    reader r = {.name = name, .multimask = multimask, .error = error};
    wsam_status status = WSAM_OK;
    *list = NULL;
    r.list = calloc(1, sizeof *r.list);
    if (!r.list)
        return ws_no_memory(error, name);
    for (size_t at = 0; at < size && !status;) {
        const char *newline = memchr(text + at, '\n', size - at);
        const size_t n = newline ? (size_t)(newline - text) - at : size - at;
        r.line++;
        if (!is_blank(text + at, n))
            status = read_line(&r, text + at, n);
        at += n + 1;
    }
    if (!status && !r.list->n)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no prompts", name);
    if (status)
        wsam_prompts_free(r.list);
    else
        *list = r.list;
    return status;
}

void wsam_prompts_free(wsam_prompt_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->n; i++) {
        void *points, *mask;
        memcpy(&points, &list->prompts[i].points, sizeof points);
        memcpy(&mask, &list->prompts[i].mask, sizeof mask);
        free(points);
        free(mask);
        free(list->ids[i]);
        free(list->masks[i]);
    }
    free(list->prompts);
    free(list->ids);
    free(list->masks);
    free(list);
}

/* ---- files ---- */

/* The mask's path, taken from the folder of the prompt file. */
static char *beside(const char *path, const char *mask)
{
    const char *slash = strrchr(path, '/');
    const size_t folder = *mask == '/' || !slash ? 0 : (size_t)(slash - path) + 1;
    char *out = malloc(folder + strlen(mask) + 1);
    if (out) {
        memcpy(out, path, folder);
        memcpy(out + folder, mask, strlen(mask) + 1);
    }
    return out;
}

static wsam_status load_masks(const char *path, wsam_prompt_list *list, wsam_error *error)
{
    for (size_t i = 0; i < list->n; i++) {
        float *mask;
        if (!list->masks[i])
            continue;
        char *file = beside(path, list->masks[i]);
        if (!file)
            return ws_no_memory(error, path);
        const wsam_status status = wsam_mask_load(file, &mask, &list->prompts[i].mask_side, error);
        free(file);
        if (status)
            return status;
        list->prompts[i].mask = mask;
    }
    return WSAM_OK;
}

wsam_status wsam_prompts_load(const char *path, int multimask, wsam_prompt_list **list,
                              wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char *text;
    size_t size;
    *list = NULL;
    wsam_status status = ws_input_whole(path, MAX_FILE, &text, &size, error);
    if (status)
        return status;
    status = wsam_prompts_parse(text, size, path, multimask, list, error);
    free(text);
    if (!status)
        status = load_masks(path, *list, error);
    if (status) {
        wsam_prompts_free(*list);
        *list = NULL;
    }
    return status;
}
