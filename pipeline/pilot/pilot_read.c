/* pipeline/pilot/pilot_read.c - see pilot_read.h. */
#include "pipeline/pilot/pilot_read.h"
#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/coco/dataset.h"
#include "pipeline/coco/image_notes.h"
#include "pipeline/pilot/rules.h"
#include "weaksam/stages.h"

static const double small_share = 1.0 / 200; /* of the image */

typedef struct reader {
    const wsam_pilot_options *o;
    const char *path; /* of reviewed.json */
    ws_pilot_data *d;
    wsam_coco_document *truth, *machine;
    ws_name_index names; /* of machine */
    size_t class_capacity, box_capacity[2], n_boxes[2];
    ws_pilot_box *boxes[2];    /* of the image at hand: detections, objects */
    ws_pilot_detection *found; /* of all images */
    size_t n_found, found_capacity;
    size_t *pictures; /* of truth: the random sample, then those that were ranked */
    size_t n_pictures, n_audit;
    int ranked;         /* those are being read: they calibrate, and are counted nowhere */
    uint32_t **objects; /* [n_pictures]: [classes known then] */
    struct confusion *confused;
    size_t n_confused, confused_capacity;
    wsam_error *error;
} reader;

static wsam_status no_memory(const reader *r)
{
    return ws_no_memory(r->error, "a pilot");
}

/* ---- classes ---- */

static wsam_status class_of(reader *r, const char *name, size_t *index)
{
    ws_pilot_data *d = r->d;
    for (*index = 0; *index < d->sample.n_classes; ++*index)
        if (strcmp(d->classes[*index].name, name) == 0)
            return WSAM_OK;
    ws_pilot_class *classes =
        ws_grow(d->classes, d->sample.n_classes, &r->class_capacity, sizeof *classes);
    char *copy = strdup(name);
    if (classes)
        d->classes = classes;
    if (!classes || !copy) {
        free(copy);
        return no_memory(r);
    }
    classes[d->sample.n_classes++] = (ws_pilot_class){.name = copy};
    return WSAM_OK;
}

/* ---- what is on one image ---- */

/* Room for a box of a kind: 0 detections, 1 objects. */
static wsam_status add_box(reader *r, int kind, const double *box, const char *class_name,
                           double score)
{
    size_t index;
    const wsam_status status = class_of(r, class_name, &index);
    ws_pilot_box *boxes =
        ws_grow(r->boxes[kind], r->n_boxes[kind], &r->box_capacity[kind], sizeof *boxes);
    if (status || !boxes)
        return status ? status : no_memory(r);
    r->boxes[kind] = boxes;
    ws_pilot_box *b = &boxes[r->n_boxes[kind]++];
    *b = (ws_pilot_box){.class_index = index, .score = score};
    memcpy(b->box, box, sizeof b->box);
    return WSAM_OK;
}

static double clamp(double p)
{
    return p >= 0 && p <= 1 ? p : p > 1;
}

/* The member `machine` of an image: what the machine had found before anybody decided. */
static wsam_status read_record(reader *r, const cJSON *machine)
{
    const cJSON *item;
    ws_found f;
    wsam_status status = WSAM_OK;
    cJSON_ArrayForEach(item, machine) if (!status && ws_image_notes_found(item, &f)) status =
        add_box(r, 0, f.box, f.class_name, clamp(f.has_confidence ? f.confidence : f.score));
    return status;
}

/* Files of earlier versions have no record: what a person accepted or rejected was found; an object that was
 * drawn over a detection counts as missed. */
static wsam_status guess_record(reader *r, size_t image)
{
    const wsam_coco_document *t = r->truth;
    wsam_status status = WSAM_OK;
    for (size_t k = t->first[image]; k < t->first[image + 1] && !status; k++) {
        const wsam_instance *a = &t->instances.items[k];
        if ((a->reviewed == WSAM_REVIEWED_ACCEPTED || a->reviewed == WSAM_REVIEWED_REJECTED) &&
            !a->unscored)
            status =
                add_box(r, 0, a->bbox, t->class_names[a->class_index], clamp(ws_rules_sureness(a)));
    }
    r->d->without_record += !r->ranked;
    return status;
}

/* Of a file of detections. */
static wsam_status read_machine(reader *r, size_t image)
{
    const wsam_coco_document *m = r->machine;
    wsam_status status = WSAM_OK;
    for (size_t k = m->first[image]; k < m->first[image + 1] && !status; k++) {
        const wsam_instance *a = &m->instances.items[k];
        if (a->reviewed == WSAM_REVIEWED_NO && !a->crowd)
            status =
                add_box(r, 0, a->bbox, m->class_names[a->class_index], clamp(ws_rules_sureness(a)));
    }
    return status;
}

static wsam_status read_detections(reader *r, size_t image, const cJSON *machine)
{
    if (r->machine)
        return read_machine(r, ws_image_names_find(&r->names, r->truth->file_names[image]));
    return machine ? read_record(r, machine) : guess_record(r, image);
}

