/* cli/cmd_everything.c - weaksam everything: all masks of pictures. */
#include <stdlib.h>
#include <string.h>

#include "cli/picture.h"

enum {
    OPT_SIDE = CLI_OWN,
    OPT_BATCH,
    OPT_IOU,
    OPT_STABILITY,
    OPT_OFFSET,
    OPT_NMS,
    OPT_LAYERS,
    OPT_CROP_NMS,
    OPT_OVERLAP,
    OPT_DOWNSCALE,
    OPT_REGION,
    OPT_MASK_MEMORY,
    OPT_PNG,
    OPT_OVERLAY
};

static const struct option own_options[] = {
    {"points-per-side", required_argument, NULL, OPT_SIDE},
    {"points-per-batch", required_argument, NULL, OPT_BATCH},
    {"pred-iou-thresh", required_argument, NULL, OPT_IOU},
    {"stability-score-thresh", required_argument, NULL, OPT_STABILITY},
    {"stability-score-offset", required_argument, NULL, OPT_OFFSET},
    {"box-nms-thresh", required_argument, NULL, OPT_NMS},
    {"crop-n-layers", required_argument, NULL, OPT_LAYERS},
    {"crop-nms-thresh", required_argument, NULL, OPT_CROP_NMS},
    {"crop-overlap-ratio", required_argument, NULL, OPT_OVERLAP},
    {"crop-n-points-downscale-factor", required_argument, NULL, OPT_DOWNSCALE},
    {"min-mask-region-area", required_argument, NULL, OPT_REGION},
    {"mask-memory", required_argument, NULL, OPT_MASK_MEMORY},
    {"png", no_argument, NULL, OPT_PNG},
    {"overlay", no_argument, NULL, OPT_OVERLAY},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

/* What the command line asks for. */
typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_everything_options options;
    unsigned what; /* WSAM_EVERYTHING_* beside the JSON */
    int folder;    /* -o is a folder; else one file, or standard output */
} request;

/* What is done with it. */
typedef struct work {
    wsam_model *model;
    wsam_everything *everything;
    wsam_lines *lines;
    wsam_everything_stats sums;
    double load_ms;
    char label[64];
} work;

static int take_number(const char *name, const char *value, double low, double high, double *out)
{
    if (!cli_numbers(value, 1, 1, out) || !(*out >= low && *out <= high))
        return cli_usage("everything", "--%s '%s': wants a number from %g to %g", name, value, low,
                         high);
    return CLI_OK;
}

static int take_int(const char *name, const char *value, long long low, long long high,
                    long long *out)
{
    if (!cli_int(value, low, high, out))
        return cli_usage("everything", "--%s '%s': wants a whole number from %lld to %lld", name,
                         value, low, high);
    return CLI_OK;
}

static int take_count(wsam_everything_options *o, int option, const char *value)
{
    const char *name = own_options[option - CLI_OWN].name;
    long long n = 0;
    int *where = &o->points_per_side, low = 1, high = 1024;
    if (option == OPT_BATCH) {
        where = &o->points_per_batch;
        high = 65536;
    } else if (option == OPT_LAYERS) {
        where = &o->crop_n_layers;
        low = 0;
        high = 4;
    } else if (option == OPT_DOWNSCALE) {
        where = &o->crop_n_points_downscale_factor;
    }
    const int status = take_int(name, value, low, high, &n);
    *where = (int)n;
    return status;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    wsam_everything_options *o = &r->options;
    long long n = 0;
    int status = CLI_OK;
    switch (option) {
    case OPT_IOU:
        return take_number("pred-iou-thresh", value, -1e6, 1e6, &o->pred_iou_thresh);
    case OPT_STABILITY:
        return take_number("stability-score-thresh", value, -1, 2, &o->stability_score_thresh);
    case OPT_OFFSET:
        return take_number("stability-score-offset", value, 0, 1e6, &o->stability_score_offset);
    case OPT_NMS:
        return take_number("box-nms-thresh", value, 0, 1e6, &o->box_nms_thresh);
    case OPT_CROP_NMS:
        return take_number("crop-nms-thresh", value, 0, 1e6, &o->crop_nms_thresh);
    case OPT_OVERLAP:
        return take_number("crop-overlap-ratio", value, 0, 1, &o->crop_overlap_ratio);
    case OPT_REGION:
        status = take_int("min-mask-region-area", value, 0, 1LL << 40, &n);
        o->min_mask_region_area = n;
        return status;
    case OPT_MASK_MEMORY:
        if (!cli_bytes(value, &o->mask_memory))
            return cli_usage("everything", "--mask-memory '%s': wants bytes, for example 64M",
                             value);
        return CLI_OK;
    case OPT_PNG:
        r->what |= WSAM_EVERYTHING_PNG;
        return CLI_OK;
    case OPT_OVERLAY:
        r->what |= WSAM_EVERYTHING_OVERLAY;
        return CLI_OK;
    case CLI_OPT_MAX_PIXELS:
        return cli_take_limit(&r->limits, option, value);
    default:
        return take_count(o, option, value);
    }
}

