/* cli/bench.h - the parts of weaksam bench. */
#ifndef WEAKSAM_CLI_BENCH_H
#define WEAKSAM_CLI_BENCH_H

#include "cli/cli.h"

/* `weaksam bench compare ...`: argv[0] is "compare". */
int cli_bench_compare(int argc, char **argv);

typedef struct cli_bench_print {
    int json, printed; /* lines so far: a head comes first */
} cli_bench_print;

/* The name of a file, for the commands that rows quote. */
const char *cli_bench_file_name(const char *path);

/* A row as a line of the table, or as JSON. */
wsam_status cli_bench_put(cli_bench_print *print, const wsam_bench_row *row, wsam_error *error);

/* `weaksam run` on a folder by this program in a folder of its own that is removed again: a row for
 * the whole, one per stage. */
typedef struct cli_bench_run {
    const char *pictures, *labels, *clue_model;
    double watts, price; /* 0: not told */
} cli_bench_run;
wsam_status cli_bench_stages(const cli_common *common, const cli_bench_run *run,
                             cli_bench_print *print, wsam_error *error);

#endif