static wsam_status read_objects(reader *r, size_t image)
{
    const wsam_coco_document *t = r->truth;
    wsam_status status = WSAM_OK;
    for (size_t k = t->first[image]; k < t->first[image + 1] && !status; k++) {
        const wsam_instance *a = &t->instances.items[k];
        if ((a->reviewed == WSAM_REVIEWED_ACCEPTED || a->reviewed == WSAM_REVIEWED_DRAWN) &&
            !a->crowd)
            status = add_box(r, 1, a->bbox, t->class_names[a->class_index], 1);
    }
    return status;
}

/* ---- counting ---- */

/* A pair of classes that was taken for each other. */
typedef struct confusion {
    size_t class_index, other;
} confusion;

static wsam_status add_confusion(reader *r, const ws_pilot_box *b)
{
    confusion *list = ws_grow(r->confused, r->n_confused, &r->confused_capacity, sizeof *list);
    if (!list)
        return no_memory(r);
    r->confused = list;
    list[r->n_confused++] = (confusion){b->class_index, b->other};
    return WSAM_OK;
}

static int by_pair(const void *a, const void *b)
{
    const confusion *p = a, *q = b;
    if (p->class_index != q->class_index)
        return p->class_index < q->class_index ? -1 : 1;
    return (p->other > q->other) - (p->other < q->other);
}

/* The most frequent partner of each class. */
static void count_confusions(reader *r)
{
    if (r->n_confused)
        qsort(r->confused, r->n_confused, sizeof *r->confused, by_pair);
    for (size_t i = 0, n = 0; i < r->n_confused; i++) {
        ws_pilot_class *c = &r->d->classes[r->confused[i].class_index];
        n = i && by_pair(&r->confused[i - 1], &r->confused[i]) == 0 ? n + 1 : 1;
        if ((double)n > c->confused_most) {
            c->confused_most = (double)n;
            c->confused_with = r->confused[i].other;
        }
    }
}

static wsam_status count_detection(reader *r, const ws_pilot_box *b, size_t picture)
{
    ws_pilot_detection *found = ws_grow(r->found, r->n_found, &r->found_capacity, sizeof *found);
    if (!found)
        return no_memory(r);
    r->found = found;
    found[r->n_found++] =
        (ws_pilot_detection){picture, b->class_index, b->score, b->cause == WS_PILOT_HIT};
    if (!r->ranked)
        r->d->classes[b->class_index].cause[b->cause]++;
    return WSAM_OK;
}

static wsam_status count_image(reader *r, size_t picture)
{
    const size_t image = r->pictures[picture];
    const double area = (double)r->truth->sizes[2 * image] * r->truth->sizes[2 * image + 1];
    wsam_status status =
        ws_pilot_match(r->boxes[0], r->n_boxes[0], r->boxes[1], r->n_boxes[1], r->o->iou, r->error);
    for (size_t k = 0; k < r->n_boxes[0] && !status; k++)
        status = count_detection(r, &r->boxes[0][k], picture);
    if (status)
        return status;
    if (!(r->objects[picture] = calloc(r->d->sample.n_classes + 1, sizeof **r->objects)))
        return no_memory(r);
    for (size_t k = 0; k < r->n_boxes[1] && !r->ranked; k++) {
        const ws_pilot_box *b = &r->boxes[1][k];
        ws_pilot_class *c = &r->d->classes[b->class_index];
        r->objects[picture][b->class_index]++;
        c->objects++;
        c->unfound += !b->found;
        c->small_unfound += !b->found && b->box[2] * b->box[3] < small_share * area;
    }
    return WSAM_OK;
}

/* Takes an image of the kind that is being read, or counts one that cannot be used. */
static int is_taken(reader *r, size_t i, int audit)
{
    const wsam_review_state review = r->truth->reviews[i];
    if (audit == r->ranked)
        return 0;
    r->d->unfinished += audit && review == WSAM_REVIEW_PARTIAL;
    if (review != WSAM_REVIEW_COMPLETE)
        return 0;
    if (r->machine && ws_image_names_find(&r->names, r->truth->file_names[i]) == SIZE_MAX) {
        r->d->unknown += audit;
        return 0;
    }
    r->d->ranked += !audit;
    return 1;
}

static wsam_status read_image(reader *r, size_t i)
{
    ws_image_notes notes;
    wsam_status status =
        ws_image_notes_read(&notes, r->truth->more[i], r->path, r->truth->file_names[i], r->error);
    if (!status && is_taken(r, i, notes.audit)) {
        r->n_boxes[0] = r->n_boxes[1] = 0;
        r->d->seconds[r->n_pictures] = notes.seconds;
        r->pictures[r->n_pictures++] = i;
        status = read_objects(r, i);
        if (!status)
            status = read_detections(r, i, notes.machine);
        if (!status)
            status = count_image(r, r->n_pictures - 1);
        for (size_t k = 0; k < r->n_boxes[0] && !status && !r->ranked; k++)
            if (r->boxes[0][k].cause == WS_PILOT_CONFUSED)
                status = add_confusion(r, &r->boxes[0][k]);
    }
    ws_image_notes_free(&notes);
    return status;
}

