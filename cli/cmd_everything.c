/* cli/cmd_everything.c - weaksam everything: all masks of pictures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/help_tables.h"
#include "cli/picture.h"
#include "cli/stages.h"

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
    OPT_HIERARCHICAL,
    OPT_CONFIDENT,
    OPT_MASK_MEMORY,
    OPT_WORKERS,
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
    {"hierarchical", no_argument, NULL, OPT_HIERARCHICAL},
    {"confident-logit", required_argument, NULL, OPT_CONFIDENT},
    {"mask-memory", required_argument, NULL, OPT_MASK_MEMORY},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"png", no_argument, NULL, OPT_PNG},
    {"overlay", no_argument, NULL, OPT_OVERLAY},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

enum { STEM = 200, NAME = STEM + 24 };

/* What the command line asks for. */
typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_everything_options options;
    int workers;   /* pictures at once; 0: to be chosen */
    unsigned what; /* WSAM_EVERYTHING_* beside the JSON */
    int folder;    /* -o is a folder; else one file, or standard output */
} request;

/* What is done with it. */
typedef struct work {
    const request *request;
    wsam_model *model;
    wsam_lines *lines;
    wsam_everything_stats stats;
    char (*names)[NAME]; /* of the pictures in the folder */
    size_t n;
    double load_ms; /* of the model */
    int failed;
    size_t bad; /* pictures */
    char label[64];
} work;

static int take_number(const char *name, const char *value, double low, double high, double *out)
{
    if (!cli_numbers(value, 1, 1, out) || !(*out >= low && *out <= high))
        return cli_usage("everything", "--%s '%s': expected a number from %g to %g", name, value,
                         low, high);
    return CLI_OK;
}

static int take_int(const char *name, const char *value, long long low, long long high,
                    long long *out)
{
    if (!cli_int(value, low, high, out))
        return cli_usage("everything", "--%s '%s': expected a whole number from %lld to %lld", name,
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
    case OPT_HIERARCHICAL:
        o->hierarchical = 1;
        return CLI_OK;
    case OPT_CONFIDENT:
        return take_number("confident-logit", value, -1e6, 1e6, &o->confident_logit);
    case OPT_MASK_MEMORY:
        if (!cli_bytes(value, &o->mask_memory))
            return cli_usage("everything", "--mask-memory '%s': expected bytes, for example 64M",
                             value);
        return CLI_OK;
    case OPT_WORKERS:
        status = take_int("workers", value, 1, 1024, &n);
        r->workers = (int)n;
        return status;
    case OPT_PNG:
        r->what |= WSAM_EVERYTHING_PNG;
        return CLI_OK;
    case OPT_OVERLAY:
        r->what |= WSAM_EVERYTHING_OVERLAY;
        return CLI_OK;
    case CLI_OPT_MAX_PIXELS:
        return cli_picture_take_limit(&r->limits, option, value);
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
        return cli_usage("everything", "expected -m MODEL.wsam and at least one image");
    r->folder = o && !ends_with(o, ".json") && !ends_with(o, ".jsonl");
    if (r->what && !r->folder)
        return cli_usage("everything", "--png and --overlay want a folder as -o");
    if (o && pictures > 1 && ends_with(o, ".json"))
        return cli_usage("everything", "several images need -o X.jsonl or a folder");
    return CLI_OK;
}

/* ---- names ---- */

/* The last part of a path without its extension; control characters become '_'. */
static void stem_of(const char *path, char stem[STEM])
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    size_t n = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    n = n < STEM - 1 ? n : STEM - 1;
    for (size_t i = 0; i < n; i++)
        stem[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '_' : name[i];
    stem[n] = 0;
}

/* Puts name i into a table of twice as many places; 0 when it is there already. */
static int add_name(const work *w, size_t *table, size_t i)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = w->names[i]; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    size_t at = (size_t)(hash % (2 * w->n));
    for (; table[at]; at = (at + 1) % (2 * w->n))
        if (strcmp(w->names[table[at] - 1], w->names[i]) == 0)
            return 0;
    table[at] = i + 1;
    return 1;
}

/* A name that an earlier picture has gets the picture's position behind it, or the next number that
 * is free. */
static int make_names(work *w, char **pictures)
{
    char stem[STEM];
    size_t *table = calloc(2 * w->n, sizeof *table);
    w->names = calloc(w->n, sizeof *w->names);
    for (size_t i = 0; table && w->names && i < w->n; i++) {
        stem_of(pictures[i], stem);
        strcpy(w->names[i], stem);
        for (size_t k = i; !add_name(w, table, i); k++)
            snprintf(w->names[i], NAME, "%s.%zu", stem, k);
    }
    free(table);
    return table && w->names;
}

