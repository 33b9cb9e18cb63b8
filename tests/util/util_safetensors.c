#include "tests/util/util_safetensors.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct st_file {
    unsigned char *data; /* the tensors' bytes */
    size_t size;
    cJSON *head;
    double **given; /* what st_values returned */
    size_t n_given;
};

static int read_file(st_file *file, const char *path)
{
    uint64_t head_size;
    FILE *f = fopen(path, "rb");
    if (!f)
        return 0;
    int ok = fread(&head_size, 8, 1, f) == 1 && head_size < 1 << 24;
    char *text = ok ? malloc(head_size + 1) : NULL;
    ok = text && fread(text, 1, head_size, f) == head_size;
    if (ok) {
        file->head = cJSON_ParseWithLength(text, head_size);
        const long begin = ftell(f);
        ok = file->head && begin > 0 && !fseek(f, 0, SEEK_END);
        file->size = ok ? (size_t)(ftell(f) - begin) : 0;
        file->data = malloc(file->size + 1);
        ok = ok && file->data && !fseek(f, begin, SEEK_SET) &&
             fread(file->data, 1, file->size, f) == file->size;
    }
    free(text);
    fclose(f);
    return ok;
}

st_file *st_open(const char *path)
{
    st_file *file = calloc(1, sizeof *file);
    if (file && !read_file(file, path)) {
        st_close(file);
        return NULL;
    }
    return file;
}

void st_close(st_file *file)
{
    if (!file)
        return;
    for (size_t i = 0; i < file->n_given; i++)
        free(file->given[i]);
    free(file->given);
    free(file->data);
    cJSON_Delete(file->head);
    free(file);
}

static size_t type_bytes(const char *type)
{
    return strcmp(type, "F64") == 0 ? 8 : strcmp(type, "U8") == 0 ? 1 : 4;
}

static double value_at(const unsigned char *p, const char *type)
{
    double d;
    float f;
    int32_t i;
    if (strcmp(type, "F64") == 0)
        return memcpy(&d, p, 8), d;
    if (strcmp(type, "F32") == 0)
        return memcpy(&f, p, 4), (double)f;
    if (strcmp(type, "I32") == 0)
        return memcpy(&i, p, 4), (double)i;
    return (double)*p;
}

const double *st_values(st_file *file, const char *name, size_t *count)
{
    const cJSON *tensor = cJSON_GetObjectItemCaseSensitive(file->head, name);
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(tensor, "data_offsets");
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tensor, "dtype"));
    if (!type || cJSON_GetArraySize(offsets) != 2)
        return NULL;
    const size_t begin = (size_t)cJSON_GetNumberValue(cJSON_GetArrayItem(offsets, 0));
    const size_t end = (size_t)cJSON_GetNumberValue(cJSON_GetArrayItem(offsets, 1));
    if (begin > end || end > file->size)
        return NULL;
    const size_t n = (end - begin) / type_bytes(type);
    double *values = malloc((n + 1) * sizeof *values);
    double **given = realloc(file->given, (file->n_given + 1) * sizeof *given);
    if (given)
        file->given = given;
    if (!values || !given) {
        free(values);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        values[i] = value_at(file->data + begin + i * type_bytes(type), type);
    file->given[file->n_given++] = values;
    *count = n;
    return values;
}

const char *st_note(const st_file *file, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(file->head, "__metadata__"), key));
}

/* The tensor once more, its bytes at `end` of the data. */
static cJSON *doubled(const cJSON *tensor, double end, double *size)
{
    cJSON *copy = cJSON_Duplicate(tensor, 1), *at = cJSON_GetObjectItem(copy, "data_offsets");
    const double begin = cJSON_GetArrayItem(at, 0)->valuedouble;
    *size = cJSON_GetArrayItem(at, 1)->valuedouble - begin;
    cJSON_SetNumberValue(cJSON_GetArrayItem(at, 0), end);
    cJSON_SetNumberValue(cJSON_GetArrayItem(at, 1), end + *size);
    return copy;
}

int st_write_doubled(const st_file *file, const char *path, const char *part, const char *other)
{
    cJSON *head = cJSON_Duplicate(file->head, 1);
    double end = (double)file->size;
    unsigned char *more = malloc(file->size + 1); /* a tensor is copied once at most */
    size_t n_more = 0;
    for (const cJSON *t = file->head->child; t && more; t = t->next) {
        const char *at = strstr(t->string, part);
        const cJSON *offsets = cJSON_GetObjectItem(t, "data_offsets");
        char name[256];
        double size;
        if (!at || !offsets)
            continue;
        snprintf(name, sizeof name, "%.*s%s%s", (int)(at - t->string), t->string, other,
                 at + strlen(part));
        cJSON_AddItemToObject(head, name, doubled(t, end + (double)n_more, &size));
        memcpy(more + n_more, file->data + (size_t)cJSON_GetArrayItem(offsets, 0)->valuedouble,
               (size_t)size);
        n_more += (size_t)size;
    }
    char *text = cJSON_PrintUnformatted(head);
    const uint64_t length = strlen(text);
    FILE *f = fopen(path, "wb");
    const int ok =
        f && more && fwrite(&length, 8, 1, f) == 1 && fwrite(text, 1, length, f) == length &&
        fwrite(file->data, 1, file->size, f) == file->size && fwrite(more, 1, n_more, f) == n_more;
    const int closed = f && !fclose(f);
    free(more);
    cJSON_free(text);
    cJSON_Delete(head);
    return ok && closed;
}
