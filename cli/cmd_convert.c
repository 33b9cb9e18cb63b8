/* cli/cmd_convert.c - weaksam convert: a checkpoint becomes a weight file. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/help_tables.h"
#include "cli/stages.h"

enum {
    OPT_TYPE = CLI_OWN,
    OPT_ARCH,
    OPT_IMAGE_SIZE,
    OPT_HEADS,
    OPT_LICENSE,
    OPT_NO_SMOOTHING,
    OPT_CALIBRATE,
    OPT_EXACT_REST,
    OPT_CLASSES,
    OPT_POSITIONS,
    OPT_UNIFORM_FUSION,
    OPT_STYLE,
    OPT_EPS,
    OPT_SIDES
};

static const struct option own_options[] = {
    {"type", required_argument, NULL, OPT_TYPE},
    {"arch", required_argument, NULL, OPT_ARCH},
    {"image-size", required_argument, NULL, OPT_IMAGE_SIZE},
    {"heads", required_argument, NULL, OPT_HEADS},
    {"license", required_argument, NULL, OPT_LICENSE},
    {"no-smoothing", no_argument, NULL, OPT_NO_SMOOTHING},
    {"calibrate", required_argument, NULL, OPT_CALIBRATE},
    {"exact-rest", no_argument, NULL, OPT_EXACT_REST},
    {"classes", required_argument, NULL, OPT_CLASSES},
    {"positions", required_argument, NULL, OPT_POSITIONS},
    {"uniform-fusion", no_argument, NULL, OPT_UNIFORM_FUSION},
    {"backbone-style", required_argument, NULL, OPT_STYLE},
    {"norm-eps", required_argument, NULL, OPT_EPS},
    {"sides", required_argument, NULL, OPT_SIDES},
    {NULL, 0, NULL, 0}};

typedef struct request {
    wsam_convert_options convert;
    const char *calibrate; /* folder */
    const char *classes;   /* file, or names with commas */
    cli_classes names;
    wsam_detector_rules rules;
} request;

static int take_rule(request *r, int option, const char *value)
{
    double v[2];
    r->convert.detector = &r->rules;
    switch (option) {
    case OPT_STYLE:
        if (strcmp(value, "caffe") != 0 && strcmp(value, "pytorch") != 0)
            return cli_usage("convert", "--backbone-style '%s': expected caffe or pytorch", value);
        r->rules.style = value;
        return CLI_OK;
    case OPT_EPS:
        if (!cli_numbers(value, 1, 1, v) || (v[0] > 0 && !(v[0] > 0.99e-5 && v[0] < 1.01e-5)) ||
            v[0] < 0)
            return cli_usage("convert", "--norm-eps '%s': expected 1e-5 or 0", value);
        r->rules.norm_eps = v[0] > 0 ? 1 : -1;
        return CLI_OK;
    default:
        if (!cli_numbers(value, 2, 2, v) || !(v[0] >= 32 && v[1] >= v[0] && v[1] <= 8192))
            return cli_usage("convert", "--sides '%s': expected SHORT,LONG of 32 to 8192", value);
        r->rules.short_side = (int)v[0];
        r->rules.long_side = (int)v[1];
        return CLI_OK;
    }
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    wsam_convert_options *o = &r->convert;
    long long n;
    switch (option) {
    case OPT_TYPE:
        if (strcmp(value, "f32") == 0)
            o->type = WSAM_FILE_F32;
        else if (strcmp(value, "bf16") == 0)
            o->type = WSAM_FILE_BF16;
        else if (strcmp(value, "int8") == 0)
            o->type = WSAM_FILE_INT8;
        else
            return cli_usage("convert", "--type '%s': expected f32, bf16 or int8", value);
        break;
    case OPT_ARCH:
        o->arch = value;
        break;
    case OPT_IMAGE_SIZE:
        if (!cli_int(value, 16, 16384, &n))
            return cli_usage("convert", "--image-size '%s': expected 16 to 16384", value);
        o->image_size = (int)n;
        break;
    case OPT_HEADS:
        if (!cli_int(value, 1, 1024, &n))
            return cli_usage("convert", "--heads '%s': expected 1 to 1024", value);
        o->heads = (int)n;
        break;
    case OPT_LICENSE:
        o->license = value;
        break;
    case OPT_CALIBRATE:
        r->calibrate = value;
        break;
    case OPT_CLASSES:
        r->classes = value;
        break;
    case OPT_POSITIONS:
        if (strcmp(value, "offset") != 0 && strcmp(value, "size") != 0 &&
            strcmp(value, "antialias") != 0)
            return cli_usage("convert", "--positions '%s': expected offset, size or antialias",
                             value);
        o->positions = value;
        break;
    case OPT_UNIFORM_FUSION:
        o->uniform_fusion = 1;
        break;
    case OPT_EXACT_REST:
        o->exact_rest = 1;
        break;
    case OPT_STYLE:
    case OPT_EPS:
    case OPT_SIDES:
        return take_rule(r, option, value);
    default:
        o->smoothing = 0;
        break;
    }
    return CLI_OK;
}

