/* cli/learn.h - `weaksam run --learn`: options, and the call when the stages are through. */
#ifndef WEAKSAM_CLI_LEARN_H
#define WEAKSAM_CLI_LEARN_H

#include "base/text.h"
#include "cli/stages.h"
#include "weaksam/learn.h"

/* Its own options; the words and numbers are those of weaksam train. */
typedef struct cli_learn {
    int wanted, fast;
    long long epochs, seed; /* 0: the default */
    int has_options;        /* one of them but the seed was given */
    const char *roi_drop;   /* NULL: the default */
    double trust;           /* 0: the default */
    long long min_side;     /* 0: the default */
    int oicr;
} cli_learn;

typedef enum cli_learn_option {
    CLI_LEARN_PRESET,
    CLI_LEARN_EPOCHS,
    CLI_LEARN_SEED,
    CLI_LEARN_ROI_DROP,
    CLI_LEARN_TRUST,
    CLI_LEARN_ASSIGN,
    CLI_LEARN_MIN_SIDE
} cli_learn_option;

/* Takes one of them. Returns CLI_OK or what cli_usage returned. */
int cli_learn_take(cli_learn *learn, cli_learn_option option, const char *value);

/* They as a member "learn" of a configuration: those that the first head follows from, and those of
 * the second alone. */
void cli_learn_print(ws_text *t, const cli_learn *learn);
void cli_learn_print_late(ws_text *t, const cli_learn *learn);

/* The rest of `options` is filled in by the caller: output, images, labels, list, config, models,
 * pgt. Exit status; CLI_STOPPED after a signal, and when another process learns from the run. */
enum { CLI_STOPPED = 75 };
int cli_learn_run(const cli_learn *learn, const cli_common *common,
                  wsam_self_train_options *options);

#endif
