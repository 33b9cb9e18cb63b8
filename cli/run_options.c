/* cli/run_options.c - the options of weaksam run. */
#include <string.h>

#include "base/utf8.h"
#include "cli/run_work.h"

enum {
    OPT_LABELS = CLI_OWN,
    OPT_CLUES,
    OPT_BACKBONE,
    OPT_LIST,
    OPT_KEEP,
    OPT_CONTAINED,
    OPT_METHOD,
    OPT_MASKS,
    OPT_SHARD,
    OPT_WORKERS,
    OPT_SECONDS,
    OPT_GRACE,
    OPT_LOG,
    OPT_RETRY,
    OPT_OVERWRITE,
    OPT_MISSING,
    OPT_ZERO,
    OPT_SURER,
    OPT_LEARN,
    OPT_PRESET,
    OPT_EPOCHS,
    OPT_SEED,
    OPT_DROP,
    OPT_TRUST,
    OPT_ASSIGN,
    OPT_MIN_SIDE,
    OPT_REVIEWED,
    OPT_PLAN,
    OPT_RELEARN,
    OPT_RENAME,
    OPT_DROP_CLASS,
    OPT_STEAL,
    OPT_PREPARED,
    OPT_LEASE,
    OPT_NO_MERGE,
    OPT_CLUES_ONLY,
    OPT_SCORER
};

