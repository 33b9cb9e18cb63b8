/* cli/bench_scale.h - weaksam bench scale. */
#ifndef WEAKSAM_CLI_BENCH_SCALE_H
#define WEAKSAM_CLI_BENCH_SCALE_H

/* argv[0] is "scale". */
int cli_bench_scale(int argc, char **argv);

#endif
