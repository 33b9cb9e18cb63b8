/* cli/cmd_verify.c - weaksam verify: full validation of a weight file; its error against the
 * checkpoint. */
#include "cli/cli.h"
#include "cli/help_tables.h"

enum { OPT_AGAINST = CLI_OWN, MAX_ERRORS = 32 };

static const struct option own_options[] = {{"against", required_argument, NULL, OPT_AGAINST},
                                            {NULL, 0, NULL, 0}};

static int take(void *user, int option, const char *value)
{
    (void)option;
    *(const char **)user = value;
    return CLI_OK;
}

static void print_errors(const cli_common *common, const wsam_graph_error *errors, size_t n)
{
    if (common->json)
        printf("{\"valid\":true,\"errors\":[");
    else
        printf("%-16s %-10s %14s %14s\n", "graph", "output", "relative L2", "largest");
    for (size_t i = 0; i < n; i++)
        printf(common->json
                   ? "%s{\"graph\":\"%s\",\"output\":\"%s\",\"relative_l2\":%.6g,\"largest\":%.6g}"
                   : "%s%-16s %-10s %14.3e %14.3e\n",
               common->json && i ? "," : "", errors[i].graph, errors[i].output,
               errors[i].relative_l2, errors[i].largest);
    if (common->json)
        puts("]}");
}

static int run(int argc, char **argv)
{
    cli_common common;
    wsam_error error = {0};
    wsam_graph_error errors[MAX_ERRORS];
    const char *against = NULL;
    size_t n = 0;
    int status;
    const int first =
        cli_options_parse(&cmd_verify, argc, argv, &common, own_options, take, &against, &status);
    if (first < 0)
        return status;
    if (argc - first != 1)
        return cli_usage("verify", "expected one weight file");
    if (wsam_verify(argv[first], &error) ||
        (against && wsam_verify_against(argv[first], against, &common.runtime, errors, MAX_ERRORS,
                                        &n, &error)))
        return cli_failed("verify", &error);
    if (against) {
        print_errors(&common, errors, n);
    } else if (common.json) {
        puts("{\"valid\":true}");
    } else if (!common.quiet) {
        cli_print_safe(stdout, argv[first]);
        puts(": valid");
    }
    return CLI_OK;
}

const cli_command cmd_verify = {.name = "verify",
                                .summary =
                                    "Check structure, graphs and every value of a weight file.",
                                .usage = "verify MODEL.wsam [--against CHECKPOINT]",
                                .takes = "rjq",
                                .run = run,
                                .table = &help_verify};