const struct option run_options[] = {{"labels", required_argument, NULL, OPT_LABELS},
                                     {"clue-model", required_argument, NULL, OPT_CLUES},
                                     {"backbone", required_argument, NULL, OPT_BACKBONE},
                                     {"scorer", required_argument, NULL, OPT_SCORER},
                                     {"list", required_argument, NULL, OPT_LIST},
                                     {"keep", required_argument, NULL, OPT_KEEP},
                                     {"contained", required_argument, NULL, OPT_CONTAINED},
                                     {"method", required_argument, NULL, OPT_METHOD},
                                     {"keep-masks", no_argument, NULL, OPT_MASKS},
                                     {"shard", required_argument, NULL, OPT_SHARD},
                                     {"workers", required_argument, NULL, OPT_WORKERS},
                                     {"max-seconds", required_argument, NULL, OPT_SECONDS},
                                     {"grace", required_argument, NULL, OPT_GRACE},
                                     {"log-interval", required_argument, NULL, OPT_LOG},
                                     {"retry-failed", no_argument, NULL, OPT_RETRY},
                                     {"overwrite", no_argument, NULL, OPT_OVERWRITE},
                                     {"skip-missing", no_argument, NULL, OPT_MISSING},
                                     {"exit-zero-on-failed-images", no_argument, NULL, OPT_ZERO},
                                     {"contained-by-higher-score", no_argument, NULL, OPT_SURER},
                                     {"learn", no_argument, NULL, OPT_LEARN},
                                     {"preset", required_argument, NULL, OPT_PRESET},
                                     {"epochs", required_argument, NULL, OPT_EPOCHS},
                                     {"seed", required_argument, NULL, OPT_SEED},
                                     {"roi-drop", required_argument, NULL, OPT_DROP},
                                     {"trust", required_argument, NULL, OPT_TRUST},
                                     {"assign", required_argument, NULL, OPT_ASSIGN},
                                     {"min-side", required_argument, NULL, OPT_MIN_SIDE},
                                     {"reviewed", required_argument, NULL, OPT_REVIEWED},
                                     {"plan", no_argument, NULL, OPT_PLAN},
                                     {"relearn", no_argument, NULL, OPT_RELEARN},
                                     {"rename", required_argument, NULL, OPT_RENAME},
                                     {"drop", required_argument, NULL, OPT_DROP_CLASS},
                                     {"steal", no_argument, NULL, OPT_STEAL},
                                     {"prepared", no_argument, NULL, OPT_PREPARED},
                                     {"no-merge", no_argument, NULL, OPT_NO_MERGE},
                                     {"clues-only", no_argument, NULL, OPT_CLUES_ONLY},
                                     {"lease-seconds", required_argument, NULL, OPT_LEASE},
                                     CLI_POINT_OPTIONS("point-"),
                                     CLI_PROPOSE_OPTIONS,
                                     CLI_SCORE_OPTIONS("score-", "score-min"),
                                     {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
                                     {NULL, 0, NULL, 0}};

static int take_method(run_request *r, const char *value)
{
    r->own_method = 1;
    static const char *const names[] = {"adaptive", "top1", "top2", "fixed"};
    for (int i = 0; i < 4; i++)
        if (strcmp(value, names[i]) == 0) {
            r->stages.pgt.method = (wsam_pgt_method)i;
            return CLI_OK;
        }
    return cli_usage("run", "--method '%s': expected adaptive, top1, top2 or fixed", value);
}

static int take_seconds(const char *name, double low, const char *value, double *out)
{
    if (!cli_numbers(value, 1, 1, out) || !(*out >= low))
        return cli_usage("run", "--%s '%s': expected a number of seconds", name, value);
    return CLI_OK;
}

static int take_number(run_request *r, int option, const char *value)
{
    const cli_parameters to = {&r->stages.clues, &r->stages.propose, &r->stages.score,
                               &r->stages.evidence};
    long long n;
    double *share = option == OPT_KEEP ? &r->stages.pgt.keep : &r->stages.pgt.contained;
    switch (option) {
    case OPT_WORKERS:
        if (!cli_int(value, 1, 1024, &n))
            return cli_usage("run", "--workers '%s': expected 1 to 1024", value);
        r->workers = (int)n;
        return CLI_OK;
    case OPT_SECONDS:
        return take_seconds("max-seconds", 1e-9, value, &r->max_seconds);
    case OPT_GRACE:
        return take_seconds("grace", 0, value, &r->grace);
    case OPT_LOG:
        return take_seconds("log-interval", 0, value, &r->log_interval);
    case OPT_LEASE:
        return take_seconds("lease-seconds", 1, value, &r->lease);
    case OPT_KEEP:
    case OPT_CONTAINED:
        if (!cli_numbers(value, 1, 1, share) || !(*share >= 0 && *share <= 1))
            return cli_usage("run", "--%s '%s': expected a number from 0 to 1",
                             option == OPT_KEEP ? "keep" : "contained", value);
        return CLI_OK;
    default:
        return cli_parameters_take("run", run_options, &to, option, value);
    }
}

/* Classes of the final data set. */
static int take_class(run_request *r, int drop, const char *value)
{
    const char *equals = strchr(value, '=');
    if (drop ? !*value : !equals || equals == value || !equals[1])
        return cli_usage("run",
                         drop ? "--drop '%s': expected a class" : "--rename '%s': expected OLD=NEW",
                         value);
    if (!drop && !ws_utf8_valid(equals + 1, strlen(equals + 1)))
        return cli_usage("run", "--rename '%s': the new name is not UTF-8 text", value);
    if (r->recast.n == CLI_MOST_CLASSES)
        return cli_usage("run", "'%s': more than %d classes to rename or drop", value,
                         CLI_MOST_CLASSES);
    r->recast.drop[r->recast.n] = drop;
    r->recast.text[r->recast.n++] = value;
    return CLI_OK;
}

/* Where an option's text goes as it is; NULL: it is no such option. */
static const char **text_of(run_request *r, int option)
{
    switch (option) {
    case OPT_LABELS:
        return &r->labels;
    case OPT_CLUES:
        return &r->clue_model;
    case OPT_BACKBONE:
        return &r->backbone;
    case OPT_SCORER:
        return &r->scorer;
    case OPT_LIST:
        return &r->list;
    case OPT_REVIEWED:
        return &r->reviewed;
    case OPT_SHARD:
        return &r->shard;
    default:
        return NULL;
    }
}

/* What an option without a value turns on; NULL: it is no such option. */
static int *flag_of(run_request *r, int option)
{
    switch (option) {
    case OPT_LEARN:
        return &r->learn.wanted;
    case OPT_PLAN:
        return &r->plan;
    case OPT_RELEARN:
        return &r->relearn;
    case OPT_STEAL:
        return &r->steal;
    case OPT_CLUES_ONLY:
        return &r->clues_only;
    case OPT_NO_MERGE:
        return &r->no_merge;
    case OPT_PREPARED:
        return &r->prepared;
    case OPT_MASKS:
        return &r->stages.keep_masks;
    case OPT_RETRY:
        return &r->retry;
    case OPT_OVERWRITE:
        return &r->overwrite;
    case OPT_MISSING:
        return &r->skip_missing;
    case OPT_ZERO:
        return &r->exit_zero;
    default:
        return NULL;
    }
}

int run_take_option(void *user, int option, const char *value)
{
    run_request *r = user;
    const char **text = text_of(r, option);
    int *flag = flag_of(r, option);
    if (text)
        *text = value;
    if (flag)
        *flag = 1;
    if (text || flag)
        return CLI_OK;
    switch (option) {
    case OPT_METHOD:
        return take_method(r, value);
    case OPT_SURER:
        r->stages.pgt.surer = 1;
        return CLI_OK;
    case OPT_PRESET:
    case OPT_EPOCHS:
    case OPT_SEED:
    case OPT_DROP:
    case OPT_TRUST:
    case OPT_ASSIGN:
    case OPT_MIN_SIDE:
        return cli_learn_take(&r->learn, (cli_learn_option)(option - OPT_PRESET), value);
    case OPT_RENAME:
    case OPT_DROP_CLASS:
        return take_class(r, option == OPT_DROP_CLASS, value);
    case CLI_OPT_MAX_PIXELS:
        return cli_picture_take_limit(&r->limits, option, value);
    default:
        return take_number(r, option, value);
    }
}
