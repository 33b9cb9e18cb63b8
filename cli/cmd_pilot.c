/* cli/cmd_pilot.c - weaksam pilot: is it good enough? */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help_tables.h"
#include "weaksam/pilot.h"

enum { OPT_COSTS = CLI_OWN, OPT_JSON, OPT_RULES, OPT_DETECTIONS, OPT_IOU, OPT_SECONDS, OPT_IMAGES };

static const struct option own_options[] = {
    {"costs", required_argument, NULL, OPT_COSTS},
    {"json", required_argument, NULL, OPT_JSON},
    {"write-rules", required_argument, NULL, OPT_RULES},
    {"detections", required_argument, NULL, OPT_DETECTIONS},
    {"iou", required_argument, NULL, OPT_IOU},
    {"seconds-per-mask", required_argument, NULL, OPT_SECONDS},
    {"for-images", required_argument, NULL, OPT_IMAGES},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    wsam_pilot_options options;
    int chosen; /* costs were given: the defaults are gone */
} request;

/* FALSE:MISS or FALSE:MISS:LOOK. */
static int take_costs(request *r, const char *value)
{
    wsam_pilot_options *o = &r->options;
    double v[3] = {0};
    const char *at = value;
    int n = 0, good = 1;
    for (; n < 3 && good; n++) {
        char *end;
        v[n] = strtod(at, &end);
        good = end != at && (*end == ':' || !*end);
        at = end + 1;
        if (good && !*end) {
            n++;
            break;
        }
    }
    if (!good || n < 2 || at[-1] || !(v[0] > 0 && v[1] > 0 && v[2] >= 0))
        return cli_usage(
            "pilot", "--costs '%s': expected FALSE:MISS or FALSE:MISS:LOOK, as 20:1:0.5", value);
    if (!r->chosen)
        o->n_costs = 0;
    r->chosen = 1;
    if (o->n_costs == WSAM_PILOT_MAX_COSTS)
        return cli_usage("pilot", "--costs: at most %d of them", WSAM_PILOT_MAX_COSTS);
    o->costs[o->n_costs++] = (wsam_pilot_costs){v[0], v[1], v[2]};
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    long long n;
    switch (option) {
    case OPT_COSTS:
        return take_costs(r, value);
    case OPT_JSON:
        r->options.json = value;
        return CLI_OK;
    case OPT_RULES:
        r->options.rules = value;
        return CLI_OK;
    case OPT_DETECTIONS:
        r->options.detections = value;
        return CLI_OK;
    case OPT_IOU:
        if (cli_numbers(value, 1, 1, &r->options.iou) != 1 ||
            !(r->options.iou > 0 && r->options.iou <= 1))
            return cli_usage("pilot", "--iou '%s': expected a number above 0, at most 1", value);
        return CLI_OK;
    case OPT_SECONDS:
        if (cli_numbers(value, 1, 1, &r->options.seconds_per_mask) != 1 ||
            !(r->options.seconds_per_mask > 0))
            return cli_usage("pilot", "--seconds-per-mask '%s': expected a number above 0", value);
        return CLI_OK;
    default:
        if (!cli_int(value, 1, 1LL << 50, &n))
            return cli_usage("pilot", "--for-images '%s': expected a whole number from 1 on",
                             value);
        r->options.images = (uint64_t)n;
        return CLI_OK;
    }
}

static void print_share(const char *name, const wsam_pilot_figure *f)
{
    if (f->few)
        printf("%s: too few to say\n", name);
    else
        printf("%s: %.1f %% (95 %%: %.1f to %.1f)\n", name, 100 * f->value, 100 * f->low,
               100 * f->high);
}

static void print(const wsam_pilot_summary *s)
{
    printf("%zu images of the random sample are complete: %zu objects, %zu detections\n", s->images,
           s->objects, s->detections);
    print_share("precision", &s->precision);
    print_share("recall", &s->recall);
    printf("false detections an image: %.2f (%.2f to %.2f)\n", s->false_per_image.value,
           s->false_per_image.low, s->false_per_image.high);
    printf("missed objects an image: %.2f (%.2f to %.2f)\n", s->missed_per_image.value,
           s->missed_per_image.low, s->missed_per_image.high);
    if (s->unfinished || s->unknown)
        printf(
            "left out: images of the sample that are not complete: %zu, without detections: %zu\n",
            s->unfinished, s->unknown);
    if (s->ranked)
        printf("ranked images, which calibrate and count in no figure: %zu\n", s->ranked);
}

static int run(int argc, char **argv)
{
    request r = {0};
    wsam_pilot_summary s;
    wsam_error error = {0};
    char *page = NULL;
    int status;
    wsam_pilot_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_pilot, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (argc - first != 1)
        return cli_usage("pilot", "expected the folder of a run that was reviewed");
    r.options.output = argv[first];
    if (!r.common.output) {
        const size_t size = strlen(argv[first]) + 12;
        if (!(page = malloc(size)))
            return cli_no_memory("pilot");
        snprintf(page, size, "%s/pilot.html", argv[first]);
    }
    r.options.page = page ? page : r.common.output;
    const wsam_status done = wsam_pilot(&r.options, &s, &error);
    if (!done)
        print(&s);
    if (!done && !r.common.quiet)
        fprintf(stderr, "%s says what to do next\n", r.options.page);
    free(page);
    return done ? cli_failed("pilot", &error) : CLI_OK;
}

const cli_command cmd_pilot = {
    .name = "pilot",
    .summary = "Say from reviewed images whether it is good enough, and what costs least.",
    .usage = "pilot OUT [--costs FALSE:MISS[:LOOK]]... [-o PAGE.html] [OPTION...]",
    .takes = "oq",
    .run = run,
    .table = &help_pilot};
