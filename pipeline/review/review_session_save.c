/* pipeline/review/review_session_save.c - reviewed.json: what was decided. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/review/review_session.h"

/* Decided objects of an image as a list that borrows them. */
static size_t decided(const ws_review_image *image, wsam_instance *list)
{
    size_t n = 0;
    for (size_t i = 0; i < image->n; i++)
        if (image->objects[i].a.reviewed && !image->objects[i].gone)
            list[n++] = image->objects[i].a;
    return n;
}

/* Members that only a review has: the sample, the time, what is missing. */
static char *members_of(const ws_review_image *image)
{
    ws_text t = {0};
    ws_text_printf(&t, ",\"seconds\":%.6g", image->seconds);
    if (image->audit)
        ws_text_printf(&t, ",\"audit\":true");
    if (image->missing)
        ws_text_printf(&t, ",\"missing\":true");
    if (image->machine)
        ws_text_printf(&t, ",\"machine\":%s", image->machine);
    if (image->more)
        ws_text_put(&t, image->more, strlen(image->more));
    if (t.failed) {
        free(t.text);
        return NULL;
    }
    return t.text;
}

static wsam_status write_image(const ws_review_image *image, int64_t id, wsam_coco_writer *writer,
                               wsam_error *error)
{
    wsam_instance *list = malloc((image->n + 1) * sizeof *list);
    char *more = members_of(image);
    wsam_status status =
        list && more ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    if (!status) {
        const wsam_coco_image head = {.id = id,
                                      .file_name = image->name,
                                      .width = image->width,
                                      .height = image->height,
                                      .review = image->review,
                                      .more = more};
        const wsam_instances objects = {decided(image, list), list};
        status = wsam_coco_put(writer, &head, &objects, error);
    }
    free(list);
    free(more);
    return status;
}

static size_t decided_images(const ws_review_session *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_images; i++)
        n += s->images[i].review != WSAM_REVIEW_NONE;
    return n;
}

/* The names of the labels, all at once. A name that two would have is that of the class that is shown under it. */
static void name_labels(const ws_review_session *s, const char **names)
{
    for (size_t i = 0; i < s->n_classes; i++)
        names[i] = ws_renamed_label(&s->renamed, s->classes[i]);
    for (size_t i = 0; i < s->n_classes; i++)
        for (size_t k = 0; k < s->n_classes; k++)
            if (k != i && strcmp(names[i], names[k]) == 0 && strcmp(names[k], s->classes[k]) == 0)
                names[i] = s->classes[i];
}

static wsam_status write_decisions(const ws_review_session *s, const char *path, wsam_error *error)
{
    wsam_coco_writer *writer = NULL;
    const char **names = calloc(s->n_classes + 1, sizeof *names);
    if (!names)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    name_labels(s, names);
    const wsam_classes classes = {s->n_classes, names, NULL, s->id_texts};
    wsam_status status =
        wsam_coco_open(path, WSAM_COCO_MASKS, &classes, "{\"by\":\"review\"}", &writer, error);
    for (size_t i = 0; i < s->n_images && !status; i++)
        if (s->images[i].review != WSAM_REVIEW_NONE)
            status = write_image(&s->images[i], (int64_t)i + 1, writer, error);
    status = wsam_coco_finish(writer, status, error);
    free(names);
    return status;
}

/* A data set without images is none: nothing decided is no file, for the next review as for a run. */
wsam_status ws_review_session_save(ws_review_session *s, wsam_error *error)
{
    const size_t size = strlen(s->options->output) + 20;
    char *path = malloc(size);
    wsam_status status = WSAM_OK;
    if (!path)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
    snprintf(path, size, "%s/reviewed.json", s->options->output);
    if (decided_images(s))
        status = write_decisions(s, path, error);
    else if (s->unsaved && unlink(path) != 0 && errno != ENOENT)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    free(path);
    if (!status)
        status = ws_review_session_journal_restart(s, error);
    if (!status)
        s->unsaved = 0;
    return status;
}