/* ---- the sample ---- */

/* Objects of images that were read before a class was known have none of it. */
static wsam_status assemble(reader *r, const size_t *known)
{
    ws_pilot_sample s;
    const size_t classes = r->d->sample.n_classes;
    const wsam_status status =
        ws_pilot_sample_make(&s, r->n_pictures, classes, r->n_found, r->error);
    if (status)
        return status;
    s.n_audit = r->n_audit;
    if (r->n_found)
        memcpy(s.detections, r->found, r->n_found * sizeof *s.detections);
    for (size_t i = 0; i < r->n_pictures; i++)
        memcpy(s.objects + i * classes, r->objects[i], known[i] * sizeof *s.objects);
    r->d->reviewed = s;
    r->d->sample = ws_sample_audit(&s);
    return WSAM_OK;
}

static wsam_status read_images(reader *r)
{
    const size_t n = r->truth->n_images;
    size_t *known = calloc(n + 1, sizeof *known);
    r->pictures = calloc(n + 1, sizeof *r->pictures);
    r->objects = calloc(n + 1, sizeof *r->objects);
    r->d->seconds = calloc(n + 1, sizeof *r->d->seconds);
    wsam_status status =
        known && r->pictures && r->objects && r->d->seconds ? WSAM_OK : no_memory(r);
    for (size_t k = 0; k < r->truth->n_classes && !status; k++) {
        size_t index;
        status = class_of(r, r->truth->class_names[k], &index);
    }
    for (r->ranked = 0; r->ranked < 2 && !status; r->ranked++) {
        for (size_t i = 0; i < n && !status; i++) {
            const size_t before = r->n_pictures;
            status = read_image(r, i);
            if (r->n_pictures > before)
                known[before] = r->d->sample.n_classes;
        }
        if (!r->ranked)
            r->n_audit = r->n_pictures;
    }
    if (!status)
        status = assemble(r, known);
    if (!status)
        count_confusions(r);
    free(known);
    return status;
}

static void close_reader(reader *r)
{
    for (size_t i = 0; r->objects && i < r->n_pictures; i++)
        free(r->objects[i]);
    free(r->objects), free(r->pictures), free(r->found), free(r->boxes[0]), free(r->boxes[1]);
    free(r->confused);
    ws_image_names_free(&r->names);
    wsam_coco_free(r->truth);
    wsam_coco_free(r->machine);
}

/* Whether OUT has a file of this name that is not empty. */
static wsam_status has(const reader *r, const char *name, int *there)
{
    struct stat st;
    ws_text path = {0};
    *there = 0;
    ws_text_printf(&path, "%s/%s", r->o->output, name);
    wsam_status status = path.failed ? no_memory(r) : ws_file_there(path.text, there, r->error);
    if (!status && *there && stat(path.text, &st) != 0)
        status = ws_fail(r->error, WSAM_ERR_IO, "%s: %s", path.text, strerror(errno));
    *there = !status && *there && st.st_size > 0;
    free(path.text);
    return status;
}

wsam_status ws_pilot_read(const wsam_pilot_options *o, ws_pilot_data *d, wsam_error *error)
{
    reader r = {.o = o, .d = d, .error = error};
    ws_text path = {0};
    *d = (ws_pilot_data){0};
    ws_text_printf(&path, "%s/reviewed.json", o->output);
    int there = 1;
    wsam_status status = path.failed ? no_memory(&r) : ws_file_there(path.text, &there, error);
    if (!status && !there)
        status = ws_fail(error, WSAM_ERR_IO,
                         "%s: nothing is reviewed yet: begin with `weaksam review`", path.text);
    if (!status)
        status = wsam_coco_load_masks(path.text, NULL, &r.truth, error);
    if (!status && o->detections) {
        status = wsam_coco_load_masks(o->detections, NULL, &r.machine, error);
        if (!status) /* reviewed.json has the names of the labels */
            status = wsam_coco_undo_renames(r.machine, o->detections, error);
        if (!status)
            status =
                ws_image_names_make(&r.names, r.machine->file_names, r.machine->n_images, error);
    }
    r.path = path.text;
    if (!status)
        status = has(&r, "review/journal.jsonl", &d->open_journal);
    if (!status && !o->detections)
        status = has(&r, "learn/held_out.json", &d->held_out);
    if (!status)
        status = read_images(&r);
    if (!status && !r.n_audit)
        status = ws_fail(
            error, WSAM_ERR_MISMATCH,
            "%s: no image of the random sample is complete (%zu begun, %zu others complete): go on "
            "with `weaksam review`, key d ends an image",
            path.text, d->unfinished, d->ranked);
    free(path.text);
    close_reader(&r);
    if (status)
        ws_pilot_read_free(d);
    return status;
}

void ws_pilot_read_free(ws_pilot_data *d)
{
    for (size_t i = 0; d->classes && i < d->sample.n_classes; i++)
        free(d->classes[i].name);
    free(d->classes), free(d->seconds);
    ws_pilot_sample_free(&d->reviewed);
    *d = (ws_pilot_data){0};
}