static int ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static int check_usage(request *r, int pictures)
{
    const char *o = r->common.output;
    if (!r->common.model || pictures < 1)
        return cli_usage("everything", "wants -m MODEL.wsam and at least one picture");
    r->folder = o && !ends_with(o, ".json") && !ends_with(o, ".jsonl");
    if (r->what && !r->folder)
        return cli_usage("everything", "--png and --overlay want a folder as -o");
    if (o && pictures > 1 && ends_with(o, ".json"))
        return cli_usage("everything", "several pictures want -o X.jsonl or a folder");
    return CLI_OK;
}

/* ---- names ---- */

/* The last part of a path without its extension; control characters become '_'. */
static void stem_of(const char *path, char stem[200])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t n = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    n = n < 199 ? n : 199;
    for (size_t i = 0; i < n; i++)
        stem[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '_' : name[i];
    stem[n] = 0;
}

/* Pictures of one name in different folders: a later one gets its position behind its name. */
static void unique_stem(char **pictures, int i, char stem[220])
{
    char other[200], mine[200];
    stem_of(pictures[i], mine);
    snprintf(stem, 220, "%s", mine);
    for (int k = 0; k < i; k++) {
        stem_of(pictures[k], other);
        if (strcmp(other, mine) == 0) {
            snprintf(stem, 220, "%s.%d", mine, i);
            return;
        }
    }
}

/* ---- the work ---- */

static void add_stats(wsam_everything_stats *sum, const wsam_everything_stats *s)
{
    sum->prompts += s->prompts;
    sum->masks += s->masks;
    sum->after_iou += s->after_iou;
    sum->after_stability += s->after_stability;
    sum->after_edges += s->after_edges;
    sum->after_nms += s->after_nms;
    sum->kept += s->kept;
    sum->recomputed += s->recomputed;
    sum->preprocess_s += s->preprocess_s;
    sum->encode_s += s->encode_s;
    sum->decode_s += s->decode_s;
    sum->mask_s += s->mask_s;
    sum->nms_s += s->nms_s;
    sum->clean_s += s->clean_s;
    sum->peak_bytes = sum->peak_bytes > s->peak_bytes ? sum->peak_bytes : s->peak_bytes;
}

static wsam_status write_result(const request *r, work *w, char **pictures, int i,
                                const wsam_everything_result *result, const wsam_picture *picture,
                                wsam_error *error)
{
    char stem[220];
    if (r->folder) {
        unique_stem(pictures, i, stem);
        return wsam_everything_save(result, picture, pictures[i], r->common.output, stem,
                                    r->what | WSAM_EVERYTHING_JSON, error);
    }
    char *text = wsam_everything_json(result, pictures[i]);
    wsam_status status = WSAM_OK;
    if (!text) {
        status = WSAM_ERR_MEMORY;
        snprintf(error->message, sizeof error->message, "no memory for the results");
    } else if (w->lines) {
        status = wsam_lines_put(w->lines, text, error);
    } else if (!cli_print_result(text)) {
        status = WSAM_ERR_IO;
        snprintf(error->message, sizeof error->message, "standard output: writing failed");
    }
    wsam_free(text);
    return status;
}

static wsam_status do_picture(request *r, work *w, char **pictures, int n, int i, wsam_error *error)
{
    wsam_picture picture = {0};
    wsam_everything_result *result = NULL;
    wsam_everything_stats stats = {0};
    wsam_error inner = {0};
    const double start = cli_now_ms();
    wsam_status status = wsam_picture_load(pictures[i], &r->limits.picture, &picture, error);
    w->load_ms += cli_now_ms() - start;
    if (status)
        return status;
    snprintf(w->label, sizeof w->label, "%d of %d", i + 1, n);
    status = wsam_everything_collect(w->everything, &picture, &r->options, &result, &stats, &inner);
    cli_progress_end();
    if (status) {
        error->status = status;
        snprintf(error->message, sizeof error->message, "%.300s: %.700s", pictures[i],
                 inner.message);
    } else {
        add_stats(&w->sums, &stats);
        status = write_result(r, w, pictures, i, result, &picture, error);
    }
    wsam_everything_result_free(result);
    wsam_picture_free(&picture);
    return status;
}

