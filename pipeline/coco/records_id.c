/* pipeline/coco/records_id.c - ids of records. Images, classes and annotations have one of their own, in
 * every file that a command reads. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/coco/records_state.h"

static int64_t id_of_text(const ws_text *text)
{
    return ws_id_texts_id(text->n ? text->text : "", text->n);
}

int ws_records_id_is_text(const ws_record *record, ws_field f)
{
    int64_t id;
    return record->texts >> f & 1 ||
           (record->text[f].n &&
            !ws_records_whole_number(record->number[f], &record->text[f], &id));
}

wsam_status ws_records_id_keep(ws_records *r, const ws_record *record, ws_field f, int64_t id,
                               wsam_id_texts **texts)
{
    const ws_text *text = &record->text[f];
    ws_text json = {0};
    if (!ws_records_id_is_text(record, f))
        return WSAM_OK;
    if (record->texts >> f & 1)
        ws_json_bytes(&json, text->n ? text->text : "", text->n);
    else
        ws_text_put(&json, text->text, text->n);
    const wsam_status status = json.failed || ws_id_texts_add(texts, id, json.text, json.n, NULL)
                                   ? ws_records_fail(r, WSAM_ERR_MEMORY, "no memory")
                                   : WSAM_OK;
    free(json.text);
    return status;
}

wsam_status ws_records_id(ws_records *r, const ws_record *record, ws_field f, int64_t *id)
{
    if (!ws_has(record, f))
        return ws_records_fail(r, WSAM_ERR_FORMAT, "no '%s'", ws_field_rules[f].name);
    if (record->texts >> f & 1)
        *id = id_of_text(&record->text[f]);
    else if (ws_records_whole_number(record->number[f], &record->text[f], id))
        return WSAM_OK;
    else if (record->text[f].n && !strpbrk(record->text[f].text, ".eE"))
        *id = id_of_text(&record->text[f]);
    else
        return ws_records_fail(r, WSAM_ERR_FORMAT, "'%s' is not a whole number",
                               ws_field_rules[f].name);
    return WSAM_OK;
}

/* ---- each once ---- */

int ws_records_id_note(ws_records *r)
{
    int64_t id;
    const ws_section section = r->record.section;
    const int numbered = section == WS_ANNOTATIONS && ws_has(&r->record, WS_ID);
    if (section != WS_IMAGES && section != WS_CATEGORIES && !numbered)
        return 1;
    if (ws_records_id(r, &r->record, WS_ID, &id))
        return 0;
    ws_noted_id *ids = ws_grow(r->ids, r->n_ids, &r->id_capacity, sizeof *ids);
    if (!ids)
        return ws_records_no_memory(r);
    r->ids = ids;
    r->ids[r->n_ids++] = (ws_noted_id){id, r->record.index};
    return 1;
}

static int by_id(const void *a, const void *b)
{
    const ws_noted_id *p = a, *q = b;
    if (p->id != q->id)
        return p->id < q->id ? -1 : 1;
    return (p->index > q->index) - (p->index < q->index);
}

int ws_records_id_check(ws_records *r)
{
    const char *name = ws_section_names[r->section];
    if (r->n_ids)
        qsort(r->ids, r->n_ids, sizeof *r->ids, by_id);
    for (size_t i = 1; i < r->n_ids; i++)
        if (r->ids[i].id == r->ids[i - 1].id) {
            r->status = ws_fail(r->error, WSAM_ERR_FORMAT, "%s: %s[%zu] has the id of %s[%zu]",
                                r->request->path, name, r->ids[i].index, name, r->ids[i - 1].index);
            return 0;
        }
    r->n_ids = 0;
    return 1;
}
