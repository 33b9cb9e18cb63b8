/* cli/cmd_detect.c - weaksam detect: a detector, or a head that was trained here, on new pictures. */
#include "cli/detection_head.h"
#include "cli/detector.h"
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
    OPT_REVIEWED,
    OPT_RULES,
    OPT_NO_MASKS,
    OPT_SIDES,
    OPT_OVERLAY,
    OPT_DUMP,
    OPT_ROIS,
    OPT_SAM,
    OPT_TTA,
    OPT_SCALES,
    OPT_NO_MIRROR
};

static const struct option own_options[] = {
    {"head", required_argument, NULL, OPT_HEAD},
    {"features", required_argument, NULL, OPT_FEATURES},
    {"images", required_argument, NULL, OPT_IMAGES},
    {"nms", required_argument, NULL, OPT_NMS},
    {"min-score", required_argument, NULL, OPT_MIN},
    {"max-per-image", required_argument, NULL, OPT_MOST},
    {"clue-model", required_argument, NULL, OPT_CLUES},
    {"clue-max-side", required_argument, NULL, OPT_SIZE},
    {"masks", no_argument, NULL, OPT_MASKS},
    {"reviewed", required_argument, NULL, OPT_REVIEWED},
    {"rules", required_argument, NULL, OPT_RULES},
    {"no-masks", no_argument, NULL, OPT_NO_MASKS},
    {"sides", required_argument, NULL, OPT_SIDES},
    {"overlay", required_argument, NULL, OPT_OVERLAY},
    {"dump", required_argument, NULL, OPT_DUMP},
    {"rois", required_argument, NULL, OPT_ROIS},
    {"sam", required_argument, NULL, OPT_SAM},
    {"tta", no_argument, NULL, OPT_TTA},
    {"scales", required_argument, NULL, OPT_SCALES},
    {"no-mirror", no_argument, NULL, OPT_NO_MIRROR},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

/* Options of a head and of a detector; which of the two it is, --head tells. */
typedef struct request {
    cli_head_job head;
    cli_detector_job detector;
    cli_limits limits;
    int tta, views;  /* --tta; an option of it */
    int of_detector; /* an option that a head does not have was given */
} request;

static int take_scales(wsam_detector_params *p, const char *value)
{
    double scales[WSAM_DETECTOR_SCALES];
    const int n = cli_numbers(value, 1, WSAM_DETECTOR_SCALES, scales);
    for (int i = 0; i < n; i++)
        if (!(scales[i] >= 32) || !(scales[i] <= p->view_long_side))
            return cli_usage("detect", "--scales '%s': expected sides of 32 to %d", value,
                             p->view_long_side);
    if (!n)
        return cli_usage("detect", "--scales '%s': expected up to %d numbers", value,
                         WSAM_DETECTOR_SCALES);
    for (int i = 0; i < n; i++)
        p->scales[i] = (int)scales[i];
    p->n_scales = n;
    return CLI_OK;
}

static int take_detector(request *r, int option, const char *value)
{
    cli_detector_job *j = &r->detector;
    double sides[2];
    r->of_detector = 1;
    switch (option) {
    case OPT_NO_MASKS:
        j->params.masks = 0;
        return CLI_OK;
    case OPT_SIDES:
        if (!cli_numbers(value, 2, 2, sides) || !(sides[0] >= 32) || !(sides[1] >= sides[0]) ||
            !(sides[1] <= 8192))
            return cli_usage("detect", "--sides '%s': expected SHORT,LONG of 32 to 8192", value);
        j->params.short_side = (int)sides[0];
        j->params.long_side = (int)sides[1];
        return CLI_OK;
    case OPT_TTA:
        r->tta = 1;
        return CLI_OK;
    case OPT_SCALES:
        r->views = 1;
        return take_scales(&j->params, value);
    case OPT_NO_MIRROR:
        r->views = 1;
        j->params.mirror = 0;
        return CLI_OK;
    case OPT_OVERLAY:
        j->overlays = value;
        return CLI_OK;
    case OPT_DUMP:
        j->dump = value;
        return CLI_OK;
    case OPT_ROIS:
        j->rois = value;
        return CLI_OK;
    case OPT_SAM:
        j->segmenter = value;
        return CLI_OK;
    default:
        return cli_picture_take_limit(&r->limits, option, value);
    }
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    cli_head_job *j = &r->head;
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
    case OPT_RULES:
        j->rules = value;
        return CLI_OK;
    case OPT_SIZE:
        return cli_head_take_clue_size("detect", value, &j->options.models.clue_size);
    case OPT_MOST:
        if (!cli_int(value, 0, 1000000, &n))
            return cli_usage("detect", "--max-per-image '%s': expected a number of boxes; 0: all",
                             value);
        j->options.detect.most = (size_t)n;
        return CLI_OK;
    case OPT_NO_MASKS:
    case OPT_SIDES:
    case OPT_OVERLAY:
    case OPT_DUMP:
    case OPT_ROIS:
    case OPT_SAM:
    case OPT_TTA:
    case OPT_SCALES:
    case OPT_NO_MIRROR:
    case CLI_OPT_MAX_PIXELS:
        return take_detector(r, option, value);
    default:
        if (!cli_numbers(value, 1, 1, where) || !(*where >= 0.0 && *where <= 1.0))
            return cli_usage("detect", "--%s '%s': expected 0 to 1",
                             own_options[option - CLI_OWN].name, value);
        return CLI_OK;
    }
}

