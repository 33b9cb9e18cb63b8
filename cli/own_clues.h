/* cli/own_clues.h - weaksam run with classes that no clue network knows: clues are learnt first. */
#ifndef WEAKSAM_CLI_OWN_CLUES_H
#define WEAKSAM_CLI_OWN_CLUES_H

#include "cli/stages.h"
#include "weaksam/regions.h"

/* Runs a worker over all pictures into `output`, as the stages are run. */
typedef wsam_status (*cli_run_pictures_fn)(void *user, const wsam_labels *labels,
                                           const char *output, const char *config, wsam_run_fn fn,
                                           void *fn_user, wsam_error *error);

typedef struct cli_own_clues {
    const char *name; /* of the command in messages */
    const cli_common *common;
    const wsam_labels *labels;
    const wsam_stage_options *stages; /* the segmenter, the network, limits, grid, view */
    const char *backbone;             /* file of the network, or NULL */
    const char *folder;               /* of regions and what belongs to them: made if missing */
    const char *out;                  /* the clue file */
    const char *sources;              /* NULL: chosen */
    int epochs;                       /* 0: the default */
    int cells;                        /* a head on the network's tokens in place of regions */
    int side;                         /* of the images that it looks at; 0: the default */
    int keep_holdout;
    int shard, shards, workers, overwrite;
    int stay;          /* 1: clues that are there stay when images or labels change, unless options
                          do or a class is new */
    int describe_only; /* 1: a shard describes its images, and leaves learning to a later process */
    uint64_t seed;
    double lease_seconds; /* of the process that learns; 0: the default */
    int bar;              /* draw progress */
    cli_run_pictures_fn run;
    void (*tick)(void *user); /* looks at the clock */
    void *user;
} cli_own_clues;

/* *missing: the first class of the labels that `model` does not know; NULL: it knows all. */
wsam_status cli_own_clues_cover(wsam_model *model, const wsam_labels *labels, const char **missing,
                                wsam_error *error);

/* `out`, learnt unless it is there; the judgement is printed. */
wsam_status cli_own_clues_make(const cli_own_clues *o, wsam_error *error);

/* The regions alone, for clues that were learnt elsewhere. */
wsam_status cli_own_clues_describe(const cli_own_clues *o, wsam_error *error);

/* Writes nothing. *learns: cli_own_clues_make would learn. `o->run` only looks what there is to do, and
 * leaves in *outdated how many images are not described as they are now. */
wsam_status cli_own_clues_plan(const cli_own_clues *o, const size_t *outdated, int *learns,
                               wsam_error *error);

#endif
