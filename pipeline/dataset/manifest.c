/* pipeline/dataset/manifest.c - what a run is about: its configuration, classes and images with
 * their keys. See journal.h. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "pipeline/dataset/journal.h"
#include "pipeline/stages/lines.h"

enum { MAX_MANIFEST = 1 << 30, FORMAT = 3 };

char *ws_manifest_state_path(const char *output, const char *name)
{
    const size_t size = strlen(output) + strlen(name) + 8;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/state/%s", output, name);
    return path;
}

/* ---- keys ---- */

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
    return XXH64(bytes, n, h);
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    return mix(h, text, strlen(text) + 1);
}

ws_keys *ws_manifest_keys(const wsam_labels *l, const char *config, const char *late,
                          const uint64_t *contents)
{
    ws_keys *keys = calloc(l->n + 1, sizeof *keys);
    uint64_t all = mix_text(FORMAT, config ? config : "{}");
    all = mix_text(all, wsam_version());
    for (size_t i = 0; i < l->n_classes; i++) /* records have their numbers */
        all = mix_text(all, l->names[i]);
    for (size_t i = 0; keys && i < l->n; i++) {
        ws_keys *k = &keys[i];
        k->content = contents[i];
        k->labels =
            mix(0, l->classes + l->first[i], (l->first[i + 1] - l->first[i]) * sizeof *l->classes);
        k->first = mix_text(all, l->images[i]);
        k->first = mix(k->first, &k->content, sizeof k->content);
        k->first = mix(k->first, &k->labels, sizeof k->labels);
        k->late = late ? mix_text(k->first, late) : k->first;
    }
    return keys;
}

/* ---- the file ---- */

wsam_status ws_manifest_text(const wsam_labels *l, const char *config, const char *late,
                             const ws_keys *keys, ws_text *t, wsam_error *error)
{
    config = config ? config : "{}";
    ws_text_printf(t, "{\"format\":%d,\"version\":\"%s\",\"config\":", FORMAT, wsam_version());
    ws_text_put(t, config, strlen(config));
    if (late) {
        ws_text_printf(t, ",\"late\":");
        ws_text_put(t, late, strlen(late));
    }
    ws_text_printf(t, ",\"classes\":[");
    for (size_t i = 0; i < l->n_classes; i++) {
        ws_text_put(t, ",", i > 0);
        ws_json_bytes(t, l->names[i], strlen(l->names[i]));
    }
    ws_text_put(t, "]}\n", 3);
    for (size_t i = 0; i < l->n; i++) {
        ws_text_printf(t, "{\"image\":");
        ws_json_bytes(t, l->images[i], strlen(l->images[i]));
        ws_text_printf(t, ",\"classes\":[");
        for (size_t k = l->first[i]; k < l->first[i + 1]; k++)
            ws_text_printf(t, "%s%d", k > l->first[i] ? "," : "", (int)l->classes[k]);
        ws_text_printf(t,
                       "],\"first\":\"%016" PRIx64 "\",\"late\":\"%016" PRIx64
                       "\",\"content\":\"%016" PRIx64 "\",\"labels\":\"%016" PRIx64 "\"}\n",
                       keys[i].first, keys[i].late, keys[i].content, keys[i].labels);
    }
    return t->failed ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for the list of images")
                     : WSAM_OK;
}

void ws_manifest_free(ws_manifest *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->images[i]);
    for (size_t i = 0; i < m->n_classes; i++)
        free(m->classes[i]);
    free(m->images);
    free(m->classes);
    free(m->keys);
    cJSON_free(m->config);
    cJSON_free(m->late);
    memset(m, 0, sizeof *m);
}

