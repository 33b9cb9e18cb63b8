/* cli/train_clues.c - weaksam train --stage clues: clues of any classes from images and labels. */
#include "cli/train_clues.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/deadline.h"
#include "cli/own_clues.h"
#include "cli/run.h"

enum {
    OPT_STAGE = CLI_OWN,
    OPT_IMAGES,
    OPT_LABELS,
    OPT_LIST,
    OPT_BACKBONE,
    OPT_STATE,
    OPT_SOURCES,
    OPT_EPOCHS,
    OPT_SEED,
    OPT_SIDE,
    OPT_CROPS,
    OPT_SIZE,
    OPT_HOLDOUT,
    OPT_HEAD,
    OPT_MISSING
};

static const struct option own_options[] = {{"stage", required_argument, NULL, OPT_STAGE},
                                            {"images", required_argument, NULL, OPT_IMAGES},
                                            {"labels", required_argument, NULL, OPT_LABELS},
                                            {"list", required_argument, NULL, OPT_LIST},
                                            {"backbone", required_argument, NULL, OPT_BACKBONE},
                                            {"clue-model", required_argument, NULL, OPT_BACKBONE},
                                            {"state", required_argument, NULL, OPT_STATE},
                                            {"sources", required_argument, NULL, OPT_SOURCES},
                                            {"epochs", required_argument, NULL, OPT_EPOCHS},
                                            {"seed", required_argument, NULL, OPT_SEED},
                                            {"points-per-side", required_argument, NULL, OPT_SIDE},
                                            {"crop-n-layers", required_argument, NULL, OPT_CROPS},
                                            {"clue-max-side", required_argument, NULL, OPT_SIZE},
                                            {"keep-holdout", no_argument, NULL, OPT_HOLDOUT},
                                            {"head", required_argument, NULL, OPT_HEAD},
                                            {"skip-missing", no_argument, NULL, OPT_MISSING},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    const char *images, *labels, *list, *backbone, *state, *sources;
    long long epochs, seed, side, crops, size;
    int keep_holdout, skip_missing, tokens;
} request;

typedef struct work {
    const request *r;
    int workers, bar;
    double drawn; /* ms */
} work;

static int take_number(long long *to, const char *name, const char *value, long long most)
{
    if (!cli_int(value, 1, most, to))
        return cli_usage("train", "--%s '%s': expected a whole number from 1 to %lld", name, value,
                         most);
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    const char **const texts[] = {NULL,         &r->images, &r->labels, &r->list,
                                  &r->backbone, &r->state,  &r->sources};
    switch (option) {
    case OPT_STAGE:
        return CLI_OK;
    case OPT_EPOCHS:
        return take_number(&r->epochs, "epochs", value, 10000);
    case OPT_SEED:
        return take_number(&r->seed, "seed", value, 1LL << 62);
    case OPT_SIDE:
        return take_number(&r->side, "points-per-side", value, 1024);
    case OPT_CROPS:
        return take_number(&r->crops, "crop-n-layers", value, 4);
    case OPT_SIZE:
        return take_number(&r->size, "clue-max-side", value, 16384);
    case OPT_HOLDOUT:
        r->keep_holdout = 1;
        return CLI_OK;
    case OPT_HEAD:
        r->tokens = strcmp(value, "tokens") == 0;
        return r->tokens || strcmp(value, "regions") == 0
                   ? CLI_OK
                   : cli_usage("train", "--head '%s': expected regions or tokens", value);
    case OPT_MISSING:
        r->skip_missing = 1;
        return CLI_OK;
    default:
        *texts[option - OPT_STAGE] = value;
        return CLI_OK;
    }
}

/* ---- the work ---- */

static int on_progress(void *user, const wsam_run_progress *p)
{
    work *w = user;
    if (w->bar && (ws_clock_ms() - w->drawn > 200.0 || p->done == p->total)) {
        w->drawn = ws_clock_ms();
        fprintf(stderr, "\r%zu of %zu images, %zu failed   ", p->done, p->total, p->failed);
    }
    return cli_deadline_asked();
}

static void on_failure(void *user, const wsam_run_gap *gap)
{
    (void)user;
    fputs("weaksam train: ", stderr);
    cli_print_safe(stderr, gap->image);
    fputs(": ", stderr);
    cli_print_safe(stderr, gap->reason ? gap->reason : "");
    fputc('\n', stderr);
}

