/* cli/cmd_segment.c - weaksam segment: prompts become masks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help_tables.h"
#include "cli/picture.h"
#include "cli/stages.h"
#include "pipeline/segment/point_label.h"

enum {
    OPT_POINT = CLI_OWN,
    OPT_BOX,
    OPT_MASK,
    OPT_MULTIMASK,
    OPT_SINGLE,
    OPT_PROMPTS,
    OPT_EMBEDDING,
    MAX_POINTS = 4096
};

static const struct option own_options[] = {
    {"point", required_argument, NULL, OPT_POINT},
    {"box", required_argument, NULL, OPT_BOX},
    {"mask-input", required_argument, NULL, OPT_MASK},
    {"multimask", no_argument, NULL, OPT_MULTIMASK},
    {"single", no_argument, NULL, OPT_SINGLE},
    {"prompts", required_argument, NULL, OPT_PROMPTS},
    {"embedding", required_argument, NULL, OPT_EMBEDDING},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

/* What the command line asks for. */
typedef struct request {
    cli_common common;
    cli_limits limits;
    const char *picture, *embedding, *prompts, *mask;
    wsam_prompt prompt; /* of --point, --box, --mask-input */
    wsam_point points[MAX_POINTS];
    float *mask_values;
} request;

/* What is freed at the end. */
typedef struct work {
    cli_loaded loaded;
    wsam_prompt_list *list;
    wsam_embedding *embedding;
    wsam_result *result;
} work;

static int take_point(request *r, const char *value)
{
    double v[3] = {0, 0, 1};
    if (r->prompt.n_points == MAX_POINTS)
        return cli_usage("segment", "more than %d points", MAX_POINTS);
    int label;
    if (!cli_numbers(value, 2, 3, v) || !ws_point_label(v[2], &label))
        return cli_usage("segment", "--point '%s': expected X,Y or X,Y,LABEL, with label 0 or 1",
                         value);
    r->points[r->prompt.n_points++] = (wsam_point){v[0], v[1], label};
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_POINT:
        return take_point(r, value);
    case OPT_BOX:
        if (r->prompt.has_box || !cli_numbers(value, 4, 4, r->prompt.box))
            return cli_usage("segment", "--box '%s': expected X0,Y0,X1,Y1, once", value);
        r->prompt.has_box = 1;
        break;
    case OPT_MASK:
        r->mask = value;
        break;
    case OPT_MULTIMASK:
        r->prompt.multimask = 1;
        break;
    case OPT_SINGLE:
        r->prompt.multimask = 0;
        break;
    case OPT_PROMPTS:
        r->prompts = value;
        break;
    case OPT_EMBEDDING:
        r->embedding = value;
        break;
    default:
        return cli_picture_take_limit(&r->limits, option, value);
    }
    return CLI_OK;
}

static int ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static int check_usage(const request *r)
{
    const int given = r->prompt.n_points || r->prompt.has_box;
    if (!r->common.model)
        return cli_usage("segment", "expected -m MODEL.wsam");
    if (!r->picture == !r->embedding)
        return cli_usage("segment", "expected either an image or --embedding");
    if (!given == !r->prompts)
        return cli_usage("segment", "expected either --point and --box, or --prompts");
    if (r->prompts && r->mask)
        return cli_usage("segment", "--mask-input belongs to --point and --box");
    if (r->common.output &&
        (ends_with(r->common.output, ".png") || ends_with(r->common.output, ".jpg")))
        return cli_usage("segment", "-o needs a folder, X.json or X.safetensors");
    return CLI_OK;
}

/* ---- the work ---- */