/* Without --head the model is a detector, and the one argument an image or a folder of them. */
static int run_detector(request *r, const char *input)
{
    const wsam_detect_files_options *h = &r->head.options;
    cli_detector_job *j = &r->detector;
    const int output = r->head.common->output != NULL;
    if (!r->head.common->model || !input || !(output || j->dump))
        return cli_usage("detect", "expected -m DETECTOR.wsam, an image or a folder of images, and "
                                   "-o OUT.json; or --head HEAD.wsam with PROPOSALS.jsonl");
    if (h->images || h->features || h->models.clue_model || h->masks || r->head.reviewed ||
        r->head.rules)
        return cli_usage("detect",
                         "--images, --features, --clue-model, --masks, --reviewed and --rules "
                         "belong to --head");
    if (j->rois && !j->dump)
        return cli_usage("detect", "--rois belongs to --dump");
    if (r->views && !r->tta)
        return cli_usage("detect", "--scales and --no-mirror belong to --tta");
    if (r->tta && j->dump)
        return cli_usage("detect", "--dump writes one view: leave --tta out");
    if (r->tta && !j->params.n_scales)
        wsam_detector_params_augment(&j->params);
    j->params.min_score = h->detect.min_score;
    j->params.nms = h->detect.nms;
    j->params.most = h->detect.most;
    j->limits = r->limits.picture;
    j->common = r->head.common;
    j->input = input;
    return cli_detector_run(j);
}

static int run_head(request *r, const char *proposals)
{
    cli_head_job *j = &r->head;
    if (!j->common->output || !proposals ||
        !(j->options.features ||
          ((j->common->model || j->options.models.clue_model) && j->options.images)))
        return cli_usage("detect",
                         "expected --head HEAD.wsam, PROPOSALS.jsonl, -o DETECTIONS.json, and "
                         "--features CACHE or its models with --images DIR");
    if (r->of_detector)
        return cli_usage(
            "detect",
            "--no-masks, --sides, --tta, --scales, --no-mirror, --overlay, --sam, --dump, "
            "--rois and --max-pixels "
            "belong to a detector: leave --head out");
    if (j->options.masks && !(j->common->model && j->options.images))
        return cli_usage("detect", "--masks needs the segmenter (-m) and its images (--images)");
    j->options.proposals = proposals;
    return cli_head_run(j);
}

static int run(int argc, char **argv)
{
    cli_common common;
    request r = {.head = {.command = "detect", .common = &common}};
    int status;
    wsam_detect_files_options_default(&r.head.options);
    wsam_detector_params_default(&r.detector.params);
    r.head.options.models.clue_size = -1; /* that of the head's training */
    const int first =
        cli_options_parse(&cmd_detect, argc, argv, &common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    const char *input = argc - first == 1 ? argv[first] : NULL;
    return r.head.options.head ? run_head(&r, input) : run_detector(&r, input);
}

const cli_command cmd_detect = {
    .name = "detect",
    .summary = "Detect objects in new images with a detector or a trained head.",
    .usage = "detect -m DETECTOR.wsam (IMAGE | DIR) -o OUT.json [OPTION...]\n"
             "       detect --head HEAD.wsam (-m MODEL.wsam --images DIR | --features CACHE)\n"
             "       PROPOSALS.jsonl -o DETECTIONS.json [--masks]",
    .takes = "mortjq",
    .run = run,
    .table = &help_detect};
