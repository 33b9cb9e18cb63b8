/* cli/cmd_verify.c - weaksam verify: full validation of a weight file. */
#include "cli/cli.h"

static int run(int argc, char **argv)
{
    cli_common common;
    wsam_error error = {0};
    int status;
    const int first = cli_parse(&cmd_verify, argc, argv, &common, NULL, NULL, NULL, &status);
    if (first < 0)
        return status;
    if (argc - first != 1)
        return cli_usage("verify", "wants one weight file");
    if (wsam_verify(argv[first], &error))
        return cli_failed("verify", &error);
    if (common.json)
        puts("{\"valid\":true}");
    else if (!common.quiet) {
        cli_print_safe(stdout, argv[first]);
        puts(": valid");
    }
    return CLI_OK;
}

const cli_command cmd_verify = {.name = "verify",
                                .summary = "Checks structure, graphs and every value of a file.",
                                .usage = "verify MODEL.wsam",
                                .help = "",
                                .takes = "jq",
                                .run = run};
