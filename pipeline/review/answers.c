/* pipeline/review/answers.c - see answers.h. */
#include "pipeline/review/answers.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parse.h"
#include "base/json_writer.h"
#include "pipeline/coco/outline.h"
#include "pipeline/stages/stages.h"

enum { MAX_POINTS = 100 };

static const char *const reviewed_names[] = {"none", "accepted", "drawn", "rejected"};

/* ---- out ---- */

static size_t count(const ws_review_image *image, int open)
{
    size_t n = 0;
    for (size_t i = 0; i < image->n; i++)
        n += !image->objects[i].gone && !(open && image->objects[i].a.reviewed);
    return n;
}

void ws_answers_list(const ws_review_session *s, int prompts, ws_text *t)
{
    ws_text_printf(t, "{\"prompts\":%s,\"classes\":[", prompts ? "true" : "false");
    for (size_t i = 0; i < s->n_classes; i++) {
        ws_json_comma(t, i == 0);
        ws_json_string(t, s->classes[i]);
    }
    ws_text_printf(t, "],\"images\":[");
    for (size_t place = 0; place < s->n_listed; place++) {
        const ws_review_image *image = &s->images[s->order[place]];
        ws_text_printf(t, place ? ",\n[" : "\n[");
        ws_json_string(t, image->name);
        ws_text_printf(t, ",%d,%d,%d,%d,%d,%zu,%zu]", image->width, image->height,
                       (int)image->review, image->missing, image->audit, count(image, 1),
                       count(image, 0));
    }
    ws_text_printf(t, "]}");
}

/* An SVG path of the mask, in pixels of the image. */
static wsam_status put_path(const wsam_instance *a, int height, int width, ws_text *t,
                            wsam_error *error)
{
    ws_outline o;
    const wsam_status status = ws_outline_of(a, height, width, &o, error);
    ws_text_printf(t, ",\"path\":\"");
    for (size_t r = 0; r < o.n && !status; r++) {
        for (size_t k = o.rings[r].first; k < o.rings[r].first + o.rings[r].points; k++)
            ws_text_printf(t, "%s%d %d", k == o.rings[r].first ? "M" : "L", (int)o.xy[2 * k],
                           (int)o.xy[2 * k + 1]);
        ws_text_put(t, "Z", 1);
    }
    ws_text_put(t, "\"", 1);
    ws_outline_free(&o);
    return status;
}

static wsam_status put_object(const ws_review_image *image, const ws_review_object *o, ws_text *t,
                              wsam_error *error)
{
    const wsam_instance *a = &o->a;
    ws_text_printf(t,
                   "{\"id\":%" PRId64 ",\"class\":%d,\"reviewed\":\"%s\",\"box\":[%.6g,%.6g,%.6g,"
                   "%.6g],\"score\":%.4g,\"confidence\":%.4g",
                   a->id, (int)a->class_index, reviewed_names[a->reviewed], a->bbox[0], a->bbox[1],
                   a->bbox[2], a->bbox[3], wsam_instance_evidence(a), a->confidence);
    const wsam_status status =
        a->counts ? put_path(a, image->height, image->width, t, error) : WSAM_OK;
    ws_text_put(t, "}", 1);
    return status;
}

wsam_status ws_answers_objects(const ws_review_session *s, size_t place, ws_text *t,
                               wsam_error *error)
{
    wsam_status status = WSAM_OK;
    int first = 1;
    if (place >= s->n_listed)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no such image");
    const ws_review_image *image = &s->images[s->order[place]];
    ws_text_printf(t, "{\"objects\":[");
    for (size_t i = 0; i < image->n && !status; i++)
        if (!image->objects[i].gone) {
            ws_json_comma(t, first);
            first = 0;
            status = put_object(image, &image->objects[i], t, error);
        }
    ws_text_printf(t, "]}");
    return status;
}

/* ---- in ---- */

static double number_of(const cJSON *body, const char *key, double otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, key);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

static const char *text_of(const cJSON *body, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(body, key));
}

/* Four finite numbers. */
static int box_of(const cJSON *body, double box[4])
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(body, "box");
    for (int k = 0; k < 4; k++) {
        const cJSON *item = cJSON_GetArrayItem(list, k);
        box[k] = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        if (!isfinite(box[k]))
            return 0;
    }
    return 1;
}

static wsam_status place_of(const ws_review_session *s, const cJSON *body, size_t *place,
                            wsam_error *error)
{
    const double v = number_of(body, "image", -1);
    if (!(v >= 0 && v < (double)s->n_listed))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "'image' is no place of the list");
    *place = (size_t)v;
    return WSAM_OK;
}

static wsam_status post_set(ws_review_session *s, size_t place, const cJSON *body, ws_text *t,
                            wsam_error *error)
{
    double box[4];
    int64_t id;
    ws_review_change c = {.image = s->order[place],
                          .id = (int64_t)number_of(body, "id", 0),
                          .class_name = text_of(body, "class"),
                          .reviewed = text_of(body, "reviewed"),
                          .counts = text_of(body, "counts"),
                          .remove = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "remove"))};
    if (box_of(body, box))
        c.box = box;
    const wsam_status status = ws_review_session_change(s, &c, &id, error);
    ws_text_printf(t, "{\"id\":%" PRId64 "}", id);
    return status;
}

