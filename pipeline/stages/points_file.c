/* pipeline/stages/points_file.c - lines of a points file. */
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/stages/lines.h"

enum { MAX_CLASSES = 65536 };

static wsam_status read_classes(const ws_line *l, const cJSON *classes, wsam_clue_points *p)
{
    static const char wants[] = "an object of class names and numbers, or null";
    const int n = cJSON_IsObject(classes) ? cJSON_GetArraySize(classes) : -1;
    const cJSON *item;
    if (n < 0 || n > MAX_CLASSES)
        return ws_line_fields_bad(l, "classes", wants);
    p->classes = calloc((size_t)n + 1, sizeof *p->classes);
    p->logits = calloc((size_t)n + 1, sizeof *p->logits);
    if (!p->classes || !p->logits)
        return ws_line_fields_no_memory(l);
    cJSON_ArrayForEach(item, classes)
    {
        if (!cJSON_IsNumber(item) && !cJSON_IsNull(item))
            return ws_line_fields_bad(l, "classes", wants);
        for (size_t i = 0; i < p->n_classes; i++)
            if (strcmp(p->classes[i], item->string) == 0)
                return ws_line_fields_bad(l, "classes", "free of duplicates");
        p->logits[p->n_classes] = cJSON_IsNumber(item) ? item->valuedouble : 0;
        if (!(p->classes[p->n_classes++] = strdup(item->string)))
            return ws_line_fields_no_memory(l);
    }
    return WSAM_OK;
}

/* Cross points belong to no class: theirs may be missing or null. */
static int read_class(const cJSON *item, const wsam_clue_points *p, wsam_clue_point *point)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "class");
    point->class_index = -1;
    if (point->source == WSAM_SOURCE_CROSS && (!name || cJSON_IsNull(name)))
        return 1;
    for (size_t i = 0; i < p->n_classes && cJSON_IsString(name); i++)
        if (strcmp(p->classes[i], name->valuestring) == 0)
            point->class_index = (int32_t)i;
    return point->class_index >= 0 ||
           (point->source == WSAM_SOURCE_CROSS && cJSON_IsString(name) && !*name->valuestring);
}

static wsam_status read_point(const ws_line *l, const cJSON *item, wsam_clue_points *p)
{
    wsam_clue_point point = {0};
    if (!ws_line_fields_number(item, "x", &point.x) || !ws_line_fields_number(item, "y", &point.y))
        return ws_line_fields_bad(l, "points", "a list of objects with numbers x and y");
    if (!ws_line_fields_source(item, &point.source) || point.source == WSAM_SOURCE_GRID ||
        point.source == WSAM_SOURCE_CLASS)
        return ws_line_fields_bad(l, "points.source", "coarse, fine or cross");
    if (!read_class(item, p, &point))
        return ws_line_fields_bad(l, "points.class", "one of 'classes'");
    if (!ws_line_fields_number(item, "score", &point.score))
        point.score = 1;
    p->points[p->n++] = point;
    return WSAM_OK;
}

static wsam_status read_fields(const ws_line *l, const cJSON *root, wsam_clue_points *p)
{
    wsam_status status = ws_line_fields_picture(l, root, &p->image, &p->width, &p->height);
    if (!status)
        status = read_classes(l, cJSON_GetObjectItemCaseSensitive(root, "classes"), p);
    if (status)
        return status;
    const cJSON *points = cJSON_GetObjectItemCaseSensitive(root, "points"), *item;
    if (!cJSON_IsArray(points))
        return ws_line_fields_bad(l, "points", "a list");
    p->points = calloc((size_t)cJSON_GetArraySize(points) + 1, sizeof *p->points);
    if (!p->points)
        return ws_line_fields_no_memory(l);
    cJSON_ArrayForEach(item, points)
    {
        status = read_point(l, item, p);
        if (status)
            return status;
    }
    return WSAM_OK;
}

wsam_status wsam_points_parse(const char *text, size_t size, const char *name, uint64_t number,
                              wsam_clue_points **points, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const ws_line l = {name, number, error};
    cJSON *root;
    *points = NULL;
    wsam_status status = ws_line_fields_parse(&l, text, size, &root);
    if (status)
        return status;
    wsam_clue_points *p = calloc(1, sizeof *p);
    status = p ? read_fields(&l, root, p) : ws_line_fields_no_memory(&l);
    cJSON_Delete(root);
    if (status)
        wsam_clue_points_free(p);
    else
        *points = p;
    return status;
}

wsam_status wsam_points_json(const wsam_clue_points *p, char **json)
{
    WS_FLOAT_SCOPE;
    ws_text t = {0};
    ws_text_printf(&t, "{\"image\":");
    ws_json_bytes(&t, p->image, strlen(p->image));
    ws_text_printf(&t, ",\"width\":%d,\"height\":%d,\"classes\":{", p->width, p->height);
    for (size_t i = 0; i < p->n_classes; i++) {
        if (i)
            ws_text_put(&t, ",", 1);
        ws_json_bytes(&t, p->classes[i], strlen(p->classes[i]));
        ws_text_printf(&t, ":%.9g", p->logits[i]);
    }
    ws_text_printf(&t, "},\"points\":[");
    for (size_t i = 0; i < p->n; i++) {
        const wsam_clue_point *c = &p->points[i];
        const char *class_name = c->class_index < 0 ? "" : p->classes[c->class_index];
        ws_text_printf(&t, "%s{\"x\":%.9g,\"y\":%.9g,\"class\":", i ? "," : "", c->x, c->y);
        ws_json_bytes(&t, class_name, strlen(class_name));
        ws_json_number_field(&t, "score", c->score);
        ws_text_printf(&t, ",\"source\":\"%s\"}", wsam_source_name(c->source));
    }
    ws_text_put(&t, "]}\n", 3);
    return ws_text_take(&t, json);
}

wsam_status wsam_points_next(wsam_line_reader *r, wsam_clue_points **points, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char *text;
    ws_line line;
    size_t n;
    *points = NULL;
    const wsam_status status = ws_line_reader_next(r, &text, &n, &line, error);
    if (status || !n)
        return status;
    return wsam_points_parse(text, n, line.name, line.number, points, error);
}

void wsam_clue_points_free(wsam_clue_points *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->classes && i < p->n_classes; i++)
        free(p->classes[i]);
    free(p->classes);
    free(p->logits);
    free(p->points);
    free(p->image);
    free(p);
}