static wsam_status read_head(const ws_line *l, const cJSON *root, ws_manifest *m)
{
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "config");
    const cJSON *classes = cJSON_GetObjectItemCaseSensitive(root, "classes"), *item;
    double format = 0;
    if (!ws_line_fields_number(root, "format", &format) || fabs(format - FORMAT) > 0)
        return ws_line_fields_bad(l, "format", "3: another version of this program wrote it");
    if (!cJSON_IsObject(config))
        return ws_line_fields_bad(l, "config", "an object");
    if (!cJSON_IsArray(classes) || !cJSON_GetArraySize(classes))
        return ws_line_fields_bad(l, "classes", "a list of names");
    const cJSON *late = cJSON_GetObjectItemCaseSensitive(root, "late");
    m->config = cJSON_PrintUnformatted(config);
    m->late = cJSON_IsObject(late) ? cJSON_PrintUnformatted(late) : NULL;
    if (cJSON_IsObject(late) && !m->late)
        return ws_line_fields_no_memory(l);
    m->classes = calloc((size_t)cJSON_GetArraySize(classes), sizeof *m->classes);
    if (!m->config || !m->classes)
        return ws_line_fields_no_memory(l);
    cJSON_ArrayForEach(item, classes)
    {
        if (!cJSON_IsString(item))
            return ws_line_fields_bad(l, "classes", "a list of names");
        if (!(m->classes[m->n_classes++] = strdup(item->valuestring)))
            return ws_line_fields_no_memory(l);
    }
    return WSAM_OK;
}

static int read_key(const cJSON *root, const char *name, uint64_t *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    char *end = NULL;
    *key = cJSON_IsString(item) ? strtoull(item->valuestring, &end, 16) : 0;
    return end && end == item->valuestring + 16 && !*end;
}

static wsam_status read_image(const ws_line *l, const cJSON *root, ws_manifest *m)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(root, "image");
    ws_keys *k = &m->keys[m->n];
    if (!cJSON_IsString(name))
        return ws_line_fields_bad(l, "image", "a file name");
    if (!read_key(root, "first", &k->first) || !read_key(root, "late", &k->late) ||
        !read_key(root, "content", &k->content) || !read_key(root, "labels", &k->labels))
        return ws_line_fields_bad(l, "first", "with late, content and labels, 16 digits");
    m->images[m->n] = strdup(name->valuestring);
    if (!m->images[m->n])
        return ws_line_fields_no_memory(l);
    m->n++;
    return WSAM_OK;
}

static wsam_status read_manifest(const char *path, const char *text, size_t size, ws_manifest *m,
                                 wsam_error *error)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    m->images = calloc(lines + 1, sizeof *m->images);
    m->keys = calloc(lines + 1, sizeof *m->keys);
    if (!m->images || !m->keys)
        return ws_no_memory(error, path);
    wsam_status status = WSAM_OK;
    const char *at = text;
    for (ws_line l = {path, 1, error}; l.number <= lines && !status; l.number++) {
        cJSON *root;
        const char *end = strchr(at, '\n');
        if (!end)
            return ws_line_fields_bad(&l, "line", "text");
        status = ws_line_fields_parse(&l, at, (size_t)(end - at), &root);
        if (!status)
            status = l.number == 1 ? read_head(&l, root, m) : read_image(&l, root, m);
        cJSON_Delete(root);
        at = end + 1;
    }
    return status      ? status
           : m->config ? WSAM_OK
                       : ws_fail(error, WSAM_ERR_FORMAT, "%s: empty", path);
}

char *ws_manifest_parameters(const ws_manifest *m)
{
    const size_t n = strlen(m->config), more = m->late ? strlen(m->late) : 0;
    char *text = malloc(n + more + 2);
    if (!text)
        return NULL;
    memcpy(text, m->config, n + 1);
    if (more > 2) /* {a} and {b} are {a,b} */
        sprintf(text + n - 1, "%s%s", n > 2 ? "," : "", m->late + 1);
    return text;
}

wsam_status ws_manifest_load(const char *output, ws_manifest *m, wsam_error *error)
{
    char *path = ws_manifest_state_path(output, "manifest.jsonl"), *text = NULL;
    size_t size;
    memset(m, 0, sizeof *m);
    wsam_status status = path ? ws_file_read_whole(path, MAX_MANIFEST, &text, &size, error)
                              : ws_no_memory(error, output);
    if (!status)
        status = read_manifest(path, text, size, m, error);
    if (status)
        ws_manifest_free(m);
    free(text);
    free(path);
    return status;
}
