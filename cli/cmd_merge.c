/* cli/cmd_merge.c - weaksam merge: the final files of a run. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/help_tables.h"
#include "cli/run.h"

static int run(int argc, char **argv)
{
    cli_common common;
    wsam_error error;
    char *path;
    size_t missing;
    int status;
    const int first = cli_options_parse(&cmd_merge, argc, argv, &common, NULL, NULL, NULL, &status);
    if (first < 0)
        return status ? EXIT_USAGE : CLI_OK;
    if (argc - first != 1) {
        cli_usage("merge", "expected the folder of a run");
        return EXIT_USAGE;
    }
    if (cli_folder_join(argv[first], "state/manifest.jsonl", "", &path, &error)) {
        cli_failed("merge", &error);
        return EXIT_MEMORY;
    }
    int there;
    if (ws_file_there(path, &there,
                      &error)) /* whether it is there is not known: worth another try */
        there = 1;
    free(path);
    status = cli_run_finish("merge", argv[first], common.quiet, 1, EXIT_AGAIN, &missing);
    return there || status != EXIT_IO ? status : EXIT_MISSING;
}

const cli_command cmd_merge = {.name = "merge",
                               .summary = "Write the final files of a run whose shards are done.",
                               .usage = "merge OUT",
                               .takes = "q",
                               .run = run,
                               .table = &help_merge};
