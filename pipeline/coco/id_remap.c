/* pipeline/coco/id_remap.c - what the ids of another file are in the truth, by file and class
 * names.
 */
#include "pipeline/coco/id_remap.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pipeline/coco/id_search.h"
#include "pipeline/coco/records.h"

/* An id of the other file and what it is in the truth (negative: nothing). */
typedef struct mapped {
    int64_t id;
    int32_t index;
} mapped;

typedef struct mapping {
    mapped *ids;
    size_t n, capacity;
} mapping;

struct ws_names {
    const wsam_eval_truth *truth;
    mapping images, categories;
};

static wsam_status take_name(void *user, ws_records *r, const ws_record *record)
{
    ws_names *names = user;
    const wsam_eval_truth *t = names->truth;
    const int image = record->section == WS_IMAGES;
    const ws_field field = image ? WS_FILE_NAME : WS_NAME;
    mapping *m = image ? &names->images : &names->categories;
    mapped entry;
    if (record->section != WS_IMAGES && record->section != WS_CATEGORIES)
        return WSAM_OK;
    wsam_status status = ws_records_id(r, record, WS_ID, &entry.id);
    if (status)
        return status;
    if (!ws_has(record, field) || !record->text[field].n)
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no '%s'", image ? "file_name" : "name");
    const char *name = record->text[field].text;
    entry.index = image ? ws_truth_index_name(t, name) : ws_truth_index_category_name(t, name);
    if (entry.index == -2)
        return ws_records_fail(r, WSAM_ERR_MISMATCH, "'%s' is the name of several images of %s",
                               name, t->path);
    mapped *ids = ws_grow(m->ids, m->n, &m->capacity, sizeof *ids);
    if (!ids)
        return ws_records_fail(r, WSAM_ERR_MEMORY, "no memory");
    m->ids = ids;
    m->ids[m->n++] = entry;
    return WSAM_OK;
}

static int by_id(const void *a, const void *b)
{
    const mapped *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static void sort_mapping(mapping *m)
{
    if (m->n)
        qsort(m->ids, m->n, sizeof *m->ids, by_id);
}

/* Two pictures of this file may be one of the truth only by mistake. */
static int by_index(const void *a, const void *b)
{
    const mapped *p = a, *q = b;
    return (p->index > q->index) - (p->index < q->index);
}

static wsam_status check_images(ws_names *names, const char *path, wsam_error *error)
{
    const mapping *m = &names->images;
    const wsam_eval_truth *t = names->truth;
    if (m->n)
        qsort(m->ids, m->n, sizeof *m->ids, by_index);
    for (size_t i = 1; i < m->n; i++)
        if (m->ids[i].index >= 0 && m->ids[i].index == m->ids[i - 1].index)
            return ws_fail(error, WSAM_ERR_MISMATCH,
                           "%s: images %" PRId64 " and %" PRId64 " are both '%s' of %s", path,
                           m->ids[i - 1].id, m->ids[i].id, t->images[m->ids[i].index].name,
                           t->path);
    return WSAM_OK;
}

wsam_status ws_id_remap_read(const wsam_eval_truth *t, const char *path, ws_names **out,
                             unsigned *sections, wsam_error *error)
{
    ws_names *names = calloc(1, sizeof *names);
    *out = names;
    if (!names)
        return ws_no_memory(error, path);
    names->truth = t;
    const ws_records_request request = {.path = path,
                                        .wanted = 1u << WS_IMAGES | 1u << WS_CATEGORIES |
                                                  1u << WS_ANNOTATIONS,
                                        .fn = take_name,
                                        .user = names};
    wsam_status status = ws_records_read(&request, sections, error);
    if (!status)
        status = check_images(names, path, error);
    sort_mapping(&names->images);
    sort_mapping(&names->categories);
    return status;
}

void ws_id_remap_free(ws_names *names)
{
    if (!names)
        return;
    free(names->images.ids);
    free(names->categories.ids);
    free(names);
}

static int32_t look_up(const mapping *m, int64_t id)
{
    const size_t at = m->n ? ws_id_search(&m->ids[0].id, m->n, sizeof *m->ids, id) : 0;
    if (at == m->n)
        return -1;
    return m->ids[at].index < 0 ? -2 : m->ids[at].index;
}

int32_t ws_id_remap_image(const ws_names *names, int64_t id)
{
    return look_up(&names->images, id);
}

int32_t ws_id_remap_category(const ws_names *names, int64_t id)
{
    return look_up(&names->categories, id);
}
