/* pipeline/everything/everything_result.c - kept records of the mask generator, and their files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/locale.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/picture/picture.h"
#include "weaksam/everything.h"
#include "weaksam/segment.h"

/* ---- keeping records ---- */

typedef struct collector {
    wsam_everything_result *result;
    size_t capacity;
    int failed;
} collector;

static int keep(void *user, const wsam_everything_record *record)
{
    collector *c = user;
    wsam_everything_result *r = c->result;
    if (r->n == c->capacity) {
        const size_t capacity = c->capacity ? 2 * c->capacity : 64;
        wsam_everything_record *records = realloc(r->records, capacity * sizeof *records);
        c->failed |= !records;
        if (!records)
            return 1;
        r->records = records;
        c->capacity = capacity;
    }
    char *counts = malloc(record->counts_length + 1);
    c->failed |= !counts;
    if (!counts)
        return 1;
    memcpy(counts, record->counts, record->counts_length + 1);
    r->records[r->n] = *record;
    r->records[r->n++].counts = counts;
    return 0;
}

wsam_status wsam_everything_collect(wsam_everything *everything, const wsam_picture *picture,
                                    const wsam_everything_options *options,
                                    wsam_everything_result **out, wsam_everything_stats *stats,
                                    wsam_error *error)
{
    WS_FLOAT_SCOPE;
    *out = NULL;
    collector c = {.result = calloc(1, sizeof *c.result)};
    if (!c.result)
        return ws_fail(error, WSAM_ERR_MEMORY, "everything: no memory for results");
    c.result->height = picture->height;
    c.result->width = picture->width;
    wsam_status status = wsam_everything_run(everything, picture, options, keep, &c, stats, error);
    if (c.failed)
        status = ws_fail(error, WSAM_ERR_MEMORY, "everything: no memory for results");
    if (status)
        wsam_everything_result_free(c.result);
    else
        *out = c.result;
    return status;
}

static void free_counts(const char *counts)
{
    void *memory;
    memcpy(&memory, &counts, sizeof memory); /* ours, although records show it as constant */
    free(memory);
}

void wsam_everything_result_free(wsam_everything_result *result)
{
    if (!result)
        return;
    for (size_t i = 0; i < result->n; i++)
        free_counts(result->records[i].counts);
    free(result->records);
    free(result);
}

/* ---- JSON ---- */

wsam_status wsam_everything_json(const wsam_everything_result *r, const char *image, char **json)
{
    WS_FLOAT_SCOPE;
    ws_text t = {0};
    ws_text_printf(&t, "{\"image\":");
    ws_json_bytes(&t, image, strlen(image));
    ws_text_printf(&t, ",\"width\":%d,\"height\":%d,\"masks\":[", r->width, r->height);
    for (size_t i = 0; i < r->n; i++) {
        const size_t n = wsam_everything_record_json(&r->records[i], NULL, 0);
        if (i)
            ws_text_put(&t, ",", 1);
        char *room = ws_text_room(&t, n);
        if (room)
            t.n += wsam_everything_record_json(&r->records[i], room, n);
    }
    ws_text_put(&t, "]}\n", 3);
    return ws_text_take(&t, json);
}

static wsam_status add_json(const wsam_everything_result *r, const char *image, const char *path,
                            ws_outputs *out, wsam_error *error)
{
    char *text;
    if (wsam_everything_json(r, image, &text))
        return ws_no_memory(error, path);
    FILE *f = ws_outputs_open(out, path, error);
    if (f)
        fputs(text, f);
    free(text);
    return f ? ws_outputs_close(out, error) : WSAM_ERR_IO;
}

/* ---- pictures ---- */

static int decode(const wsam_everything_record *r, wsam_rle *rle)
{
    *rle = (wsam_rle){.height = r->height, .width = r->width, .capacity = r->counts_length + 1};
    rle->counts = malloc(rle->capacity * sizeof *rle->counts);
    return rle->counts && !wsam_rle_from_string(r->counts, r->counts_length, rle, NULL);
}

static int larger_first(const void *a, const void *b)
{
    const wsam_mask *p = a, *q = b;
    if (p->area != q->area)
        return p->area < q->area ? 1 : -1;
    return p->index - q->index;
}

wsam_status wsam_everything_overlay(const wsam_everything_result *r, const wsam_picture *picture,
                                    wsam_picture *out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    wsam_result masks = {.height = r->height, .width = r->width, .n_prompts = r->n, .n = r->n};
    masks.masks = calloc(r->n + 1, sizeof *masks.masks);
    masks.first = calloc(r->n + 1, sizeof *masks.first);
    int good = masks.masks && masks.first;
    for (size_t i = 0; i < r->n && good; i++) {
        masks.masks[i].area = r->records[i].area;
        masks.masks[i].index = (int)i;
        masks.first[i + 1] = i + 1;
        good = decode(&r->records[i], &masks.masks[i].rle);
    }
    wsam_status status;
    if (good) {
        if (r->n)
            qsort(masks.masks, r->n, sizeof *masks.masks, larger_first);
        status = wsam_result_overlay(&masks, picture, out, error);
    } else {
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for an overlay");
    }
    for (size_t i = 0; masks.masks && i < r->n; i++)
        free(masks.masks[i].rle.counts);
    free(masks.masks);
    free(masks.first);
    return status;
}

static wsam_status add_picture(const wsam_picture *picture, const char *path, ws_outputs *out,
                               wsam_error *error)
{
    FILE *f = ws_outputs_open(out, path, error);
    if (!f)
        return WSAM_ERR_IO;
    const wsam_status status = ws_png_write(picture, f, error);
    return status ? status : ws_outputs_close(out, error);
}

