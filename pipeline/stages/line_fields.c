/* pipeline/stages/line_fields.c - fields of JSON lines of points and proposals: untrusted. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parse.h"
#include "pipeline/stages/lines.h"

wsam_status ws_line_fields_bad(const ws_line *l, const char *field, const char *wants)
{
    return ws_fail(l->error, WSAM_ERR_FORMAT, "%s:%llu: '%s' is not %s", l->name,
                   (unsigned long long)l->number, field, wants);
}

wsam_status ws_line_fields_no_memory(const ws_line *l)
{
    return ws_fail(l->error, WSAM_ERR_MEMORY, "%s:%llu: no memory", l->name,
                   (unsigned long long)l->number);
}

wsam_status ws_line_fields_parse(const ws_line *l, const char *text, size_t n, cJSON **root)
{
    *root = NULL;
    if (n > WS_LINE_MAX)
        return ws_fail(l->error, WSAM_ERR_LIMIT, "%s:%llu: a line of more than %d MiB", l->name,
                       (unsigned long long)l->number, WS_LINE_MAX >> 20);
    const wsam_status status = ws_json_parse(l->name, l->number, text, n, root, l->error);
    if (status)
        return status;
    if (cJSON_IsObject(*root))
        return WSAM_OK;
    cJSON_Delete(*root);
    *root = NULL;
    return ws_fail(l->error, WSAM_ERR_FORMAT, "%s:%llu: not a JSON object", l->name,
                   (unsigned long long)l->number);
}

wsam_status ws_line_fields_picture(const ws_line *l, const cJSON *root, char **image, int *width,
                                   int *height)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(root, "image");
    static const char *const sides[2] = {"width", "height"};
    int *const out[2] = {width, height};
    if (!cJSON_IsString(name) || !*name->valuestring)
        return ws_line_fields_bad(l, "image", "a file name");
    for (int i = 0; i < 2; i++) {
        double v;
        if (!ws_line_fields_number(root, sides[i], &v) || !(v >= 1 && v <= 65535) || v > floor(v))
            return ws_line_fields_bad(l, sides[i], "a whole number from 1 to 65535");
        *out[i] = (int)v;
    }
    *image = strdup(name->valuestring);
    return *image ? WSAM_OK : ws_line_fields_no_memory(l);
}

int ws_line_fields_number(const cJSON *object, const char *field, double *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, field);
    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return 0;
    *out = item->valuedouble;
    return 1;
}

int ws_line_fields_source(const cJSON *object, wsam_source *source)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "source");
    for (int s = 0; s < WSAM_SOURCES && cJSON_IsString(item); s++)
        if (strcmp(item->valuestring, wsam_source_name((wsam_source)s)) == 0) {
            *source = (wsam_source)s;
            return 1;
        }
    return 0;
}
