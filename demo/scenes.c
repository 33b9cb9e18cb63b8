/* demo/scenes.c - draws a data set of machine parts.
 *
 * usage: scenes -o DIR [--count N] [--seed S] [--size WIDTH,HEIGHT] [--distractors P] [--least
 * PIXELS] [--most N] */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "demo/drawing/coco.h"

enum { OPT_COUNT = 256, OPT_SEED, OPT_SIZE, OPT_DISTRACTORS, OPT_LEAST, OPT_MOST };
static const struct option options[] = {{"count", required_argument, NULL, OPT_COUNT},
                                        {"seed", required_argument, NULL, OPT_SEED},
                                        {"size", required_argument, NULL, OPT_SIZE},
                                        {"distractors", required_argument, NULL, OPT_DISTRACTORS},
                                        {"least", required_argument, NULL, OPT_LEAST},
                                        {"most", required_argument, NULL, OPT_MOST},
                                        {NULL, 0, NULL, 0}};

typedef struct request {
    const char *out;
    long count;
    unsigned long long seed;
    demo_options scene;
} request;

static int usage(void)
{
    fprintf(stderr,
            "usage: scenes -o DIR [--count N] [--seed S] [--size WIDTH,HEIGHT] [--distractors P]\n"
            "              [--least PIXELS] [--most INSTANCES]\n"
            "Draws N pictures of machine parts: DIR/images, DIR/instances.json (COCO), "
            "DIR/labels.csv.\n");
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
    default:
        return 0;
    }
}

int main(int argc, char **argv)
{
    request r = {.count = 12, .seed = 1, .scene = {.distractors = 0.3f}};
    for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;)
        if (!take(&r, option, optarg))
            return usage();
    if (!r.out || optind != argc)
        return usage();
    demo_folder folder;
    if (!demo_folder_open(r.out, &folder))
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
