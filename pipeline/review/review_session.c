/* pipeline/review/review_session.c - see session.h: decisions and undo. */
#include "pipeline/review/review_session.h"
#include "pipeline/coco/id_texts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "kernels/float_scope.h"
#include "pipeline/coco/dataset.h"
#include "pipeline/stages/stages.h"

/* After so many decisions reviewed.json is written again: a second or two of work at most is lost to
 * a replay of the journal. */
enum { SAVE_EVERY = 50 };

static const char *const reviewed_names[] = {"none", "accepted", "drawn", "rejected"};
static const char *const review_names[] = {"none", "partial", "complete"};

static int word(const char *const *names, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for a review");
}

/* ---- steps ---- */

static int copy_object(const ws_review_object *from, ws_review_object *to)
{
    to->gone = from->gone;
    return ws_instances_copy(&from->a, &to->a);
}

/* Remembers an object (or, with NULL, the state of the image) for undo. */
static wsam_status remember(ws_review_session *s, size_t image, int64_t id,
                            const ws_review_object *o, wsam_error *error)
{
    ws_review_step *steps = ws_grow(s->steps, s->n_steps, &s->step_capacity, sizeof *steps);
    if (!steps)
        return no_memory(error);
    s->steps = steps;
    ws_review_step *step = &steps[s->n_steps];
    *step = (ws_review_step){.image = image,
                             .object = id,
                             .existed = o != NULL,
                             .review = s->images[image].review,
                             .missing = s->images[image].missing};
    if (o && !copy_object(o, &step->before)) {
        ws_review_session_object_clear(&step->before);
        return no_memory(error);
    }
    s->n_steps++;
    return WSAM_OK;
}

static void forget_step(ws_review_session *s)
{
    ws_review_session_object_clear(&s->steps[--s->n_steps].before);
}

/* ---- changes ---- */

static wsam_status set_area(ws_review_object *o, const ws_review_change *c,
                            const ws_review_image *image, wsam_error *error)
{
    const double *b = c->box;
    if (!(b[2] > 0 && b[3] > 0 && b[0] + b[2] > 0 && b[1] + b[3] > 0 && b[0] < image->width &&
          b[1] < image->height))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the box lies outside of the image");
    const double x0 = fmax(b[0], 0), y0 = fmax(b[1], 0);
    o->a.bbox[0] = x0;
    o->a.bbox[1] = y0;
    o->a.bbox[2] = fmin(b[0] + b[2], image->width) - x0;
    o->a.bbox[3] = fmin(b[1] + b[3], image->height) - y0;
    o->a.area = 0;
    if (!c->counts)
        return WSAM_OK;
    free(o->a.counts);
    o->a.counts = NULL;
    o->a.counts_length = 0;
    if (!*c->counts)
        return WSAM_OK;
    wsam_rle rle;
    wsam_status status =
        ws_counts_rle(c->counts, strlen(c->counts), image->height, image->width, &rle, error);
    if (!status) {
        o->a.area = wsam_rle_area(&rle);
        if (!(o->a.counts = strdup(c->counts)))
            status = no_memory(error);
        o->a.counts_length = strlen(c->counts);
    }
    free(rle.counts);
    return status;
}

static wsam_status apply(ws_review_session *s, ws_review_image *image, ws_review_object *o,
                         const ws_review_change *c, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    const int reviewed = c->reviewed ? word(reviewed_names, 4, c->reviewed) : (int)o->a.reviewed;
    if (reviewed < 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "'%s' is no decision", c->reviewed);
    if (c->class_name)
        status = ws_review_session_class(s, c->class_name, &o->a.class_index, error);
    if (!status && c->box)
        status = set_area(o, c, image, error);
    if (status)
        return status;
    o->a.reviewed = (wsam_reviewed)reviewed;
    o->gone = c->remove;
    free(o->a.json); /* it is another object now */
    o->a.json = NULL;
    if (image->review == WSAM_REVIEW_NONE && reviewed)
        image->review = WSAM_REVIEW_PARTIAL;
    return WSAM_OK;
}

static wsam_status saved_now_and_then(ws_review_session *s, wsam_error *error)
{
    return ++s->unsaved >= SAVE_EVERY ? ws_review_session_save(s, error) : WSAM_OK;
}

wsam_status ws_review_session_change(ws_review_session *s, const ws_review_change *c, int64_t *id,
                                     wsam_error *error)
{
    if (c->image >= s->n_images)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no such image");
    ws_review_image *image = &s->images[c->image];
    ws_review_object *o = c->id ? ws_review_session_find(image, c->id) : NULL;
    if (c->id && !o)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no object %" PRId64 " in this image", c->id);
    if (!c->id && (!c->box || !c->class_name))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "a new object needs a class and a box");
    const int64_t own = c->id ? c->id : s->next_id;
    wsam_status status = remember(s, c->image, own, o, error);
    if (status)
        return status;
    if (!o && (o = ws_review_session_add(image))) {
        o->a = (wsam_instance){.id = own, .score = 1, .reviewed = WSAM_REVIEWED_DRAWN};
        s->next_id++;
    }
    status = o ? apply(s, image, o, c, error) : no_memory(error);
    if (!status)
        status = ws_review_session_journal_object(s, c->image, o, error);
    if (status) {
        size_t where;
        ws_review_session_undo(s, &where, NULL); /* as it was */
        return status;
    }
    *id = own;
    return saved_now_and_then(s, error);
}

