/* pipeline/coco/coco_write.c - results lists and data sets, written picture by picture.
 *
 * Annotations go to the file at once; pictures, which a data set lists beside them, wait in a
 * temporary file, so that memory does not grow with the number of pictures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/coco/list_names.h"
#include "pipeline/coco/members.h"
#include "pipeline/stages/stages.h"

struct wsam_coco_writer {
    wsam_coco_kind kind;
    const wsam_classes *classes;
    ws_outputs own, *out; /* own, or those of somebody who finishes them */
    FILE *file, *images;
    char *path;
    int64_t n_images, next_id;
    int any; /* a record was written */
};

static int64_t class_id(const wsam_classes *c, size_t i)
{
    return c->ids ? c->ids[i] : (int64_t)i + 1;
}

/* ---- opening ---- */

static void put_categories(const wsam_classes *c, ws_text *t)
{
    ws_text_printf(t, "\"categories\":[");
    for (size_t i = 0; i < c->n; i++) {
        ws_text_printf(t, "%s{\"id\":", i ? "," : "");
        ws_id_texts_put(t, c->id_texts, class_id(c, i));
        ws_text_printf(t, ",\"name\":");
        ws_json_bytes(t, c->names[i], strlen(c->names[i]));
        ws_text_put(t, "}", 1);
    }
    ws_text_put(t, "]", 1);
}

static wsam_status begin(wsam_coco_writer *w, const char *info, wsam_error *error)
{
    ws_text t = {0};
    if (w->kind == WSAM_COCO_RESULTS) {
        ws_text_printf(&t, "[\n");
    } else {
        ws_text_printf(&t, "{\"info\":{\"version\":\"%s\",\"parameters\":", wsam_version());
        ws_text_put(&t, info ? info : "{}", info ? strlen(info) : 2);
        ws_text_printf(&t, "},\n");
        put_categories(w->classes, &t);
        ws_text_printf(&t, ",\n\"annotations\":[\n");
    }
    if (!t.failed)
        fwrite(t.text, 1, t.n, w->file);
    const int failed = t.failed;
    free(t.text);
    return failed ? ws_no_memory(error, w->path) : WSAM_OK;
}

wsam_status ws_coco_write_in(ws_outputs *outputs, const char *path, wsam_coco_kind kind,
                             const wsam_classes *classes, const char *info, wsam_coco_writer **out,
                             wsam_error *error)
{
    *out = NULL;
    wsam_coco_writer *w = calloc(1, sizeof *w);
    if (!w || !(w->path = strdup(path))) {
        free(w);
        return ws_no_memory(error, path);
    }
    w->kind = kind;
    w->classes = classes;
    w->out = outputs ? outputs : &w->own;
    w->next_id = 1;
    wsam_status status = WSAM_OK;
    w->file = ws_outputs_open(w->out, path, error);
    if (!w->file)
        status = error && error->status ? error->status : WSAM_ERR_IO;
    if (!status) {
        const int fd = ws_output_scratch(path);
        w->images = fd < 0 ? NULL : fdopen(fd, "w+b");
        if (!w->images)
            status = ws_fail(error, WSAM_ERR_IO, "%s: no scratch file: %s", path, strerror(errno));
        if (!w->images && fd >= 0)
            close(fd);
    }
    if (!status)
        status = begin(w, info, error);
    if (status)
        wsam_coco_finish(w, status, NULL);
    else
        *out = w;
    return status;
}

wsam_status wsam_coco_open(const char *path, wsam_coco_kind kind, const wsam_classes *classes,
                           const char *info, wsam_coco_writer **out, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    return ws_coco_write_in(NULL, path, kind, classes, info, out, error);
}

/* ---- one picture ---- */

/* All outer outlines; holes have no place in COCO's lists of polygons, which are united. */
static void put_outlines(ws_text *t, const wsam_contour *c, size_t n, const int32_t *xy)
{
    int any = 0;
    ws_text_printf(t, ",\"segmentation\":[");
    for (size_t i = 0; i < n; i++) {
        if (c[i].hole)
            continue;
        ws_text_put(t, any ? ",[" : "[", any ? 2 : 1);
        for (size_t k = 2 * c[i].first; k < 2 * (c[i].first + c[i].points); k++)
            ws_text_printf(t, "%s%d", k > 2 * c[i].first ? "," : "", (int)xy[k]);
        ws_text_put(t, "]", 1);
        any = 1;
    }
    ws_text_put(t, "]", 1);
}

static int trace(const uint64_t *bits, uint64_t *work, const wsam_rle *rle, ws_text *t)
{
    size_t n, points;
    wsam_contours(bits, rle->height, rle->width, work, NULL, 0, &n, NULL, 0, &points);
    wsam_contour *contours = malloc((n + 1) * sizeof *contours);
    int32_t *xy = malloc((points + 1) * 2 * sizeof *xy);
    const int good = contours && xy &&
                     !wsam_contours(bits, rle->height, rle->width, work, contours, n + 1, &n, xy,
                                    points + 1, &points);
    if (good)
        put_outlines(t, contours, n, xy);
    free(contours);
    free(xy);
    return good;
}

