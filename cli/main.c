/* cli/main.c - the weaksam command: picks the subcommand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/manual.h"

static const cli_command *const commands[] = {
    &cmd_convert,     &cmd_inspect, &cmd_verify,        &cmd_encode, &cmd_segment, &cmd_everything,
    &cmd_bench,       &cmd_kernels, &cmd_twin,          &cmd_draw,   &cmd_eval,    &cmd_clues,
    &cmd_propose,     &cmd_score,   &cmd_pgt,           &cmd_masks,  &cmd_train,   &cmd_detect,
    &cmd_check,       &cmd_run,     &cmd_merge,         &cmd_status, &cmd_report,  &cmd_export,
    &cmd_export_onnx, &cmd_import,  &cmd_import_pickle, &cmd_join,   &cmd_trace,   &cmd_review,
    &cmd_pilot};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int run(int argc, char **argv)
{
    if (argc < 2) {
        cli_manual_overview(stderr, commands, COMMANDS);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "help") == 0)
        return cli_manual_command(argc - 1, argv + 1, commands, COMMANDS);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_manual_overview(stdout, commands, COMMANDS);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("weaksam %s\n", wsam_version());
        return CLI_OK;
    }
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    fprintf(stderr, "weaksam: no command '");
    cli_print_safe(stderr, argv[1]);
    fprintf(stderr, "'; weaksam --help lists them\n");
    return CLI_USAGE;
}

/* A full disk behind standard output shows when the last of it is written. */
int main(int argc, char **argv)
{
    const int status = run(argc, argv);
    if (status != CLI_OK || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    fprintf(stderr, "weaksam: standard output: %s\n", strerror(errno));
    return CLI_FAILED;
}
