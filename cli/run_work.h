/* cli/run_work.h - weaksam run in parts: what is asked for, and what it works with. */
#ifndef WEAKSAM_CLI_RUN_WORK_H
#define WEAKSAM_CLI_RUN_WORK_H

#include "cli/final.h"
#include "cli/parameters.h"
#include "cli/run.h"

typedef struct run_request {
    cli_common common;
    cli_limits limits;
    const char *folder, *labels, *clue_model, *backbone, *scorer, *shard, *reviewed, *list;
    char *own_clues; /* clue_model, when it is learnt here */
    char *regions;   /* folder of what it was learnt from */
    wsam_stage_options stages;
    double max_seconds, grace;   /* 0: no limit; what is at work may take longer by */
    double log_interval;         /* seconds between lines of progress in a log; 0: none */
    int own_method;              /* how pseudo labels are chosen was said */
    wsam_pgt_options head_rules; /* of what a detection head finds */
    int relearn;
    double lease; /* seconds of silence after which a shard is taken over; 0: 120 */
    int steal, prepared, no_merge, clues_only;
    int plan; /* print it, and end */
    int workers, retry, overwrite, skip_missing, exit_zero;
    cli_learn learn;
    cli_recast recast;      /* classes of final.json */
    char *maps;             /* folder */
    const char *head_clues; /* clue network whose patches a detection head looks at; NULL: none */
} run_request;

typedef struct run_work {
    const run_request *request;
    wsam_model *model, *clue_model, *network, *scorer;
    wsam_stage_workers *workers;
    wsam_labels *labels;
    int shard, shards, bar;
    double max_seconds, grace, log_interval, last;
    double started;             /* ms */
    size_t failed;              /* pictures of this shard */
    size_t damaged;             /* places in its journal */
    size_t outdated;            /* --plan: images that clues would have to be learnt from again */
    char name[40];              /* of the command in messages: with the shard */
    char *config, *late;        /* what results follow from: all, late stages */
    char *learning, *labelling; /* of --learn: the first head, the second */
    int final;                  /* final.json is there */
} run_work;

/* Options of the command, for cli_options_parse: `user` is a run_request. Exit status. */
extern const struct option run_options[];
int run_take_option(void *user, int option, const char *value);

/* Opens models, reads labels, learns clues for classes that no network knows, creates workers and
 * says in w->config what results follow from. */
wsam_status run_prepare(run_request *r, run_work *w, wsam_error *error);

/* All images of this shard through a worker, into a folder; with --plan and the workers of the
 * stages only what would be done. `user` is a run_work. */
wsam_status run_images(void *user, const wsam_labels *labels, const char *output,
                       const char *config, wsam_run_fn fn, void *fn_user, wsam_error *error);

/* Looks at the time limit: the running stages stop when it is over. `user` is a run_work. */
void run_images_look_at_clock(void *user);

#endif