static wsam_status post_image(ws_review_session *s, size_t place, const cJSON *body, ws_text *t,
                              wsam_error *error)
{
    const cJSON *missing = cJSON_GetObjectItemCaseSensitive(body, "missing");
    ws_text_printf(t, "{}");
    return ws_review_session_image(s, s->order[place], text_of(body, "review"),
                                   cJSON_IsBool(missing) ? cJSON_IsTrue(missing) : -1, error);
}

static wsam_status post_undo(ws_review_session *s, ws_text *t, wsam_error *error)
{
    size_t image, place = 0;
    const wsam_status status = ws_review_session_undo(s, &image, error);
    if (status || image == SIZE_MAX) {
        ws_text_printf(t, "{\"image\":null}");
        return status;
    }
    while (s->order[place] != image)
        place++;
    ws_text_printf(t, "{\"image\":%zu}", place);
    return WSAM_OK;
}

/* ---- prompts ---- */

static size_t points_of(const cJSON *body, wsam_point *points)
{
    const cJSON *item;
    size_t n = 0;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(body, "points"))
    {
        if (n == MAX_POINTS)
            return 0;
        const cJSON *x = cJSON_GetArrayItem(item, 0), *y = cJSON_GetArrayItem(item, 1);
        points[n].x = cJSON_IsNumber(x) ? x->valuedouble : NAN;
        points[n].y = cJSON_IsNumber(y) ? y->valuedouble : NAN;
        const cJSON *label = cJSON_GetArrayItem(item, 2);
        points[n++].label = !cJSON_IsNumber(label) || label->valuedouble >= 0.5;
    }
    return n;
}

/* Of three candidates the one that the model believes in most. */
static const wsam_mask *best_of(const wsam_result *result)
{
    const wsam_mask *best = NULL;
    for (size_t i = 0; i < result->n; i++)
        if (result->masks[i].area &&
            (!best || result->masks[i].predicted_iou > best->predicted_iou))
            best = &result->masks[i];
    return best;
}

static wsam_status put_mask(const wsam_mask *mask, ws_text *t, wsam_error *error)
{
    wsam_instance a = {0};
    if (!ws_counts_text(&mask->rle, &a.counts, &a.counts_length))
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a mask");
    ws_text_printf(
        t, "{\"box\":[%d,%d,%d,%d],\"predicted_iou\":%.4g,\"counts\":", (int)mask->bbox[0],
        (int)mask->bbox[1], (int)mask->bbox[2], (int)mask->bbox[3], (double)mask->predicted_iou);
    ws_json_string(t, a.counts);
    const wsam_status status = put_path(&a, mask->rle.height, mask->rle.width, t, error);
    ws_text_put(t, "}", 1);
    free(a.counts);
    return status;
}

static wsam_status post_prompt(ws_encoder *encoder, size_t place, const cJSON *body, ws_text *t,
                               wsam_error *error)
{
    wsam_point points[MAX_POINTS];
    double box[4];
    wsam_result *result = NULL;
    wsam_prompt prompt = {.points = points, .n_points = points_of(body, points)};
    if (!encoder)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no model was given, so no masks can be made");
    if (box_of(body, box)) {
        prompt.has_box = 1;
        for (int k = 0; k < 2; k++) {
            prompt.box[k] = box[k];
            prompt.box[2 + k] = box[k] + box[2 + k];
        }
    }
    prompt.multimask = !prompt.has_box && prompt.n_points == 1;
    wsam_status status = ws_review_encoder_run(encoder, place, &prompt, &result, error);
    if (status)
        return status;
    const wsam_mask *best = best_of(result);
    if (best)
        status = put_mask(best, t, error);
    else
        ws_text_printf(t, "{\"box\":null}");
    wsam_result_free(result);
    return status;
}

wsam_status ws_answers_post(ws_review_session *s, ws_encoder *encoder, const char *what,
                            const char *body, size_t n, ws_text *t, wsam_error *error)
{
    cJSON *root = NULL;
    size_t place = 0;
    if (strcmp(what, "/undo") == 0)
        return post_undo(s, t, error);
    wsam_status status = ws_json_parse("the request", 0, body, n, &root, error);
    if (!status)
        status = place_of(s, root, &place, error);
    if (status)
        ;
    else if (strcmp(what, "/set") == 0)
        status = post_set(s, place, root, t, error);
    else if (strcmp(what, "/image") == 0)
        status = post_image(s, place, root, t, error);
    else if (strcmp(what, "/prompt") == 0)
        status = post_prompt(encoder, place, root, t, error);
    else if (strcmp(what, "/seconds") == 0) {
        ws_text_printf(t, "{}");
        status =
            ws_review_session_seconds(s, s->order[place], number_of(root, "seconds", -1), error);
    } else
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "no such request");
    cJSON_Delete(root);
    return status;
}