static wsam_status add_overlay(const wsam_everything_result *r, const wsam_picture *picture,
                               const char *path, ws_outputs *out, wsam_error *error)
{
    wsam_picture overlay;
    wsam_status status = wsam_everything_overlay(r, picture, &overlay, error);
    if (!status) {
        status = add_picture(&overlay, path, out, error);
        wsam_picture_free(&overlay);
    }
    return status;
}

static wsam_status add_mask(const wsam_everything_record *r, uint8_t *bytes, const char *path,
                            ws_outputs *out, wsam_error *error)
{
    const wsam_picture mask = {r->height, r->width, 1, (size_t)r->width, bytes, NULL};
    wsam_rle rle;
    const int good = decode(r, &rle);
    if (good)
        wsam_rle_decode(&rle, 255, bytes, (size_t)r->width);
    free(rle.counts);
    if (!good)
        return ws_no_memory(error, path);
    return add_picture(&mask, path, out, error);
}

/* The table of segment-anything's own script. */
static const char table_head[] =
    "id,area,bbox_x0,bbox_y0,bbox_w,bbox_h,point_input_x,point_input_y,predicted_iou,"
    "stability_score,crop_box_x0,crop_box_y0,crop_box_w,crop_box_h\n";

static wsam_status add_table(const wsam_everything_result *r, const char *path, ws_outputs *out,
                             wsam_error *error)
{
    FILE *f = ws_outputs_open(out, path, error);
    if (!f)
        return WSAM_ERR_IO;
    fputs(table_head, f);
    const locale_t before = ws_locale_plain();
    for (size_t i = 0; i < r->n; i++) {
        const wsam_everything_record *m = &r->records[i];
        fprintf(f, "%zu,%llu,%d,%d,%d,%d,%.17g,%.17g,%.9g,%.9g,%d,%d,%d,%d\n", i,
                (unsigned long long)m->area, m->bbox[0], m->bbox[1], m->bbox[2], m->bbox[3],
                m->point[0], m->point[1], (double)m->predicted_iou, (double)m->stability_score,
                m->crop_box[0], m->crop_box[1], m->crop_box[2], m->crop_box[3]);
    }
    ws_locale_restore(before);
    return ws_outputs_close(out, error);
}

/* ---- files ---- */

/* Whether an earlier call left its masks in this folder. */
static wsam_status has_table(const char *folder, int *ours, wsam_error *error)
{
    char line[sizeof table_head] = "";
    const size_t size = strlen(folder) + 16;
    char *path = malloc(size);
    *ours = 0;
    if (!path)
        return ws_no_memory(error, folder);
    snprintf(path, size, "%s/metadata.csv", folder);
    wsam_status status = ws_file_there(path, ours, error);
    FILE *f = *ours ? fopen(path, "rb") : NULL;
    const int read = f && fgets(line, sizeof line, f);
    if (*ours && (!f || (!read && ferror(f))))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    *ours = read && strcmp(line, table_head) == 0;
    if (f)
        fclose(f);
    free(path);
    return status;
}

/* N.png from N = *n on: masks of an earlier call, which the new table does not list. */
static int is_not_listed(const void *n, const char *name)
{
    char own[32];
    const unsigned long long i = strtoull(name, NULL, 10);
    snprintf(own, sizeof own, "%llu.png", i);
    return i >= *(const size_t *)n && strcmp(own, name) == 0;
}

/* The folder of masks: STEM/0.png ... and STEM/metadata.csv. */
static wsam_status add_masks(const wsam_everything_result *r, char *path, size_t size,
                             ws_outputs *out, wsam_error *error)
{
    const size_t n = strlen(path);
    uint8_t *bytes = malloc((size_t)r->height * (size_t)r->width);
    if (!bytes)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    wsam_status status = ws_outputs_folder(out, path, error);
    for (size_t i = 0; i < r->n && !status; i++) {
        snprintf(path + n, size - n, "/%zu.png", i);
        status = add_mask(&r->records[i], bytes, path, out, error);
    }
    snprintf(path + n, size - n, "/metadata.csv");
    if (!status)
        status = add_table(r, path, out, error);
    free(bytes);
    return status;
}

wsam_status wsam_everything_save(const wsam_everything_result *r, const wsam_picture *picture,
                                 const char *image, const char *folder, const char *stem,
                                 unsigned what, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_outputs files = {0}, masks = {0};
    const size_t size = strlen(folder) + strlen(stem) + 80;
    char *path = malloc(size);
    if (!path)
        return ws_no_memory(error, folder);
    wsam_status status = WSAM_OK;
    if (strchr(stem, '/') || !*stem || strcmp(stem, ".") == 0 || strcmp(stem, "..") == 0)
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "'%.80s' is no name for a file", stem);
    if (!status)
        status = ws_outputs_folder(&files, folder, error);
    snprintf(path, size, "%s/%s.json", folder, stem);
    if (!status && what & WSAM_EVERYTHING_JSON)
        status = add_json(r, image, path, &files, error);
    snprintf(path, size, "%s/%s_overlay.png", folder, stem);
    if (!status && what & WSAM_EVERYTHING_OVERLAY)
        status = add_overlay(r, picture, path, &files, error);
    snprintf(path, size, "%s/%s", folder, stem);
    int again = 0;
    if (!status && what & WSAM_EVERYTHING_PNG)
        status = has_table(path, &again, error);
    if (!status && what & WSAM_EVERYTHING_PNG)
        status = add_masks(r, path, size, &masks, error);
    status = ws_outputs_finish(&masks, status, error);
    snprintf(path, size, "%s/%s", folder, stem);
    if (!status && again)
        status = ws_file_remove_all(path, is_not_listed, &r->n, error);
    free(path);
    return ws_outputs_finish(&files, status, error);
}