/* ---- the work ---- */

/* On a worker's thread: files, or the text for `put`. */
static wsam_status make(void *user, const wsam_everything_item *item, char **text,
                        wsam_error *error)
{
    const work *w = user;
    const request *r = w->request;
    if (r->folder)
        return wsam_everything_save(item->result, item->picture, item->path, r->common.output,
                                    w->names[item->index], r->what | WSAM_EVERYTHING_JSON, error);
    return wsam_everything_json(item->result, item->path, text)
               ? cli_error(error, WSAM_ERR_MEMORY, "no memory for the results")
               : WSAM_OK;
}

/* In order. A picture that fails does not stop the others. */
static int put(void *user, size_t index, const char *text, const wsam_error *failure)
{
    work *w = user;
    wsam_error error;
    if (!failure && text && w->lines && wsam_lines_put(w->lines, text, &error))
        failure = &error;
    if (!failure && text && !w->lines && !cli_print_result(text)) {
        cli_error(&error, WSAM_ERR_IO, "standard output: %s", strerror(errno));
        failure = &error;
    }
    w->bad += failure != NULL;
    if (failure)
        w->failed = cli_failed("everything", failure);
    snprintf(w->label, sizeof w->label, "%zu of %zu", index + 2 < w->n ? index + 2 : w->n, w->n);
    return 0;
}

/* One-thread workers never wait for each other: more pictures per second than one worker of many
 * threads. They take their memory together, so a limit on it means one at a time. */
static void choose_workers(request *r, size_t pictures)
{
    wsam_options *o = &r->common.runtime;
    const int threads = o->threads ? o->threads : wsam_default_threads();
    if (!r->workers)
        r->workers = o->max_memory ? 1 : threads;
    if ((size_t)r->workers > pictures)
        r->workers = (int)pictures;
    o->threads = threads / r->workers ? threads / r->workers : 1;
}

static wsam_status prepare(request *r, work *w, char **pictures, wsam_error *error)
{
    const double start = ws_clock_ms();
    choose_workers(r, w->n);
    wsam_status status = wsam_model_open(r->common.model, &r->common.runtime, &w->model, error);
    if (!status && r->folder && !make_names(w, pictures))
        status = cli_error(error, WSAM_ERR_MEMORY, "no memory for %zu names", w->n);
    if (!status && r->common.output && !r->folder)
        status = wsam_lines_open(r->common.output, &w->lines, error);
    if (cli_wants_progress(&r->common)) {
        r->options.progress = cli_progress;
        r->options.progress_user = w->label;
        snprintf(w->label, sizeof w->label, "1 of %zu", w->n);
    }
    w->load_ms = ws_clock_ms() - start;
    return status;
}

/* ---- statistics ---- */

/* What --timing tells of other commands stands in front, where it is wanted. */
static void print_json(const work *w, const wsam_timing *t, double load_ms)
{
    const wsam_everything_stats *s = &w->stats;
    fputc('{', stderr);
    if (w->request->common.timing)
        fprintf(stderr,
                "\"load_ms\":%.3f,\"preprocess_ms\":%.3f,\"encode_ms\":%.3f,\"decode_ms\":%.3f,"
                "\"postprocess_ms\":%.3f,\"masks_ms\":%.3f,\"nms_ms\":%.3f,\"clean_ms\":%.3f,",
                load_ms, t->preprocess_ms, t->encode_ms, t->decode_ms, t->postprocess_ms,
                1e3 * s->mask_s, 1e3 * s->nms_s, 1e3 * s->clean_s);
    fprintf(stderr,
            "\"peak_rss_bytes\":%llu,\"own_bytes\":%llu,\"workers\":%d,\"prompts\":%llu,"
            "\"masks\":{\"decoded\":%llu,\"after_iou\":%llu,\"after_stability\":%llu,"
            "\"after_edges\":%llu,\"after_nms\":%llu,\"after_crops\":%llu,\"kept\":%llu,"
            "\"decoded_again\":%llu}}\n",
            (unsigned long long)wsam_peak_memory(), (unsigned long long)s->peak_bytes,
            w->request->workers, (unsigned long long)s->prompts, (unsigned long long)s->masks,
            (unsigned long long)s->after_iou, (unsigned long long)s->after_stability,
            (unsigned long long)s->after_edges, (unsigned long long)s->after_nms,
            (unsigned long long)s->after_crops, (unsigned long long)s->kept,
            (unsigned long long)s->recomputed);
}

