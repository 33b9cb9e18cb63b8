/* cli/cmd_encode.c - weaksam encode: a picture's embedding, or a backbone's tokens of it. */
#include "base/clock.h"
#include "cli/help_tables.h"
#include "cli/picture.h"
#include "cli/stages.h"

enum { OPT_MAX_SIDE = CLI_OWN };

static const struct option own_options[] = {
    {"max-side", required_argument, NULL, OPT_MAX_SIDE},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    long long max_side; /* 0: not given */
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    if (option != OPT_MAX_SIDE)
        return cli_picture_take_limit(&r->limits, option, value);
    if (!cli_int(value, 1, 8192, &r->max_side))
        return cli_usage("encode", "--max-side '%s': expected 1 to 8192", value);
    return CLI_OK;
}

static wsam_status encode_embedding(const char *path, const request *r, cli_loaded *l,
                                    wsam_error *error)
{
    wsam_embedding *embedding = NULL;
    if (r->max_side)
        return cli_error(error, WSAM_ERR_ARGUMENT,
                         "%.300s: --max-side is for backbones; a segmenter's input has one size",
                         r->common.model);
    wsam_status status = wsam_segmenter_create_encoder(l->model, &l->segmenter, error);
    if (!status)
        status = cli_picture_encode(l, path, &r->limits, &embedding, error);
    cli_progress_end();
    if (!status)
        status = wsam_embedding_save(embedding, r->common.output, error);
    if (!status)
        cli_picture_timing(&r->common, l);
    wsam_embedding_free(embedding);
    return status;
}

static wsam_status encode_tokens(const char *path, const request *r, cli_loaded *l,
                                 wsam_error *error)
{
    static char label[] = "encode";
    wsam_backbone *backbone = NULL;
    wsam_backbone_result *result = NULL;
    wsam_backbone_params params;
    wsam_error inner = {0};
    wsam_backbone_params_default(&params);
    if (r->max_side)
        params.long_side = (int)r->max_side;
    if (cli_wants_progress(&r->common)) {
        params.progress = cli_progress;
        params.progress_user = label;
    }
    const double start = ws_clock_ms();
    wsam_status status = wsam_backbone_create(l->model, &backbone, error);
    if (!status)
        status = wsam_picture_load(path, &r->limits.picture, &l->picture, error);
    l->load_ms += ws_clock_ms() - start;
    if (!status && (status = wsam_backbone_run(backbone, &l->picture, &params, &result, &inner)))
        cli_error_about(path, &inner, error);
    cli_progress_end();
    if (!status)
        status = wsam_backbone_save(backbone, result, r->common.output, error);
    if (!status) {
        const wsam_timing timing = {.preprocess_ms = result->preprocess_s * 1e3,
                                    .encode_ms = result->encode_s * 1e3};
        cli_print_timing(&r->common, l->load_ms, &timing);
    }
    wsam_backbone_result_free(result);
    wsam_backbone_free(backbone);
    return status;
}

static wsam_status encode(const char *path, const request *r, wsam_error *error)
{
    cli_loaded l = {.progress = cli_wants_progress(&r->common)};
    const double start = ws_clock_ms();
    wsam_status status = wsam_model_open(r->common.model, &r->common.runtime, &l.model, error);
    l.load_ms = ws_clock_ms() - start;
    if (!status)
        status = wsam_model_has_graph(l.model, "backbone") ? encode_tokens(path, r, &l, error)
                                                           : encode_embedding(path, r, &l, error);
    cli_picture_close_model(&l);
    return status;
}

static int run(int argc, char **argv)
{
    request r = {.max_side = 0};
    wsam_error error = {0};
    int status;
    const int first =
        cli_options_parse(&cmd_encode, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.model || !r.common.output || argc - first != 1)
        return cli_usage("encode", "expected -m MODEL.wsam, one image and -o FILE.safetensors");
    return encode(argv[first], &r, &error) ? cli_failed("encode", &error) : CLI_OK;
}

const cli_command cmd_encode = {
    .name = "encode",
    .summary = "Write an image's embedding, or the patch tokens of a backbone.",
    .usage = "encode -m MODEL.wsam PICTURE -o FILE.safetensors [OPTION...]",
    .takes = "mortjq",
    .run = run,
    .table = &help_encode};