/* One prompt from options, or a list from a file. */
static wsam_status get_prompts(request *r, work *w, const wsam_prompt **prompts, size_t *n,
                               char ***ids, wsam_error *error)
{
    *ids = NULL;
    if (r->prompts) {
        const wsam_status status =
            wsam_prompts_load(r->prompts, r->prompt.multimask, &w->list, error);
        if (status)
            return status;
        *prompts = w->list->prompts;
        *n = w->list->n;
        *ids = w->list->ids;
        return WSAM_OK;
    }
    r->prompt.points = r->points;
    *prompts = &r->prompt;
    *n = 1;
    if (!r->mask)
        return WSAM_OK;
    const wsam_status status =
        wsam_mask_load(r->mask, &r->mask_values, &r->prompt.mask_side, error);
    r->prompt.mask = r->mask_values;
    return status;
}

static wsam_status get_embedding(const request *r, work *w, wsam_error *error)
{
    if (r->embedding)
        return wsam_embedding_load(r->embedding, &w->embedding, error);
    return cli_picture_encode(&w->loaded, r->picture, &r->limits, &w->embedding, error);
}

static wsam_status print_json(const wsam_result *result, char **ids, wsam_error *error)
{
    char *text;
    if (wsam_result_json(result, ids, &text))
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the results");
    const int ok = cli_print_result(text);
    wsam_free(text);
    return ok ? WSAM_OK : cli_error(error, WSAM_ERR_IO, "standard output: %s", strerror(errno));
}

static wsam_status write_result(const request *r, const work *w, char **ids, wsam_error *error)
{
    const char *out = r->common.output;
    if (!out)
        return print_json(w->result, ids, error);
    if (ends_with(out, ".safetensors"))
        return wsam_result_save_tensors(w->result, out, error);
    if (ends_with(out, ".json"))
        return wsam_result_save_json(w->result, ids, out, error);
    const wsam_picture *picture = w->loaded.picture.pixels ? &w->loaded.picture : NULL;
    return wsam_result_save_folder(w->result, ids, picture, out, error);
}

static wsam_status segment(request *r, work *w, wsam_error *error)
{
    static char label[] = "decode";
    const wsam_prompt *prompts;
    size_t n;
    char **ids;
    const int tensors = r->common.output && ends_with(r->common.output, ".safetensors");
    wsam_status status = get_prompts(r, w, &prompts, &n, &ids, error);
    if (!status)
        status = cli_picture_open_model(&r->common, &w->loaded, error);
    if (!status)
        status = get_embedding(r, w, error);
    if (status)
        return status;
    if (w->loaded.progress)
        wsam_segmenter_set_progress(w->loaded.segmenter, cli_progress, label);
    status = wsam_segmenter_run(w->loaded.segmenter, w->embedding, prompts, n,
                                tensors ? WSAM_WANT_LOW_RES : WSAM_WANT_MASKS, &w->result, error);
    cli_progress_end();
    if (!status)
        status = write_result(r, w, ids, error);
    if (!status)
        cli_picture_timing(&r->common, &w->loaded);
    return status;
}

static int run(int argc, char **argv)
{
    work w = {0};
    wsam_error error = {0};
    int status = CLI_FAILED;
    request *r = calloc(1, sizeof *r);
    if (!r) {
        error = (wsam_error){WSAM_ERR_MEMORY, "no memory"};
        return cli_failed("segment", &error);
    }
    r->prompt.multimask = 1;
    const int first =
        cli_options_parse(&cmd_segment, argc, argv, &r->common, own_options, take, r, &status);
    if (first >= 0) {
        r->picture = first < argc ? argv[first] : NULL;
        status = first + 1 < argc ? cli_usage("segment", "more than one image") : check_usage(r);
        if (!status && segment(r, &w, &error))
            status = cli_failed("segment", &error);
    }
    wsam_result_free(w.result);
    wsam_embedding_free(w.embedding);
    wsam_prompts_free(w.list);
    cli_picture_close_model(&w.loaded);
    wsam_free(r->mask_values);
    free(r);
    return status;
}

const cli_command cmd_segment = {
    .name = "segment",
    .summary = "Segment objects in an image from points, boxes or masks.",
    .usage = "segment -m MODEL.wsam (PICTURE | --embedding FILE) PROMPT... [-o OUT] [OPTION...]",
    .takes = "mortjq",
    .run = run,
    .table = &help_segment};