static wsam_status prepare(request *r, work *w, wsam_error *error)
{
    const double start = cli_now_ms();
    wsam_status status = wsam_model_open(r->common.model, &r->common.runtime, &w->model, error);
    if (!status)
        status = wsam_everything_create(w->model, &w->everything, error);
    if (!status && r->common.output && !r->folder)
        status = wsam_lines_open(r->common.output, &w->lines, error);
    if (cli_wants_progress(&r->common)) {
        r->options.progress = cli_progress;
        r->options.progress_user = w->label;
    }
    w->load_ms = cli_now_ms() - start;
    return status;
}

static void print_counts(const cli_common *common, const wsam_everything_stats *s)
{
    const double mib = 1e6;
    if (!common->timing || common->json)
        return;
    fprintf(
        stderr,
        "masks: %llu decoded, %llu after the IoU filter, %llu stable, %llu off crop edges, %llu "
        "after NMS, %llu kept; %llu decoded again\n"
        "masks %.1f ms, NMS %.1f ms, clean-up %.1f ms; own memory %.1f MB\n",
        (unsigned long long)s->masks, (unsigned long long)s->after_iou,
        (unsigned long long)s->after_stability, (unsigned long long)s->after_edges,
        (unsigned long long)s->after_nms, (unsigned long long)s->kept,
        (unsigned long long)s->recomputed, 1e3 * s->mask_s, 1e3 * s->nms_s, 1e3 * s->clean_s,
        (double)s->peak_bytes / mib);
}

static void print_timing(const cli_common *common, const work *w)
{
    const wsam_everything_stats *s = &w->sums;
    const wsam_timing timing = {.preprocess_ms = 1e3 * s->preprocess_s,
                                .encode_ms = 1e3 * s->encode_s,
                                .decode_ms = 1e3 * s->decode_s,
                                .postprocess_ms = 1e3 * (s->mask_s + s->nms_s + s->clean_s)};
    cli_print_timing(common, w->load_ms, &timing);
    print_counts(common, s);
}

/* A picture that fails does not stop the others; the file of a single picture is all or nothing. */
static int do_all(request *r, char **pictures, int n)
{
    work w = {0};
    wsam_error error = {0};
    int failed = 0;
    wsam_status status = prepare(r, &w, &error);
    if (status)
        failed = cli_failed("everything", &error);
    for (int i = 0; i < n && !status; i++)
        if (do_picture(r, &w, pictures, n, i, &error))
            failed = cli_failed("everything", &error);
    if (w.lines && wsam_lines_finish(w.lines, failed && n == 1 ? WSAM_ERR_IO : status, &error) &&
        !failed)
        failed = cli_failed("everything", &error);
    if (!status)
        print_timing(&r->common, &w);
    wsam_everything_free(w.everything);
    wsam_model_close(w.model);
    return failed ? CLI_FAILED : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {0};
    int status;
    wsam_everything_options_default(&r.options);
    const int first =
        cli_parse(&cmd_everything, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    status = check_usage(&r, argc - first);
    return status ? status : do_all(&r, argv + first, argc - first);
}

const cli_command cmd_everything = {
    .name = "everything",
    .summary = "All masks of pictures: a grid of points, filtered and thinned.",
    .usage = "everything -m MODEL.wsam PICTURE... [-o OUT] [OPTION...]",
    .help =
        "OUT is a folder (NAME.json per picture), X.json, or X.jsonl with a line per picture;\n"
        "without -o the lines go to standard output.\n"
        "      --png                masks as pictures: OUT/NAME/0.png ... and metadata.csv\n"
        "      --overlay            OUT/NAME_overlay.png\n"
        "      --points-per-side N  grid of N x N points (32)\n"
        "      --points-per-batch N prompts per decoder call at most (64); no influence on "
        "results\n"
        "      --pred-iou-thresh F  keep masks with a predicted IoU above F (0.88); 0: all\n"
        "      --stability-score-thresh F  keep masks with a stability of at least F (0.95); 0: "
        "all\n"
        "      --stability-score-offset F  logit offset of the stability score (1.0)\n"
        "      --box-nms-thresh F   box IoU above which the lower score goes (0.7)\n"
        "      --crop-n-layers N    also look at 4, 16, ... crops: N layers, at most 4 (0)\n"
        "      --crop-nms-thresh F  the same NMS across crops (0.7)\n"
        "      --crop-overlap-ratio F      overlap of crops, of the shorter side (0.341)\n"
        "      --crop-n-points-downscale-factor N  N times fewer points a side per layer (1)\n"
        "      --min-mask-region-area N    fill smaller holes, remove smaller islands (0: off)\n"
        "      --mask-memory BYTES  for masks that may still be suppressed (64M)\n" CLI_LIMIT_HELP,
    .takes = "mortjq",
    .run = run};