static int put_polygons(ws_text *t, const wsam_coco_image *image, const wsam_instance *a)
{
    wsam_rle rle;
    const size_t words = wsam_bits_words(image->height, image->width);
    uint64_t *bits = malloc(2 * words * sizeof *bits);
    int good = !ws_counts_rle(a->counts, a->counts_length, image->height, image->width, &rle, NULL);
    if (good && bits) {
        wsam_rle_to_bits(&rle, bits);
        good = trace(bits, bits + words, &rle, t);
    }
    free(rle.counts);
    good = good && bits;
    free(bits);
    return good;
}

/* What a crop showed, until the box gets its mask: the one in the whole image is another, or none. */
static void put_crop_mask(ws_text *t, const wsam_coco_image *image, const wsam_instance *a)
{
    if (a->reviewed || !a->origin)
        return;
    ws_json_number_field(t, "predicted_iou", (double)a->predicted_iou);
    ws_json_number_field(t, "stability_score", (double)a->stability_score);
    ws_counts_put(t, "crop_mask", image->height, image->width, a->counts, a->counts_length);
}

static int put_segmentation(const wsam_coco_writer *w, ws_text *t, const wsam_coco_image *image,
                            const wsam_instance *a)
{
    int good = 1;
    if (!a->counts)
        return 1;
    if (w->kind < WSAM_COCO_MASKS) {
        put_crop_mask(t, image, a);
        return 1;
    }
    if (w->kind == WSAM_COCO_POLYGONS)
        good = put_polygons(t, image, a);
    else
        ws_counts_put(t, "segmentation", image->height, image->width, a->counts, a->counts_length);
    ws_json_number_field(t, "predicted_iou", (double)a->predicted_iou);
    ws_json_number_field(t, "stability_score", (double)a->stability_score);
    ws_json_number_field(t, "confidence", a->confidence);
    return good;
}

/* Where a box comes from: of pseudo labels always, of others where that is known. */
static void put_origin(const wsam_coco_writer *w, ws_text *t, const wsam_instance *a)
{
    const int pseudo = w->kind != WSAM_COCO_RESULTS && (a->raw_score > 0 || a->raw_score < 0);
    const char *name = wsam_source_name((wsam_source)(a->origin - 1));
    if (pseudo)
        ws_json_number_field(t, "raw_score", a->raw_score);
    if (name || pseudo)
        ws_text_printf(t, ",\"source\":\"%s\"", name ? name : "detector");
}

/* Its own, or the next one that is free: above all that are numbers. */
static int64_t id_of(wsam_coco_writer *w, const wsam_instance *a)
{
    const int64_t id = a->id > 0 ? a->id : w->next_id;
    wsam_coco_reserve(w, id);
    return id;
}

/* A decided annotation is the text that it was read as. */
static int put_as_read(wsam_coco_writer *w, ws_text *t, int64_t image_id, const wsam_instance *a)
{
    const wsam_id_texts *texts = w->classes->id_texts;
    ws_member_id ids[] = {{"image_id", image_id, NULL},
                          {"category_id", class_id(w->classes, (size_t)a->class_index), NULL},
                          {"id", id_of(w, a), NULL}};
    for (int i = 0; i < 3; i++)
        ids[i].text = ws_id_texts_get(texts, ids[i].value);
    if (w->any)
        ws_text_put(t, ",\n", 2);
    w->any = 1;
    ws_members_put(t, a->json, ids, 3);
    return !t->failed;
}

static int put_instance(wsam_coco_writer *w, ws_text *t, const wsam_coco_image *image, int64_t id,
                        const wsam_instance *a)
{
    static const char *const words[] = {NULL, "accepted", "drawn", "rejected"};
    if (a->reviewed && a->json)
        return put_as_read(w, t, id, a);
    const wsam_id_texts *texts = w->classes->id_texts;
    const double *b = a->bbox;
    ws_text_printf(t, "%s{\"image_id\":", w->any ? ",\n" : "");
    ws_id_texts_put(t, texts, id);
    ws_text_printf(t, ",\"category_id\":");
    ws_id_texts_put(t, texts, class_id(w->classes, (size_t)a->class_index));
    ws_text_printf(t, ",\"bbox\":[%.10g,%.10g,%.10g,%.10g]", b[0], b[1], b[2], b[3]);
    w->any = 1;
    if (!a->unscored)
        ws_json_number_field(t, "score", a->score);
    put_origin(w, t, a);
    if (w->kind != WSAM_COCO_RESULTS) {
        ws_text_printf(t, ",\"id\":");
        ws_id_texts_put(t, texts, id_of(w, a));
        ws_text_printf(t, ",\"iscrowd\":%d,\"area\":%.10g", a->crowd,
                       a->counts ? (double)a->area : b[2] * b[3]);
    }
    const int good = put_segmentation(w, t, image, a);
    if (a->reviewed)
        ws_text_printf(t, ",\"reviewed\":\"%s\"", words[a->reviewed]);
    ws_text_put(t, "}", 1);
    return good && !t->failed;
}