/* The names of a file, one per line, or those of the option itself. */
static wsam_status read_classes(request *r, wsam_error *error)
{
    struct stat s;
    wsam_status status = WSAM_OK;
    if (!r->classes)
        return WSAM_OK;
    const char *const *known;
    const size_t n = wsam_class_names(r->classes, &known);
    if (n) {
        r->convert.classes = known;
        r->convert.n_classes = n;
        return WSAM_OK;
    }
    if (stat(r->classes, &s) == 0) {
        status = cli_classes_read(r->classes, &r->names, error);
    } else {
        char *copy = strdup(r->classes), *rest = copy;
        int32_t index;
        for (char *name; !status && (name = strsep(&rest, ","));)
            status = cli_classes_find(&r->names, name, &index, error);
        free(copy);
    }
    r->convert.classes = r->names.list.names;
    r->convert.n_classes = r->names.list.n;
    return status;
}

/* Measures with the pictures of a folder, in the order of their names. */
static wsam_status calibrate(const request *r, const char *checkpoint,
                             wsam_calibration **calibration, wsam_error *error)
{
    char **paths = NULL;
    size_t n = 0, used;
    wsam_status status = cli_folder_sample(r->calibrate, &paths, &n, &used, error);
    if (!status)
        status = wsam_calibrate(checkpoint, &r->convert, (const char *const *)paths, used, NULL,
                                calibration, error);
    cli_folder_free(paths, n);
    return status;
}

static int run(int argc, char **argv)
{
    static char label[] = "convert";
    cli_common common;
    request r = {.calibrate = NULL};
    wsam_calibration *calibration = NULL;
    wsam_error error = {0};
    int status;
    wsam_convert_options_default(&r.convert);
    const int first =
        cli_options_parse(&cmd_convert, argc, argv, &common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (argc - first != 1 || !common.output)
        return cli_usage("convert", "expected one checkpoint and -o MODEL.wsam");
    if (cli_wants_progress(&common)) {
        r.convert.progress = cli_progress;
        r.convert.progress_user = label;
    }
    if (r.calibrate && (r.convert.type != WSAM_FILE_INT8 || !r.convert.smoothing))
        return cli_usage("convert", "--calibrate refines the smoothing of --type int8");
    wsam_status failed = read_classes(&r, &error);
    if (!failed && r.calibrate)
        failed = calibrate(&r, argv[first], &calibration, &error);
    if (!failed) {
        r.convert.calibration = calibration;
        failed = wsam_convert(argv[first], common.output, &r.convert, &error);
    }
    wsam_calibration_free(calibration);
    cli_classes_free(&r.names);
    if (failed)
        return cli_failed("convert", &error);
    cli_progress_end();
    return CLI_OK;
}

const cli_command cmd_convert = {
    .name = "convert",
    .summary = "Convert a checkpoint (.pth, .safetensors) to a weight file.",
    .usage = "convert CHECKPOINT -o MODEL.wsam [--type f32|bf16|int8] [OPTION...]",
    .takes = "oq",
    .run = run,
    .table = &help_convert};
