/* cli/cmd_twin.c - weaksam twin and draw: a stand-in model and picture for demonstrations. */
#include <string.h>

#include "cli/cli.h"
#include "cli/help_tables.h"

enum { OPT_OUTLIERS = CLI_OWN, OPT_SIZE };

static const struct option twin_options[] = {{"outliers", no_argument, NULL, OPT_OUTLIERS},
                                             {NULL, 0, NULL, 0}};
static const struct option draw_options[] = {{"size", required_argument, NULL, OPT_SIZE},
                                             {NULL, 0, NULL, 0}};

static int take_outliers(void *user, int option, const char *value)
{
    (void)option, (void)value;
    *(int *)user = 1;
    return CLI_OK;
}

static int run_twin(int argc, char **argv)
{
    cli_common common;
    wsam_error error = {0};
    int status, outliers = 0;
    const int first = cli_options_parse(&cmd_twin, argc, argv, &common, twin_options, take_outliers,
                                        &outliers, &status);
    if (first < 0)
        return status;
    if (argc - first != 1 || !common.output) {
        fprintf(stderr, "families:");
        for (int i = 0; wsam_family_name(i); i++)
            fprintf(stderr, " %s", wsam_family_name(i));
        fputc('\n', stderr);
        return cli_usage("twin", "expected a family and -o OUT.safetensors");
    }
    if (wsam_write_twin(argv[first], common.output, outliers, &error))
        return cli_failed("twin", &error);
    return CLI_OK;
}

const cli_command cmd_twin = {
    .name = "twin",
    .summary = "Write a checkpoint with made-up values, for tests and demonstrations.",
    .usage = "twin FAMILY -o OUT.safetensors [--outliers]",
    .takes = "o",
    .run = run_twin,
    .table = &help_twin};

static int take_size(void *user, int option, const char *value)
{
    double *size = user;
    (void)option;
    if (!cli_numbers(value, 2, 2, size) || !(size[0] >= 16 && size[0] <= 16384) ||
        !(size[1] >= 16 && size[1] <= 16384))
        return cli_usage("draw", "--size '%s': expected WIDTH,HEIGHT of 16 to 16384", value);
    return CLI_OK;
}

static int run_draw(int argc, char **argv)
{
    cli_common common;
    wsam_error error = {0};
    wsam_picture picture = {0};
    double size[2] = {640, 480};
    int status;
    const int first =
        cli_options_parse(&cmd_draw, argc, argv, &common, draw_options, take_size, size, &status);
    if (first < 0)
        return status;
    if (first != argc || !common.output)
        return cli_usage("draw", "expected -o OUT.png and no arguments");
    if (wsam_picture_draw((int)size[1], (int)size[0], &picture, &error) ||
        wsam_picture_save(&picture, common.output, &error))
        status = cli_failed("draw", &error);
    wsam_picture_free(&picture);
    return status;
}

const cli_command cmd_draw = {.name = "draw",
                              .summary = "Draw an image for tests and demonstrations.",
                              .usage = "draw -o OUT.png [--size WIDTH,HEIGHT]",
                              .takes = "o",
                              .run = run_draw,
                              .table = &help_draw};
