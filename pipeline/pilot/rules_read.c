/* pipeline/pilot/rules_read.c - reads a rules file (weaksam/rules.h). */
#include <stdlib.h>
#include <string.h>

#include "base/input.h"
#include "base/json_parse.h"
#include "pipeline/pilot/rules.h"

enum { MAX_FILE = 4 << 20, MAX_POINTS = 10000 };

static const char *const limit_names[WS_LIMITS] = {"min_area",   "max_area",       "min_aspect",
                                                   "max_aspect", "min_confidence", "max_per_image"};

typedef struct reader {
    const char *path;
    wsam_rules *rules;
    wsam_error *error;
} reader;

static wsam_status no_memory(const reader *r)
{
    return ws_no_memory(r->error, r->path);
}

/* ---- regions ---- */

static wsam_status read_polygon(const reader *r, const cJSON *list, ws_region *region)
{
    const int n = cJSON_GetArraySize(list);
    if (n < 3 || n > MAX_POINTS)
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: a region has 3 to %d corners", r->path,
                       MAX_POINTS);
    region->xy = calloc((size_t)n * 2, sizeof *region->xy);
    if (!region->xy)
        return no_memory(r);
    const cJSON *point;
    cJSON_ArrayForEach(point, list)
    {
        const cJSON *x = cJSON_GetArrayItem(point, 0), *y = cJSON_GetArrayItem(point, 1);
        if (cJSON_GetArraySize(point) != 2 || !cJSON_IsNumber(x) || !cJSON_IsNumber(y) ||
            !(x->valuedouble >= 0 && x->valuedouble <= 1 && y->valuedouble >= 0 &&
              y->valuedouble <= 1))
            return ws_fail(r->error, WSAM_ERR_FORMAT,
                           "%s: corners of a region are [x, y], shares from 0 to 1", r->path);
        region->xy[2 * region->n] = x->valuedouble;
        region->xy[2 * region->n++ + 1] = y->valuedouble;
    }
    return WSAM_OK;
}

static wsam_status read_image(const reader *r, const char *name, ws_region *region)
{
    const char *slash = strrchr(r->path, '/');
    const size_t folder = slash && *name != '/' ? (size_t)(slash - r->path) + 1 : 0;
    char *path = malloc(folder + strlen(name) + 1);
    wsam_picture_limits limits = {0};
    if (!path)
        return no_memory(r);
    memcpy(path, r->path, folder);
    memcpy(path + folder, name, strlen(name) + 1);
    const wsam_status status = wsam_picture_load(path, &limits, &region->picture, r->error);
    free(path);
    return status;
}

static wsam_status read_region(const reader *r, const cJSON *value, ws_limits *l)
{
    if (l->region)
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: 'region' is there twice", r->path);
    if (!(l->region = calloc(1, sizeof *l->region)))
        return no_memory(r);
    if (cJSON_IsString(value))
        return read_image(r, value->valuestring, l->region);
    return read_polygon(r, value, l->region);
}

/* ---- limits ---- */

static wsam_status read_limit(const reader *r, const cJSON *item, ws_limits *l)
{
    int k = 0;
    if (strcmp(item->string, "region") == 0)
        return read_region(r, item, l);
    while (k < WS_LIMITS && strcmp(item->string, limit_names[k]) != 0)
        k++;
    if (k == WS_LIMITS)
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: there is no rule '%.40s'", r->path,
                       item->string);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0))
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: '%s' needs a number of at least 0", r->path,
                       item->string);
    l->given |= 1u << k;
    l->value[k] = item->valuedouble;
    return WSAM_OK;
}

static wsam_status read_limits(const reader *r, const cJSON *object, ws_limits *l)
{
    const cJSON *item;
    wsam_status status = WSAM_OK;
    if (!cJSON_IsObject(object))
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: rules are {\"name\": value, ...}", r->path);
    cJSON_ArrayForEach(item, object) if (!status) status = read_limit(r, item, l);
    return status;
}