static wsam_status run_pictures(void *user, const wsam_labels *labels, const char *output,
                                const char *config, wsam_run_fn fn, void *fn_user,
                                wsam_error *error)
{
    work *w = user;
    wsam_run_options o;
    wsam_run_options_default(&o);
    o.folder = w->r->images;
    o.output = output;
    o.config = config;
    o.workers = w->workers;
    o.fn = fn;
    o.user = fn_user;
    o.progress = on_progress;
    o.progress_user = w;
    o.failed = on_failure;
    const wsam_status status = wsam_run(labels, &o, error);
    if (w->bar)
        fputc('\n', stderr);
    return status;
}

static void no_tick(void *user)
{
    (void)user;
}

static wsam_status learn(const request *r, const wsam_labels *labels, wsam_stage_options *s,
                         work *w, wsam_error *error)
{
    char *state = NULL;
    wsam_status status = WSAM_OK;
    if (!r->state) {
        const size_t size = strlen(r->common.output) + 8;
        state = malloc(size);
        if (!state)
            return cli_error(error, WSAM_ERR_MEMORY, "no memory for a path");
        snprintf(state, size, "%s.state", r->common.output);
    }
    const cli_own_clues o = {.name = "train",
                             .common = &r->common,
                             .labels = labels,
                             .stages = s,
                             .backbone = r->backbone,
                             .folder = r->state ? r->state : state,
                             .out = r->common.output,
                             .sources = r->sources,
                             .epochs = (int)r->epochs,
                             .cells = r->tokens,
                             .side = r->tokens ? (int)r->size : 0,
                             .keep_holdout = r->keep_holdout,
                             .shards = 1,
                             .workers = w->workers,
                             .seed = r->seed ? (uint64_t)r->seed : 1,
                             .bar = w->bar,
                             .run = run_pictures,
                             .tick = no_tick,
                             .user = w};
    status = cli_own_clues_make(&o, error);
    free(state);
    return status;
}

static wsam_status open_models(const request *r, wsam_stage_options *s, work *w, wsam_error *error)
{
    wsam_options o = r->common.runtime;
    w->workers = o.threads ? o.threads : wsam_default_threads();
    o.threads = 1;
    wsam_status status =
        r->common.model ? wsam_model_open(r->common.model, &o, &s->model, error) : WSAM_OK;
    if (!status && r->backbone)
        status = wsam_model_open(r->backbone, &o, &s->network, error);
    return status;
}

static int run_all(const request *r)
{
    wsam_error error = {0};
    wsam_stage_options s;
    wsam_labels *labels = NULL;
    work w = {.r = r, .bar = cli_wants_progress(&r->common)};
    const wsam_labels_options any = {.list = r->list, .allow_missing = r->skip_missing};
    wsam_stage_options_default(&s);
    s.give_up = cli_deadline_give_up;
    if (r->side)
        s.propose.everything.points_per_side = (int)r->side;
    s.propose.everything.crop_n_layers = (int)r->crops;
    if (r->size)
        s.clues.size = (int)r->size;
    cli_deadline_catch();
    wsam_status status = open_models(r, &s, &w, &error);
    if (!status)
        status = wsam_labels_load(r->labels, r->images, &any, &labels, &error);
    if (!status && !r->common.quiet)
        cli_labels_remarks("train", labels);
    if (!status)
        status = learn(r, labels, &s, &w, &error);
    wsam_labels_free(labels);
    wsam_model_close(s.network);
    wsam_model_close(s.model);
    if (!status)
        return CLI_OK;
    cli_failed("train", &error);
    return cli_deadline_asked() ? CLI_STOPPED : CLI_FAILED;
}

int cli_train_clues_asked(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--stage=clues") == 0 ||
            (strcmp(argv[i], "clues") == 0 && strcmp(argv[i - 1], "--stage") == 0))
            return 1;
    return 0;
}

int cli_train_clues(const cli_command *command, int argc, char **argv)
{
    request r = {0};
    int status;
    const int first =
        cli_options_parse(command, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!(r.common.model || (r.tokens && r.backbone)) || !r.common.output || !r.images ||
        !r.labels || first != argc)
        return cli_usage("train",
                         "--stage clues needs -m MODEL.wsam (or --head tokens and --backbone), "
                         "--images DIR, --labels LABELS and -o CLUES.wsam");
    if (r.tokens && (r.sources || r.side || r.crops))
        return cli_usage("train",
                         "--sources, --points-per-side and --crop-n-layers are for --head regions");
    return run_all(&r);
}
