/* demo/scenes.c - draws a data set of machine parts.
 *
 * usage: scenes -o DIR [--count N] [--seed S] [--size WIDTH,HEIGHT] [--distractors P] [--least
 * PIXELS] [--most N] [--classes old|new] [--per-image N] [--defects] [--share P]
 * [--photographic P] */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demo/drawing/coco.h"

enum {
    OPT_COUNT = 256,
    OPT_SEED,
    OPT_SIZE,
    OPT_DISTRACTORS,
    OPT_LEAST,
    OPT_MOST,
    OPT_CLASSES,
    OPT_PER_IMAGE,
    OPT_DEFECTS,
    OPT_SHARE,
    OPT_PHOTOGRAPHIC
};
static const struct option options[] = {{"count", required_argument, NULL, OPT_COUNT},
                                        {"seed", required_argument, NULL, OPT_SEED},
                                        {"size", required_argument, NULL, OPT_SIZE},
                                        {"distractors", required_argument, NULL, OPT_DISTRACTORS},
                                        {"least", required_argument, NULL, OPT_LEAST},
                                        {"most", required_argument, NULL, OPT_MOST},
                                        {"classes", required_argument, NULL, OPT_CLASSES},
                                        {"per-image", required_argument, NULL, OPT_PER_IMAGE},
                                        {"defects", no_argument, NULL, OPT_DEFECTS},
                                        {"share", required_argument, NULL, OPT_SHARE},
                                        {"photographic", required_argument, NULL, OPT_PHOTOGRAPHIC},
                                        {NULL, 0, NULL, 0}};

typedef struct request {
    const char *out;
    long count;
    unsigned long long seed;
    demo_options scene;
} request;

static int usage(void)
{
    fprintf(
        stderr,
        "usage: scenes -o DIR [--count N] [--seed S] [--size WIDTH,HEIGHT] [--distractors P]\n"
        "              [--least PIXELS] [--most INSTANCES] [--classes old|new] [--per-image N]\n"
        "              [--photographic P]\n"
        "       scenes -o DIR --defects [--share P] [--count N] [--seed S] [--size "
        "WIDTH,HEIGHT]\n"
        "Draws N images of machine parts: DIR/images, DIR/instances.json (COCO), "
        "DIR/labels.csv.\n\n"
        "  --classes old    ten parts: screw nut washer gear bracket spring bearing key wrench "
        "plate (default)\n"
        "  --classes new    six that no shipped network was trained on: hinge hook pulley clamp "
        "rivet cotter pin\n"
        "  --per-image N    classes of an image at most (4; new: 2)\n"
        "  --defects        one large part per image, OK or NG; the instances of NG are its "
        "defects\n"
        "  --share P        share of NG images (0.5)\n"
        "  --photographic P share of images with the look of photographs (0): tilted ground, long "
        "shadows, glints,\n"
        "                   clutter, parts cut by the border, depth of field, motion blur, mixed "
        "light, sensor noise\n");
    return 2;
}

static int take(request *r, int option, const char *value)
{
    char *end = NULL;
    switch (option) {
    case 'o':
        r->out = value;
        return 1;
    case OPT_COUNT:
        r->count = strtol(value, &end, 10);
        return *value && !*end && r->count > 0 && r->count <= 1000000;
    case OPT_SEED:
        r->seed = strtoull(value, &end, 10);
        return *value && !*end;
    case OPT_SIZE:
        return sscanf(value, "%d,%d", &r->scene.width, &r->scene.height) == 2 &&
               r->scene.width >= 64 && r->scene.height >= 64 && r->scene.width <= 4096 &&
               r->scene.height <= 4096;
    case OPT_DISTRACTORS:
        r->scene.distractors = strtof(value, &end);
        return *value && !*end && r->scene.distractors >= 0 && r->scene.distractors <= 1;
    case OPT_LEAST:
        r->scene.least_size = strtof(value, &end);
        return *value && !*end && r->scene.least_size >= 8 && r->scene.least_size <= 300;
    case OPT_MOST:
        r->scene.most = (int)strtol(value, &end, 10);
        return *value && !*end && r->scene.most >= 1 && r->scene.most <= DEMO_MOST;
    case OPT_CLASSES:
        r->scene.set = strcmp(value, "new") == 0 ? DEMO_NEW : DEMO_OLD;
        return strcmp(value, "new") == 0 || strcmp(value, "old") == 0;
    case OPT_PER_IMAGE:
        r->scene.classes = (int)strtol(value, &end, 10);
        return *value && !*end && r->scene.classes >= 1 && r->scene.classes <= 4;
    case OPT_DEFECTS:
        r->scene.set = DEMO_INSPECTED;
        return 1;
    case OPT_SHARE:
        r->scene.defects = strtof(value, &end);
        return *value && !*end && r->scene.defects >= 0 && r->scene.defects <= 1;
    case OPT_PHOTOGRAPHIC:
        r->scene.photographic = strtof(value, &end);
        return *value && !*end && r->scene.photographic >= 0 && r->scene.photographic <= 1;
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    request r = {.count = 12, .seed = 1, .scene = {.distractors = 0.3f, .defects = 0.5f}};
    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;)
        if (!take(&r, option, optarg))
            return usage();
    if (!r.out || optind != argc)
        return usage();
    if (r.scene.set == DEMO_NEW && !r.scene.classes)
        r.scene.classes = 2;
    demo_folder folder;
    if (!demo_folder_open(r.out, r.scene.set, &folder))
        return 1;
    int good = 1;
    for (long i = 0; i < r.count && good; i++) {
        demo_scene scene;
        good = demo_scene_draw(r.seed + (unsigned long long)i, &r.scene, &scene) &&
               demo_folder_add(&folder, &scene);
        if (good)
            demo_scene_free(&scene);
    }
    if (!demo_folder_close(&folder, good)) {
        fprintf(stderr, "scenes: could not write %s\n", r.out);
        return 1;
    }
    return 0;
}
