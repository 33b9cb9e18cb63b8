/* pipeline/dataset/picture_record.c - the results of one picture as bytes, and back. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/dataset/journal.h"

void ws_picture_record_free(wsam_run_output *o)
{
    free(o->points);
    free(o->proposals);
    wsam_instances_clear(&o->scores);
    wsam_instances_clear(&o->pgt);
    wsam_instances_clear(&o->masks);
    memset(o, 0, sizeof *o);
}

/* ---- writing ---- */

/* Text with its length; NULL is length 0, others count their NUL. */
static void put_text(ws_text *t, const char *text, size_t length)
{
    const uint64_t n = text ? length + 1 : 0;
    ws_text_put(t, (const char *)&n, sizeof n);
    if (text) {
        ws_text_put(t, text, length);
        ws_text_put(t, "", 1);
    }
}

/* The fixed part of an instance: pointers never reach the file. */
typedef struct fixed {
    int64_t id;
    double bbox[4], score, raw_score, confidence;
    uint64_t area;
    int32_t class_index;
    float predicted_iou, stability_score;
    int32_t origin;
} fixed;

static void put_instances(ws_text *t, const wsam_instances *list)
{
    const uint64_t n = list->n;
    ws_text_put(t, (const char *)&n, sizeof n);
    for (size_t i = 0; i < list->n; i++) {
        const wsam_instance *a = &list->items[i];
        const fixed f = {a->id,
                         {a->bbox[0], a->bbox[1], a->bbox[2], a->bbox[3]},
                         a->score,
                         a->raw_score,
                         a->confidence,
                         a->area,
                         a->class_index,
                         a->predicted_iou,
                         a->stability_score,
                         a->origin};
        ws_text_put(t, (const char *)&f, sizeof f);
        put_text(t, a->counts, a->counts_length);
    }
}

void ws_picture_record_put(ws_text *t, const wsam_run_output *o, const char *failure)
{
    const int32_t head[4] = {failure != NULL, (int32_t)o->stage, o->width, o->height};
    ws_text_put(t, (const char *)head, sizeof head);
    ws_text_put(t, (const char *)o->seconds, sizeof o->seconds);
    ws_text_put(t, (const char *)&o->prompts, sizeof o->prompts);
    put_text(t, failure, failure ? strlen(failure) : 0);
    if (failure)
        return;
    put_text(t, o->points, o->points ? strlen(o->points) : 0);
    put_text(t, o->proposals, o->proposals ? strlen(o->proposals) : 0);
    put_instances(t, &o->scores);
    put_instances(t, &o->pgt);
    put_instances(t, &o->masks);
}

/* ---- reading ---- */

typedef struct reader {
    const char *at;
    size_t left;
    int bad, no_memory; /* without memory it is bad, too */
} reader;

static void get(reader *r, void *to, size_t n)
{
    if (r->bad || n > r->left) {
        r->bad = 1;
        memset(to, 0, n);
        return;
    }
    memcpy(to, r->at, n);
    r->at += n;
    r->left -= n;
}

static char *get_text(reader *r, size_t *length)
{
    uint64_t n;
    get(r, &n, sizeof n);
    *length = n ? (size_t)n - 1 : 0;
    if (!n || r->bad)
        return NULL;
    if (n > r->left || r->at[n - 1]) {
        r->bad = 1;
        return NULL;
    }
    char *text = malloc((size_t)n);
    if (text)
        get(r, text, (size_t)n);
    else
        r->bad = r->no_memory = 1;
    return text;
}

static void get_instances(reader *r, wsam_instances *list)
{
    uint64_t n;
    get(r, &n, sizeof n);
    if (r->bad || n > r->left / sizeof(fixed)) {
        r->bad = 1;
        return;
    }
    list->items = calloc((size_t)n + 1, sizeof *list->items);
    if (!list->items)
        r->bad = r->no_memory = 1;
    for (; list->items && list->n < n && !r->bad; list->n++) {
        wsam_instance *a = &list->items[list->n];
        fixed f;
        get(r, &f, sizeof f);
        a->id = f.id;
        memcpy(a->bbox, f.bbox, sizeof a->bbox);
        a->score = f.score;
        a->raw_score = f.raw_score;
        a->confidence = f.confidence;
        a->area = f.area;
        a->class_index = f.class_index;
        a->predicted_iou = f.predicted_iou;
        a->stability_score = f.stability_score;
        a->origin = f.origin;
        a->counts = get_text(r, &a->counts_length);
    }
}

wsam_status ws_picture_record_get(const char *bytes, size_t n, wsam_run_output *o, char **failure,
                                  wsam_error *error)
{
    reader r = {.at = bytes, .left = n};
    int32_t head[4];
    size_t length;
    memset(o, 0, sizeof *o);
    get(&r, head, sizeof head);
    o->stage = head[1] >= 0 && head[1] < WSAM_RUN_STAGES ? (wsam_run_stage)head[1] : WSAM_RUN_LOAD;
    o->width = head[2];
    o->height = head[3];
    get(&r, o->seconds, sizeof o->seconds);
    get(&r, &o->prompts, sizeof o->prompts);
    *failure = get_text(&r, &length);
    if (!*failure && !r.bad) {
        o->points = get_text(&r, &length);
        o->proposals = get_text(&r, &length);
        get_instances(&r, &o->scores);
        get_instances(&r, &o->pgt);
        get_instances(&r, &o->masks);
    }
    if (r.no_memory)
        return ws_no_memory(error, "a record");
    return r.bad || (head[0] != 0) != (*failure != NULL)
               ? ws_fail(error, WSAM_ERR_FORMAT, "a damaged record")
               : WSAM_OK;
}