static wsam_status read_classes(const reader *r, const cJSON *object)
{
    const int n = cJSON_GetArraySize(object);
    const cJSON *item;
    wsam_status status = WSAM_OK;
    if (!cJSON_IsObject(object))
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: 'classes' is {\"class\": {...}, ...}",
                       r->path);
    ws_limits *items = calloc((size_t)n + 1, sizeof *items);
    if (!items)
        return no_memory(r);
    items[0] = r->rules->items[0];
    free(r->rules->items);
    r->rules->items = items;
    cJSON_ArrayForEach(item, object)
    {
        if (status)
            continue;
        ws_limits *l = &items[++r->rules->n];
        l->name = strdup(item->string);
        status = l->name ? read_limits(r, item, l) : no_memory(r);
    }
    return status;
}

/* ---- classes that exclude each other ---- */

static wsam_status read_group(const reader *r, const cJSON *list)
{
    struct ws_excluding *g = &r->rules->groups[r->rules->n_groups++];
    const int n = cJSON_GetArraySize(list);
    const cJSON *name;
    if (!cJSON_IsArray(list) || n < 2)
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: 'exclude' is a list of lists of classes",
                       r->path);
    if (!(g->names = calloc((size_t)n, sizeof *g->names)))
        return no_memory(r);
    cJSON_ArrayForEach(name, list)
    {
        if (!cJSON_IsString(name))
            return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: 'exclude' needs names of classes",
                           r->path);
        if (!(g->names[g->n++] = strdup(name->valuestring)))
            return no_memory(r);
    }
    return WSAM_OK;
}

static wsam_status read_groups(const reader *r, const cJSON *list)
{
    const int n = cJSON_GetArraySize(list);
    const cJSON *item;
    wsam_status status = WSAM_OK;
    if (!cJSON_IsArray(list) || r->rules->groups)
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: 'exclude' is one list of lists of classes",
                       r->path);
    if (!(r->rules->groups = calloc((size_t)n + 1, sizeof *r->rules->groups)))
        return no_memory(r);
    cJSON_ArrayForEach(item, list) if (!status) status = read_group(r, item);
    return status;
}

/* ---- the file ---- */

static wsam_status read_all(const reader *r, const cJSON *root)
{
    const cJSON *item;
    wsam_status status = WSAM_OK;
    if (!cJSON_IsObject(root))
        return ws_fail(r->error, WSAM_ERR_FORMAT, "%s: a rules file is a JSON object", r->path);
    cJSON_ArrayForEach(item, root)
    {
        if (status)
            continue;
        if (strcmp(item->string, "all") == 0)
            status = read_limits(r, item, &r->rules->items[0]);
        else if (strcmp(item->string, "classes") == 0 && !r->rules->n)
            status = read_classes(r, item);
        else if (strcmp(item->string, "exclude") == 0)
            status = read_groups(r, item);
        else
            status = ws_fail(r->error, WSAM_ERR_FORMAT,
                             "%s: '%.40s': expected all, classes, exclude", r->path, item->string);
    }
    return status;
}

wsam_status wsam_rules_load(const char *path, wsam_rules **rules, wsam_error *error)
{
    char *text = NULL;
    size_t n;
    cJSON *root = NULL;
    wsam_status status = ws_input_whole(path, MAX_FILE, &text, &n, error);
    *rules = NULL;
    if (!status)
        status = ws_json_parse(path, 0, text, n, &root, error);
    free(text);
    if (status)
        return status;
    reader r = {path, calloc(1, sizeof *r.rules), error};
    if (r.rules)
        r.rules->items = calloc(1, sizeof *r.rules->items);
    status = r.rules && r.rules->items ? read_all(&r, root) : no_memory(&r);
    cJSON_Delete(root);
    if (status)
        wsam_rules_free(r.rules);
    else
        *rules = r.rules;
    return status;
}

void wsam_rules_free(wsam_rules *rules)
{
    if (!rules)
        return;
    for (size_t i = 0; rules->items && i <= rules->n; i++) {
        free(rules->items[i].name);
        if (rules->items[i].region) {
            free(rules->items[i].region->xy);
            wsam_picture_free(&rules->items[i].region->picture);
            free(rules->items[i].region);
        }
    }
    for (size_t g = 0; g < rules->n_groups; g++) {
        for (size_t i = 0; i < rules->groups[g].n; i++)
            free(rules->groups[g].names[i]);
        free(rules->groups[g].names);
    }
    free(rules->groups), free(rules->items), free(rules);
}