static void print_counts(const wsam_everything_stats *s)
{
    fprintf(stderr,
            "masks: %llu decoded, %llu after the IoU filter, %llu stable, %llu off crop edges, "
            "%llu after NMS, %llu after NMS across crops, %llu kept; %llu decoded again\n"
            "masks %.1f ms, NMS %.1f ms, clean-up %.1f ms\n",
            (unsigned long long)s->masks, (unsigned long long)s->after_iou,
            (unsigned long long)s->after_stability, (unsigned long long)s->after_edges,
            (unsigned long long)s->after_nms, (unsigned long long)s->after_crops,
            (unsigned long long)s->kept, (unsigned long long)s->recomputed, 1e3 * s->mask_s,
            1e3 * s->nms_s, 1e3 * s->clean_s);
}

static void print_loss(const char *why, uint64_t before, uint64_t after)
{
    if (before > after)
        fprintf(stderr, "  %llu: %s\n", (unsigned long long)(before - after), why);
}

/* No mask at all is mostly a matter of thresholds that were chosen for other weights. */
static void print_why_none(const work *w)
{
    const wsam_everything_stats *s = &w->stats;
    const wsam_everything_options *o = &w->request->options;
    char why[160];
    if (w->request->common.quiet || w->request->common.json || s->kept || !s->masks)
        return;
    fprintf(stderr, "weaksam everything: no mask is left of %llu candidates\n",
            (unsigned long long)s->masks);
    snprintf(why, sizeof why, "a predicted IoU of at most %g (--pred-iou-thresh; 0: no filter)",
             o->pred_iou_thresh);
    print_loss(why, s->masks, s->after_iou);
    snprintf(why, sizeof why, "a stability below %g (--stability-score-thresh; 0: no filter)",
             o->stability_score_thresh);
    print_loss(why, s->after_iou, s->after_stability);
    print_loss("cut off by the edge of a crop", s->after_stability, s->after_edges);
    print_loss("smaller than --min-mask-region-area, or the same as another", s->after_edges,
               s->kept);
}

/* Memory is told always; times of several workers add up. */
static void print_stats(const work *w)
{
    const cli_common *common = &w->request->common;
    const wsam_everything_stats *s = &w->stats;
    const double load_ms = w->load_ms + 1e3 * s->load_s;
    const wsam_timing timing = {.preprocess_ms = 1e3 * s->preprocess_s,
                                .encode_ms = 1e3 * s->encode_s,
                                .decode_ms = 1e3 * s->decode_s,
                                .postprocess_ms = 1e3 * (s->mask_s + s->nms_s + s->clean_s)};
    if (common->quiet && !common->timing)
        return;
    if (common->json) {
        print_json(w, &timing, load_ms);
        return;
    }
    cli_print_timing(common, load_ms, &timing);
    if (common->timing)
        print_counts(s);
    fprintf(stderr, "%llu masks; the generator's own memory %.1f MB", (unsigned long long)s->kept,
            (double)s->peak_bytes / 1e6);
    if (w->request->workers > 1)
        fprintf(stderr, " in %d workers", w->request->workers);
    fprintf(stderr, ", the process %.1f MB\n", (double)wsam_peak_memory() / 1e6);
}

/* The file of a single picture is all or nothing. */
static int do_all(request *r, char **pictures, size_t n)
{
    work w = {.request = r, .n = n};
    wsam_error error = {0};
    wsam_status status = prepare(r, &w, pictures, &error);
    const wsam_everything_batch batch = {.paths = (const char *const *)pictures,
                                         .n = n,
                                         .workers = r->workers,
                                         .limits = &r->limits.picture,
                                         .options = &r->options,
                                         .make = make,
                                         .put = put,
                                         .user = &w};
    if (!status) {
        status = wsam_everything_many(w.model, &batch, &w.stats, &error);
        cli_progress_end();
        if (!status && !(w.failed && n == 1))
            print_stats(&w);
        if (!status && w.bad < n)
            print_why_none(&w);
    }
    if (status)
        w.failed = cli_failed("everything", &error);
    status = cli_worth_writing(status, r->common.output, n, w.bad, &error);
    if (w.lines && wsam_lines_finish(w.lines, status, &error) && !w.failed)
        w.failed = cli_failed("everything", &error);
    wsam_model_close(w.model);
    free(w.names);
    return w.failed ? CLI_FAILED : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {0};
    int status;
    wsam_everything_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_everything, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    status = check_usage(&r, argc - first);
    return status ? status : do_all(&r, argv + first, (size_t)(argc - first));
}

const cli_command cmd_everything = {.name = "everything",
                                    .summary = "Find all masks of images with a grid of points.",
                                    .usage =
                                        "everything -m MODEL.wsam PICTURE... [-o OUT] [OPTION...]",
                                    .takes = "mortjq",
                                    .run = run,
                                    .table = &help_everything};
