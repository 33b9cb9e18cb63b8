/* cli/cmd_encode.c - weaksam encode: a picture's embedding. */
#include "cli/cli.h"

#include "cli/picture.h"

static wsam_status encode(const char *path, const cli_common *common, const cli_limits *limits,
                          wsam_error *error)
{
    cli_loaded l = {0};
    wsam_embedding *embedding = NULL;
    wsam_status status = cli_load(common, &l, error);
    if (!status)
        status = cli_encode(&l, path, limits, &embedding, error);
    cli_progress_end();
    if (!status)
        status = wsam_embedding_save(embedding, common->output, error);
    if (!status)
        cli_loaded_timing(common, &l);
    wsam_embedding_free(embedding);
    cli_unload(&l);
    return status;
}

static int run(int argc, char **argv)
{
    cli_common common;
    cli_limits limits = {0};
    wsam_error error = {0};
    int status;
    const int first = cli_parse(&cmd_encode, argc, argv, &common, cli_limit_options, cli_take_limit,
                                &limits, &status);
    if (first < 0)
        return status;
    if (!common.model || !common.output || argc - first != 1)
        return cli_usage("encode", "wants -m MODEL.wsam, one picture and -o FILE.safetensors");
    return encode(argv[first], &common, &limits, &error) ? cli_failed("encode", &error) : CLI_OK;
}

const cli_command cmd_encode = {
    .name = "encode",
    .summary = "A picture's embedding, for later prompts.",
    .usage = "encode -m MODEL.wsam PICTURE -o EMBEDDING.safetensors [OPTION...]",
    .help = CLI_LIMIT_HELP,
    .takes = "mortjq",
    .run = run};