wsam_status ws_review_session_image(ws_review_session *s, size_t image, const char *review,
                                    int missing, wsam_error *error)
{
    const int state = review ? word(review_names, 3, review) : 0;
    if (image >= s->n_images || state < 0)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no such image or state");
    wsam_status status = remember(s, image, 0, NULL, error);
    if (status)
        return status;
    if (review)
        s->images[image].review = (wsam_review_state)state;
    if (missing >= 0)
        s->images[image].missing = missing;
    if (missing > 0 && s->images[image].review == WSAM_REVIEW_NONE)
        s->images[image].review = WSAM_REVIEW_PARTIAL;
    status = ws_review_session_journal_image(s, image, error);
    return status ? status : saved_now_and_then(s, error);
}

wsam_status ws_review_session_seconds(ws_review_session *s, size_t image, double seconds,
                                      wsam_error *error)
{
    if (image >= s->n_images || !(seconds >= 0 && seconds <= 3600))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "no such image or time");
    s->images[image].seconds += seconds;
    return ws_review_session_journal_image(s, image, error);
}

wsam_status ws_review_session_undo(ws_review_session *s, size_t *where, wsam_error *error)
{
    *where = SIZE_MAX;
    if (!s->n_steps)
        return WSAM_OK;
    ws_review_step *step = &s->steps[s->n_steps - 1];
    ws_review_image *image = &s->images[step->image];
    ws_review_object *o = step->object ? ws_review_session_find(image, step->object) : NULL;
    wsam_status status = WSAM_OK;
    if (o) {
        ws_review_object taken = step->before; /* what it owns moves */
        step->before = (ws_review_object){0};
        if (step->existed) {
            ws_review_session_object_clear(o);
            *o = taken;
        } else {
            o->gone = 1;
            o->a.reviewed = WSAM_REVIEWED_NO;
        }
        status = ws_review_session_journal_object(s, step->image, o, error);
    }
    image->review = step->review;
    image->missing = step->missing;
    if (!status)
        status = ws_review_session_journal_image(s, step->image, error);
    *where = step->image;
    forget_step(s);
    return status;
}

void ws_review_session_summary(const ws_review_session *s, wsam_review_summary *out)
{
    *out = (wsam_review_summary){.images = s->n_images};
    for (size_t i = 0; i < s->n_images; i++) {
        const ws_review_image *image = &s->images[i];
        out->complete += image->review == WSAM_REVIEW_COMPLETE;
        out->partial += image->review == WSAM_REVIEW_PARTIAL;
        out->seconds += image->seconds;
        for (size_t k = 0; k < image->n; k++) {
            const wsam_reviewed r =
                image->objects[k].gone ? WSAM_REVIEWED_NO : image->objects[k].a.reviewed;
            out->accepted += r == WSAM_REVIEWED_ACCEPTED;
            out->drawn += r == WSAM_REVIEWED_DRAWN;
            out->rejected += r == WSAM_REVIEWED_REJECTED;
        }
    }
}

/* ---- opening and closing ---- */

wsam_status ws_review_session_open(ws_review_session *s, const wsam_review_options *options,
                                   wsam_error *error)
{
    *s = (ws_review_session){.options = options, .next_id = 1};
    wsam_status status = ws_review_session_load(s, error);
    if (!status)
        status = ws_review_session_order(s, error);
    if (!status)
        status = ws_review_session_journal_open(s, error);
    if (!status && s->unsaved) /* decisions that were only in the journal */
        status = ws_review_session_save(s, error);
    if (status)
        ws_review_session_close(s);
    return status;
}

void ws_review_session_close(ws_review_session *s)
{
    while (s->n_steps)
        forget_step(s);
    for (size_t i = 0; i < s->n_images; i++) {
        for (size_t k = 0; k < s->images[i].n; k++)
            ws_review_session_object_clear(&s->images[i].objects[k]);
        free(s->images[i].objects), free(s->images[i].name);
        free(s->images[i].machine), free(s->images[i].more);
    }
    for (size_t i = 0; i < s->n_classes; i++)
        free(s->classes[i]);
    free(s->images), free(s->classes), free(s->order), free(s->steps);
    ws_id_texts_free(s->id_texts);
    ws_renamed_free(&s->renamed);
    free(s->damaged.text);
    if (s->journal)
        fclose(s->journal);
    *s = (ws_review_session){0};
}
