/* pipeline/stages/proposals_file.c - lines of a proposals file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/float_scope.h"
#include "pipeline/stages/lines.h"

wsam_status wsam_proposals_json(const wsam_proposals *p, const char *image, char **json)
{
    WS_FLOAT_SCOPE;
    ws_text t = {0};
    ws_text_printf(&t, "{\"image\":");
    ws_json_bytes(&t, image, strlen(image));
    ws_text_printf(&t, ",\"width\":%d,\"height\":%d,\"proposals\":[", p->width, p->height);
    for (size_t i = 0; i < p->n; i++) {
        const wsam_proposal *q = &p->items[i];
        ws_text_printf(&t, "%s{\"box\":[%.9g,%.9g,%.9g,%.9g],\"source\":\"%s\"", i ? "," : "",
                       (double)q->box[0], (double)q->box[1], (double)q->box[2], (double)q->box[3],
                       wsam_source_name(q->source));
        ws_json_number_field(&t, "predicted_iou", (double)q->predicted_iou);
        ws_json_number_field(&t, "stability_score", (double)q->stability_score);
        if (q->cropped)
            ws_text_printf(&t, ",\"cropped\":true");
        if (q->counts) {
            ws_text_printf(&t, ",\"area\":%llu", (unsigned long long)q->area);
            ws_counts_put(&t, "segmentation", p->height, p->width, q->counts, q->counts_length);
        }
        ws_text_put(&t, "}", 1);
    }
    ws_text_put(&t, "]}\n", 3);
    return ws_text_take(&t, json);
}

/* ---- reading ---- */

static int read_box(const cJSON *item, float box[4])
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(item, "box"), *v;
    int n = 0;
    if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) != 4)
        return 0;
    cJSON_ArrayForEach(v, array)
    {
        if (!cJSON_IsNumber(v) || !(fabs(v->valuedouble) <= 1e6))
            return 0;
        box[n++] = (float)v->valuedouble;
    }
    return box[0] <= box[2] && box[1] <= box[3];
}

static int same_size(const cJSON *segmentation, const wsam_proposals *p)
{
    const cJSON *size = cJSON_GetObjectItemCaseSensitive(segmentation, "size");
    const cJSON *h = cJSON_GetArrayItem(size, 0), *w = cJSON_GetArrayItem(size, 1);
    return cJSON_IsNumber(h) && cJSON_IsNumber(w) && h->valueint == p->height &&
           w->valueint == p->width;
}

static wsam_status read_mask(const ws_line *l, const cJSON *item, const wsam_proposals *p,
                             wsam_proposal *q)
{
    const cJSON *s = cJSON_GetObjectItemCaseSensitive(item, "segmentation");
    const cJSON *counts = cJSON_GetObjectItemCaseSensitive(s, "counts");
    wsam_rle rle;
    if (!s || cJSON_IsNull(s))
        return WSAM_OK;
    if (!cJSON_IsString(counts) || !same_size(s, p))
        return ws_line_fields_bad(l, "proposals.segmentation",
                                  "compressed run lengths of the image");
    const size_t n = strlen(counts->valuestring);
    wsam_status status = ws_counts_rle(counts->valuestring, n, p->height, p->width, &rle, l->error);
    if (status == WSAM_ERR_FORMAT)
        status =
            ws_line_fields_bad(l, "proposals.segmentation", "compressed run lengths of the image");
    if (!status) {
        q->area = wsam_rle_area(&rle);
        q->counts = strdup(counts->valuestring);
        q->counts_length = n;
        status = q->counts ? WSAM_OK : ws_line_fields_no_memory(l);
    }
    free(rle.counts);
    return status;
}

static float score(const cJSON *item, const char *field, float otherwise)
{
    double v;
    return ws_line_fields_number(item, field, &v) ? (float)v : otherwise;
}

static wsam_status read_proposal(const ws_line *l, const cJSON *item, wsam_proposals *p)
{
    wsam_proposal *q = &p->items[p->n];
    if (!read_box(item, q->box))
        return ws_line_fields_bad(l, "proposals.box", "[x0,y0,x1,y1] with x0 <= x1 and y0 <= y1");
    if (!ws_line_fields_source(item, &q->source))
        return ws_line_fields_bad(l, "proposals.source", "grid, coarse, fine, class or cross");
    q->predicted_iou = score(item, "predicted_iou", 1);
    q->stability_score = score(item, "stability_score", 1);
    q->cropped = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(item, "cropped"));
    p->n++;
    return read_mask(l, item, p, q);
}

static wsam_status read_fields(const ws_line *l, const cJSON *root, wsam_proposals *p)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "proposals"), *item;
    wsam_status status = ws_line_fields_picture(l, root, &p->image, &p->width, &p->height);
    if (status)
        return status;
    if (!cJSON_IsArray(list))
        return ws_line_fields_bad(l, "proposals", "a list");
    p->items = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof *p->items);
    if (!p->items)
        return ws_line_fields_no_memory(l);
    cJSON_ArrayForEach(item, list)
    {
        status = read_proposal(l, item, p);
        if (status)
            return status;
    }
    return WSAM_OK;
}

wsam_status wsam_proposals_parse(const char *text, size_t size, const char *name, uint64_t number,
                                 wsam_proposals **proposals, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const ws_line l = {name, number, error};
    cJSON *root;
    *proposals = NULL;
    wsam_status status = ws_line_fields_parse(&l, text, size, &root);
    if (status)
        return status;
    wsam_proposals *p = calloc(1, sizeof *p);
    status = p ? read_fields(&l, root, p) : ws_line_fields_no_memory(&l);
    cJSON_Delete(root);
    if (status)
        wsam_proposals_free(p);
    else
        *proposals = p;
    return status;
}

wsam_status wsam_proposals_next(wsam_line_reader *r, wsam_proposals **proposals, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    char *text;
    ws_line line;
    size_t n;
    *proposals = NULL;
    const wsam_status status = ws_line_reader_next(r, &text, &n, &line, error);
    if (status || !n)
        return status;
    return wsam_proposals_parse(text, n, line.name, line.number, proposals, error);
}

void wsam_proposals_free(wsam_proposals *p)
{
    if (!p)
        return;
    for (size_t i = 0; p->items && i < p->n; i++)
        free(p->items[i].counts);
    free(p->items);
    free(p->image);
    free(p);
}
