/* tests/scripts/person.c - a person who looks at masks and knows the truth.
 *
 * usage: person MASKS.json TRUTH.json OUT.json COMPLETE PARTIAL [NAMES]
 *
 * The first COMPLETE images (of the file NAMES, one a line, or of the data set) are reviewed as a whole: annotations with IoU 0.5 and the right class
 * are accepted, others rejected, missed objects drawn. On the next PARTIAL ones the first wrong
 * annotation is rejected and one object drawn. OUT.json is written as tools write it, with members
 * of their own and other spaces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weaksam/stages.h"

typedef struct person {
    wsam_coco_document *masks, *truth;
    FILE *out;
    int64_t next_id;
    int any;
    size_t *order, n; /* of the images */
} person;

static double min(double a, double b)
{
    return a < b ? a : b;
}

static double iou(const double *a, const double *b)
{
    const double w = min(a[0] + a[2], b[0] + b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    const double h = min(a[1] + a[3], b[1] + b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    return w > 0 && h > 0 ? w * h / (a[2] * a[3] + b[2] * b[3] - w * h) : 0;
}

static int64_t class_id(const person *p, const char *name)
{
    for (size_t i = 0; i < p->masks->n_classes; i++)
        if (strcmp(p->masks->class_names[i], name) == 0)
            return p->masks->class_ids[i];
    return -1;
}

static void put(person *p, size_t image, const wsam_instance *a, int64_t id, int64_t category,
                const char *word)
{
    fprintf(p->out, "%s{ \"reviewed\": \"%s\", \"seconds\": 1.%02d, \"id\": %lld, ",
            p->any++ ? ",\n" : "", word, (int)(id % 100), (long long)id);
    fprintf(p->out, "\"image_id\": %lld, \"category_id\": %lld, \"iscrowd\": 0, ",
            (long long)p->masks->image_ids[image], (long long)category);
    fprintf(p->out, "\"bbox\": [%.2f, %.2f, %.2f, %.2f]", a->bbox[0], a->bbox[1], a->bbox[2],
            a->bbox[3]);
    if (a->counts)
        fprintf(p->out, ", \"segmentation\": {\"size\": [%d, %d], \"counts\": \"",
                p->masks->sizes[2 * image + 1], p->masks->sizes[2 * image]);
    for (const char *c = a->counts; c && *c; c++)
        fprintf(p->out, *c == '\\' ? "\\\\" : "%c", *c);
    fputs(a->counts ? "\"} }" : " }", p->out);
}

/* The object that an annotation shows, or -1. */
static long find(const person *p, size_t image, const wsam_instance *a)
{
    const wsam_coco_document *t = p->truth;
    const char *name = p->masks->class_names[a->class_index];
    for (size_t k = t->first[image]; k < t->first[image + 1]; k++) {
        const wsam_instance *b = &t->instances.items[k];
        if (strcmp(t->class_names[b->class_index], name) == 0 && iou(a->bbox, b->bbox) >= 0.5)
            return (long)k;
    }
    return -1;
}

static void look(person *p, size_t image, int complete)
{
    const wsam_coco_document *m = p->masks, *t = p->truth;
    char *seen = calloc(t->instances.n + 1, 1);
    int rejected = 0, drawn = 0;
    for (size_t i = m->first[image]; seen && i < m->first[image + 1]; i++) {
        const wsam_instance *a = &m->instances.items[i];
        const long k = find(p, image, a);
        const int64_t category = m->class_ids[a->class_index];
        if (k >= 0 && !seen[k])
            seen[k] = 1;
        else if (complete || !rejected++)
            put(p, image, a, a->id, category, "rejected");
        if (k >= 0 && complete && seen[k] == 1) {
            put(p, image, a, a->id, category, "accepted");
            seen[k] = 2;
        }
    }
    for (size_t k = t->first[image]; seen && k < t->first[image + 1]; k++) {
        const wsam_instance *b = &t->instances.items[k];
        const int64_t category = class_id(p, t->class_names[b->class_index]);
        if (!seen[k] && category >= 0 && (complete || !drawn++))
            put(p, image, b, p->next_id++, category, "drawn");
    }
    free(seen);
}

/* Images in the order of a file of names; those that it does not have are not looked at. */
static int read_order(person *p, const char *names)
{
    char line[4096];
    p->order = calloc(p->masks->n_images + 1, sizeof *p->order);
    FILE *f = names ? fopen(names, "rb") : NULL;
    if (!p->order || (names && !f))
        return 0;
    while (f && p->n < p->masks->n_images && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        for (size_t i = 0; i < p->masks->n_images; i++)
            if (strcmp(p->masks->file_names[i], line) == 0)
                p->order[p->n++] = i;
    }
    for (; !f && p->n < p->masks->n_images; p->n++)
        p->order[p->n] = p->n;
    if (f)
        fclose(f);
    return 1;
}

static wsam_status load(const char *path, wsam_coco_document **d)
{
    wsam_error error;
    const wsam_status status = wsam_coco_load_masks(path, NULL, d, &error);
    if (status)
        fprintf(stderr, "person: %s\n", error.message);
    return status;
}

int main(int argc, char **argv)
{
    person p = {.next_id = 100000};
    if (argc < 6 || argc > 7 || load(argv[1], &p.masks) || load(argv[2], &p.truth) ||
        p.masks->n_images != p.truth->n_images || !read_order(&p, argv[6]) ||
        !(p.out = fopen(argv[3], "wb"))) {
        free(p.order);
        return 1;
    }
    for (size_t i = 0; i < p.masks->instances.n; i++) /* of earlier rounds */
        if (p.masks->instances.items[i].id >= p.next_id)
            p.next_id = p.masks->instances.items[i].id + 1;
    const size_t complete = (size_t)atoi(argv[4]), partial = (size_t)atoi(argv[5]);
    fputs("{\"images\": [", p.out);
    for (size_t k = 0; k < p.n && k < complete + partial; k++) {
        const size_t i = p.order[k];
        fprintf(p.out,
                "%s{\"id\": %lld, \"file_name\": \"%s\", \"width\": %d, \"height\": %d, "
                "\"review\": \"%s\", \"seconds\": 9.5}",
                k ? ", " : "", (long long)p.masks->image_ids[i], p.masks->file_names[i],
                p.masks->sizes[2 * i], p.masks->sizes[2 * i + 1],
                k < complete ? "complete" : "partial");
    }
    fputs("],\n\"categories\": [", p.out);
    for (size_t i = 0; i < p.masks->n_classes; i++)
        fprintf(p.out, "%s{\"id\": %lld, \"name\": \"%s\"}", i ? ", " : "",
                (long long)p.masks->class_ids[i], p.masks->class_names[i]);
    fputs("],\n\"annotations\": [\n", p.out);
    for (size_t k = 0; k < p.n && k < complete + partial; k++)
        look(&p, p.order[k], k < complete);
    fputs("\n]}\n", p.out);
    const int failed = fclose(p.out);
    wsam_coco_free(p.masks);
    wsam_coco_free(p.truth);
    free(p.order);
    return failed != 0;
}
