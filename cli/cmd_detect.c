/* cli/cmd_detect.c - weaksam detect: a trained head on new pictures, without labels. */
#include "cli/detection_head.h"
#include "cli/help_tables.h"

enum {
    OPT_HEAD = CLI_OWN,
    OPT_FEATURES,
    OPT_IMAGES,
    OPT_NMS,
    OPT_MIN,
    OPT_MOST,
    OPT_CLUES,
    OPT_SIZE,
    OPT_MASKS,
    OPT_REVIEWED
};

static const struct option own_options[] = {{"head", required_argument, NULL, OPT_HEAD},
                                            {"features", required_argument, NULL, OPT_FEATURES},
                                            {"images", required_argument, NULL, OPT_IMAGES},
                                            {"nms", required_argument, NULL, OPT_NMS},
                                            {"min-score", required_argument, NULL, OPT_MIN},
                                            {"max-per-image", required_argument, NULL, OPT_MOST},
                                            {"clue-model", required_argument, NULL, OPT_CLUES},
                                            {"clue-max-side", required_argument, NULL, OPT_SIZE},
                                            {"masks", no_argument, NULL, OPT_MASKS},
                                            {"reviewed", required_argument, NULL, OPT_REVIEWED},
                                            {NULL, 0, NULL, 0}};

static int take(void *user, int option, const char *value)
{
    cli_head_job *j = user;
    double *where = option == OPT_NMS ? &j->options.detect.nms : &j->options.detect.min_score;
    long long n;
    switch (option) {
    case OPT_HEAD:
        j->options.head = value;
        return CLI_OK;
    case OPT_FEATURES:
        j->options.features = value;
        return CLI_OK;
    case OPT_IMAGES:
        j->options.images = value;
        return CLI_OK;
    case OPT_CLUES:
        j->options.models.clue_model = value;
        return CLI_OK;
    case OPT_MASKS:
        j->options.masks = 1;
        return CLI_OK;
    case OPT_REVIEWED:
        j->reviewed = value;
        return CLI_OK;
    case OPT_SIZE:
        return cli_take_clue_size("detect", value, &j->options.models.clue_size);
    case OPT_MOST:
        if (!cli_int(value, 0, 1000000, &n))
            return cli_usage("detect", "--max-per-image '%s': wants a number of boxes; 0: all",
                             value);
        j->options.detect.most = (size_t)n;
        return CLI_OK;
    default:
        if (!cli_numbers(value, 1, 1, where) || !(*where >= 0.0 && *where <= 1.0))
            return cli_usage("detect", "--%s '%s': wants 0 to 1",
                             own_options[option - CLI_OWN].name, value);
        return CLI_OK;
    }
}

static int run(int argc, char **argv)
{
    cli_common common;
    cli_head_job j = {.command = "detect", .common = &common};
    int status;
    wsam_detect_files_options_default(&j.options);
    j.options.models.clue_size = -1; /* that of the head's training */
    const int first = cli_parse(&cmd_detect, argc, argv, &common, own_options, take, &j, &status);
    if (first < 0)
        return status;
    if (!j.options.head || !common.output || argc - first != 1 ||
        !(j.options.features ||
          ((common.model || j.options.models.clue_model) && j.options.images)))
        return cli_usage("detect",
                         "wants --head HEAD.wsam, PROPOSALS.jsonl, -o DETECTIONS.json, and "
                         "--features CACHE or its models with --images DIR");
    if (j.options.masks && !(common.model && j.options.images))
        return cli_usage("detect", "--masks wants the segmenter (-m) and its pictures (--images)");
    j.options.proposals = argv[first];
    return cli_head_run(&j);
}

const cli_command cmd_detect = {
    .name = "detect",
    .summary = "Detect objects in new images with a trained head.",
    .usage = "detect --head HEAD.wsam (-m MODEL.wsam --images DIR | --features CACHE)\n"
             "       PROPOSALS.jsonl -o DETECTIONS.json [--masks]",
    .takes = "morq",
    .run = run,
    .table = &help_detect};
