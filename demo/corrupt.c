/* demo/corrupt.c - spoils a share of the boxes of a data set on purpose: half of them get
 * another class, half another place. Prints the ids of those that were spoilt, one per line.
 *
 * usage: corrupt LABELS.json -o OUT.json --share P [--seed S] */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/random.h"
#include "weaksam/stages.h"

static const struct option options[] = {{"share", required_argument, NULL, 's'},
                                        {"seed", required_argument, NULL, 'r'},
                                        {NULL, 0, NULL, 0}};

static void change_class(wsam_instance *box, size_t classes, demo_random *random)
{
    const int other = demo_below(random, (int)classes - 1);
    box->class_index = other + (other >= box->class_index);
}

/* The share of the smaller box that lies in the other. */
static double overlap(const double a[4], const double b[4])
{
    double part = 1.0;
    for (int i = 0; i < 2; i++) {
        const double from = a[i] > b[i] ? a[i] : b[i];
        const double ea = a[i] + a[i + 2], eb = b[i] + b[i + 2], to = ea < eb ? ea : eb;
        const double least = a[i + 2] < b[i + 2] ? a[i + 2] : b[i + 2];
        part *= to > from ? (to - from) / least : 0.0;
    }
    return part;
}

/* Somewhere else in the picture, mostly clear of where it was. Small boxes and large ones can go
 * anywhere; one that fills the picture becomes a quarter of it. */
static void move(wsam_instance *box, const int size[2], demo_random *random)
{
    double old[4];
    memcpy(old, box->bbox, sizeof old);
    for (int i = 0; i < 2; i++)
        if (box->bbox[i + 2] > 0.6 * size[i])
            box->bbox[i + 2] = 0.5 * size[i];
    for (int tries = 0; tries < 50; tries++) {
        for (int i = 0; i < 2; i++)
            box->bbox[i] = (double)demo_unit(random) * (size[i] - box->bbox[i + 2]);
        if (overlap(old, box->bbox) < 0.3)
            return;
    }
}

static void spoil(wsam_coco_document *d, double share, unsigned long long seed)
{
    for (size_t i = 0; i < d->n_images; i++)
        for (size_t k = d->first[i]; k < d->first[i + 1]; k++) {
            wsam_instance *box = &d->instances.items[k];
            demo_random random = demo_random_start(seed, (uint64_t)box->id);
            if (!demo_chance(&random, (float)share))
                continue;
            if (demo_chance(&random, 0.5f) && d->n_classes > 1)
                change_class(box, d->n_classes, &random);
            else
                move(box, d->sizes + 2 * i, &random);
            printf("%lld\n", (long long)box->id);
        }
}

static wsam_status write_all(const wsam_coco_document *d, const char *path, wsam_error *error)
{
    const char *const *names;
    wsam_coco_writer *writer;
    memcpy(&names, &d->class_names, sizeof names); /* only read */
    const wsam_classes classes = {d->n_classes, names, d->class_ids, d->id_texts};
    wsam_status status = wsam_coco_open(path, WSAM_COCO_BOXES, &classes, NULL, &writer, error);
    for (size_t i = 0; i < d->n_images && !status; i++) {
        const wsam_coco_image image = {.id = d->image_ids[i],
                                       .file_name = d->file_names[i],
                                       .width = d->sizes[2 * i],
                                       .height = d->sizes[2 * i + 1]};
        const wsam_instances some = {d->first[i + 1] - d->first[i],
                                     d->instances.items + d->first[i]};
        status = wsam_coco_put(writer, &image, &some, error);
    }
    return writer ? wsam_coco_finish(writer, status, error) : status;
}

int main(int argc, char **argv)
{
    const char *out = NULL;
    double share = -1.0;
    unsigned long long seed = 1;
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
        if (option == 'o')
            out = optarg;
        else if (option == 's')
            share = strtod(optarg, NULL);
        else if (option == 'r')
            seed = strtoull(optarg, NULL, 10);
    }
    if (!out || optind + 1 != argc || !(share >= 0.0 && share <= 1.0)) {
        fprintf(stderr, "usage: corrupt LABELS.json -o OUT.json --share P [--seed S]\n");
        return 2;
    }
    wsam_status status = wsam_coco_load(argv[optind], NULL, &d, &error);
    if (!status) {
        spoil(d, share, seed);
        status = write_all(d, out, &error);
    }
    wsam_coco_free(d);
    if (status)
        fprintf(stderr, "corrupt: %s\n", error.message);
    return status ? 1 : 0;
}
