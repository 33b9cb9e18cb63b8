/* pipeline/stages/review.c - what a person accepted and rejected, and the file it is about. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/input.h"
#include "base/json_parse.h"
#include "kernels/float_scope.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/stages/stages.h"

enum { MAX_FILE = 256 << 20 };

typedef struct mark {
    int64_t id;
    int accepted;
} mark;

struct wsam_review {
    size_t n;
    mark *marks;
};

static int by_id(const void *a, const void *b)
{
    const mark *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static wsam_status read_mark(const char *path, const cJSON *item, mark *m, wsam_error *error)
{
    char *end;
    errno = 0;
    m->id = strtoll(item->string, &end, 10);
    if (!*item->string)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: an empty annotation id", path);
    if (*end || errno) /* a text, as in the data set */
        m->id = ws_id_texts_id(item->string, strlen(item->string));
    const char *word = cJSON_IsString(item) ? item->valuestring : "";
    m->accepted = strcmp(word, "accept") == 0;
    if (!m->accepted && strcmp(word, "reject") != 0)
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: '%.80s' is neither \"accept\" nor \"reject\"",
                       path, item->string);
    return WSAM_OK;
}

static wsam_status check_dataset(const char *path, const cJSON *root, const char *dataset,
                                 wsam_error *error)
{
    const cJSON *checksum = cJSON_GetObjectItemCaseSensitive(root, "checksum");
    char own[17];
    if (!cJSON_IsString(checksum))
        return ws_fail(error, WSAM_ERR_FORMAT, "%s: no 'checksum'", path);
    const wsam_status status = wsam_file_checksum(dataset, own, error);
    if (status)
        return status;
    if (strcmp(own, checksum->valuestring) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: is about another data set than %s (checksum %.20s, not %s)", path,
                       dataset, checksum->valuestring, own);
    return WSAM_OK;
}

/* What only wsam_import_review reads: other classes, drawn boxes, states of images. */
static int is_of_import(const char *name)
{
    return strcmp(name, "classes") == 0 || strcmp(name, "drawn") == 0 ||
           strcmp(name, "images") == 0;
}

static wsam_status read_marks(const char *path, const cJSON *root, wsam_review *r,
                              wsam_error *error)
{
    const cJSON *item;
    r->marks = calloc((size_t)cJSON_GetArraySize(root) + 1, sizeof *r->marks);
    if (!r->marks)
        return ws_no_memory(error, path);
    cJSON_ArrayForEach(item, root)
    {
        if (strcmp(item->string, "checksum") == 0)
            continue;
        if (!cJSON_IsString(item) && is_of_import(item->string))
            continue;
        const wsam_status status = read_mark(path, item, &r->marks[r->n++], error);
        if (status)
            return status;
    }
    if (r->n)
        qsort(r->marks, r->n, sizeof *r->marks, by_id);
    for (size_t i = 1; i < r->n; i++)
        if (r->marks[i].id == r->marks[i - 1].id)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: annotation %" PRId64 " is there twice",
                           path, r->marks[i].id);
    return WSAM_OK;
}

wsam_status wsam_review_load(const char *path, const char *dataset, wsam_review **out,
                             wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char *text;
    size_t size;
    *out = NULL;
    wsam_status status = ws_input_whole(path, MAX_FILE, &text, &size, error);
    if (status)
        return status;
    cJSON *root;
    wsam_review *r = calloc(1, sizeof *r);
    status = r ? ws_json_parse(path, 0, text, size, &root, error) : ws_no_memory(error, path);
    if (!r)
        root = NULL;
    if (!status && !cJSON_IsObject(root))
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: not an object of annotation ids", path);
    if (!status)
        status = check_dataset(path, root, dataset, error);
    if (!status)
        status = read_marks(path, root, r, error);
    cJSON_Delete(root);
    free(text);
    if (status)
        wsam_review_free(r);
    else
        *out = r;
    return status;
}

void wsam_review_free(wsam_review *r)
{
    if (!r)
        return;
    free(r->marks);
    free(r);
}

int wsam_review_of(const wsam_review *r, int64_t annotation_id)
{
    const mark key = {annotation_id, 0};
    const mark *found = r->n ? bsearch(&key, r->marks, r->n, sizeof key, by_id) : NULL;
    return !found ? 0 : found->accepted ? 1 : -1;
}