static wsam_status put_image(wsam_coco_writer *w, const wsam_coco_image *image, int64_t id,
                             wsam_error *error)
{
    ws_text t = {0};
    ws_text_printf(&t, "%s{\"id\":", w->n_images > 1 ? ",\n" : "");
    ws_id_texts_put(&t, w->classes->id_texts, id);
    ws_text_printf(&t, ",\"width\":%d,\"height\":%d,\"file_name\":", image->width, image->height);
    ws_json_bytes(&t, image->file_name, strlen(image->file_name));
    if (image->review)
        ws_text_printf(&t, ",\"review\":\"%s\"",
                       image->review == WSAM_REVIEW_COMPLETE ? "complete" : "partial");
    if (image->more)
        ws_text_put(&t, image->more, strlen(image->more));
    ws_text_put(&t, "}", 1);
    wsam_status status = t.failed ? ws_no_memory(error, w->path) : WSAM_OK;
    if (!status && fwrite(t.text, 1, t.n, w->images) != t.n)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", w->path, strerror(errno));
    free(t.text);
    return status;
}

wsam_status wsam_coco_put(wsam_coco_writer *w, const wsam_coco_image *image,
                          const wsam_instances *instances, wsam_error *error)
{
    const int64_t id = image->id ? image->id : w->n_images + 1;
    w->n_images++;
    wsam_status status = put_image(w, image, id, error);
    for (size_t i = 0; i < instances->n && !status; i++) {
        const wsam_instance *a = &instances->items[i];
        ws_text t = {0};
        if (a->class_index < 0 || (size_t)a->class_index >= w->classes->n)
            status = ws_fail(error, WSAM_ERR_ARGUMENT, "%s: no class number %d", w->path,
                             (int)a->class_index);
        else if (!put_instance(w, &t, image, id, a))
            status = ws_no_memory(error, w->path);
        else if (fwrite(t.text, 1, t.n, w->file) != t.n)
            status = ws_fail(error, WSAM_ERR_IO, "%s: %s", w->path, strerror(errno));
        free(t.text);
    }
    return status;
}

void wsam_coco_reserve(wsam_coco_writer *w, int64_t id)
{
    if (id >= w->next_id && !ws_id_texts_get(w->classes->id_texts, id))
        w->next_id = id + 1;
}

wsam_status wsam_coco_save(const wsam_coco_document *d, const char *path, wsam_coco_kind kind,
                           const char *info, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    const char *const *names;
    wsam_coco_writer *w = NULL;
    memcpy(&names, &d->class_names, sizeof names); /* only read */
    const wsam_classes classes = {d->n_classes, names, d->class_ids, d->id_texts};
    wsam_status status = wsam_coco_open(path, kind, &classes, info, &w, error);
    for (size_t i = 0; i < d->instances.n && !status; i++)
        wsam_coco_reserve(w, d->instances.items[i].id);
    for (size_t i = 0; i < d->n_images && !status; i++) {
        const wsam_coco_image image = {d->image_ids[i],     d->file_names[i], d->sizes[2 * i],
                                       d->sizes[2 * i + 1], d->reviews[i],    d->more[i]};
        const wsam_instances own = {d->first[i + 1] - d->first[i],
                                    d->instances.items + d->first[i]};
        status = wsam_coco_put(w, &image, &own, error);
    }
    return wsam_coco_finish(w, status, error);
}

/* ---- finishing ---- */

static wsam_status write_images(wsam_coco_writer *w, wsam_error *error)
{
    ws_text t = {0};
    put_categories(w->classes, &t);
    ws_text_printf(&t, ",\n");
    const wsam_status status = t.failed
                                   ? ws_no_memory(error, w->path)
                                   : ws_list_names_write(w->out, w->path, t.text, w->images, error);
    free(t.text);
    return status;
}

static wsam_status end(wsam_coco_writer *w, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    fputs(w->any ? "\n]" : "]", w->file);
    if (w->kind != WSAM_COCO_RESULTS) {
        fputs(",\n", w->file);
        status = ws_list_names_copy(w->images, w->path, w->file, error);
        fputs("}", w->file);
    }
    fputs("\n", w->file);
    if (!status)
        status = ws_outputs_close(w->out, error);
    if (!status && w->kind == WSAM_COCO_RESULTS)
        status = write_images(w, error);
    return status;
}

wsam_status wsam_coco_finish(wsam_coco_writer *w, wsam_status status, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    if (!w)
        return status;
    if (!status)
        status = end(w, error);
    if (w->out == &w->own)
        status = ws_outputs_finish(w->out, status, error);
    if (w->images)
        fclose(w->images);
    free(w->path);
    free(w);
    return status;
}
