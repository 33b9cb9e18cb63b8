/* cli/picture.c - see picture.h. */
#include "cli/picture.h"
#include "base/clock.h"

#include <string.h>

const struct option cli_limit_options[] = {
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS}, {NULL, 0, NULL, 0}};

int cli_picture_take_limit(void *limits, int option, const char *value)
{
    cli_limits *l = limits;
    long long n;
    (void)option;
    if (!cli_int(value, 1, (long long)1 << 32, &n))
        return cli_usage("--max-pixels", "'%s': expected a number of pixels", value);
    l->picture.max_pixels = (uint64_t)n;
    return CLI_OK;
}

wsam_status cli_picture_open_model(const cli_common *common, cli_loaded *l, wsam_error *error)
{
    const double start = ws_clock_ms();
    wsam_status status = wsam_model_open(common->model, &common->runtime, &l->model, error);
    if (!status)
        status = wsam_segmenter_create(l->model, &l->segmenter, error);
    l->load_ms = ws_clock_ms() - start;
    l->progress = cli_wants_progress(common);
    return status;
}

void cli_picture_close_model(cli_loaded *l)
{
    wsam_picture_free(&l->picture);
    wsam_segmenter_free(l->segmenter);
    wsam_model_close(l->model);
    memset(l, 0, sizeof *l);
}

/* Whether the model can take a picture of this size; the message names the file. */
static wsam_status check_size(const cli_loaded *l, const char *path, wsam_error *error)
{
    wsam_transform transform;
    wsam_error inner = {0};
    const wsam_status status =
        wsam_model_transform(l->model, l->picture.height, l->picture.width, &transform, &inner);
    if (status) {
        error->status = status;
        snprintf(error->message, sizeof error->message, "%.300s: %.700s", path, inner.message);
    }
    return status;
}

wsam_status cli_picture_encode(cli_loaded *l, const char *path, const cli_limits *limits,
                               wsam_embedding **embedding, wsam_error *error)
{
    static char label[] = "encode";
    const double start = ws_clock_ms();
    wsam_picture_free(&l->picture); /* the one before */
    wsam_status status = wsam_picture_load(path, &limits->picture, &l->picture, error);
    if (!status)
        status = check_size(l, path, error);
    l->load_ms += ws_clock_ms() - start;
    if (status)
        return status;
    if (l->progress)
        wsam_segmenter_set_progress(l->segmenter, cli_progress, label);
    status = wsam_segmenter_encode(l->segmenter, &l->picture, embedding, error);
    wsam_segmenter_trim(l->segmenter); /* one picture per command */
    return status;
}

void cli_picture_timing(const cli_common *common, const cli_loaded *l)
{
    wsam_timing timing;
    wsam_segmenter_timing(l->segmenter, &timing);
    cli_print_timing(common, l->load_ms, &timing);
}
