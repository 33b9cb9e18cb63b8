/* cli/cmd_train.c - weaksam train: a feature cache, and both stages of a detection head. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/deadline.h"
#include "cli/detection_head.h"
#include "cli/help_tables.h"
#include "cli/train_clues.h"
#include "cli/training.h"

enum {
    OPT_STAGE = CLI_OWN,
    OPT_PRESET,
    OPT_FEATURES,
    OPT_IMAGES,
    OPT_LABELS,
    OPT_PGT,
    OPT_STATE,
    OPT_DROP,
    OPT_CELL_DROP,
    OPT_PRODUCTS,
    OPT_FORCE,
    OPT_EPOCHS,
    OPT_BATCH,
    OPT_HIDDEN,
    OPT_SEED,
    OPT_RATE,
    OPT_DECAY,
    OPT_DROPOUT,
    OPT_TAU_CLS,
    OPT_TAU_REG,
    OPT_DROP_START,
    OPT_COMPONENTS,
    OPT_CLASSES,
    OPT_CLUES,
    OPT_CLUE_SIZE,
    OPT_LIKE,
    OPT_ITERATIONS,
    OPT_ASSIGN,
    OPT_MIN_SIDE,
    OPT_TRUST,
    OPT_START
};

static const struct option own_options[] = {
    {"stage", required_argument, NULL, OPT_STAGE},
    {"preset", required_argument, NULL, OPT_PRESET},
    {"features", required_argument, NULL, OPT_FEATURES},
    {"images", required_argument, NULL, OPT_IMAGES},
    {"labels", required_argument, NULL, OPT_LABELS},
    {"pgt", required_argument, NULL, OPT_PGT},
    {"state", required_argument, NULL, OPT_STATE},
    {"roi-drop", required_argument, NULL, OPT_DROP},
    {"cell-drop", required_argument, NULL, OPT_CELL_DROP},
    {"products", required_argument, NULL, OPT_PRODUCTS},
    {"force", no_argument, NULL, OPT_FORCE},
    {"epochs", required_argument, NULL, OPT_EPOCHS},
    {"batch", required_argument, NULL, OPT_BATCH},
    {"hidden", required_argument, NULL, OPT_HIDDEN},
    {"seed", required_argument, NULL, OPT_SEED},
    {"rate", required_argument, NULL, OPT_RATE},
    {"decay", required_argument, NULL, OPT_DECAY},
    {"dropout", required_argument, NULL, OPT_DROPOUT},
    {"tau-cls", required_argument, NULL, OPT_TAU_CLS},
    {"tau-reg", required_argument, NULL, OPT_TAU_REG},
    {"drop-start", required_argument, NULL, OPT_DROP_START},
    {"components", required_argument, NULL, OPT_COMPONENTS},
    {"classes", required_argument, NULL, OPT_CLASSES},
    {"clue-model", required_argument, NULL, OPT_CLUES},
    {"clue-max-side", required_argument, NULL, OPT_CLUE_SIZE},
    {"like", required_argument, NULL, OPT_LIKE},
    {"iterations", required_argument, NULL, OPT_ITERATIONS},
    {"assign", required_argument, NULL, OPT_ASSIGN},
    {"min-side", required_argument, NULL, OPT_MIN_SIDE},
    {"trust", required_argument, NULL, OPT_TRUST},
    {"start", required_argument, NULL, OPT_START},
    {NULL, 0, NULL, 0}};

typedef enum stage { STAGE_NONE, STAGE_FEATURES, STAGE_MIL, STAGE_RETRAIN } stage;

typedef struct request {
    cli_common common;
    stage stage;
    const char *features, *images, *labels, *classes, *pgt, *state, *proposals, *clue_model, *like;
    const char *start;
    double trust; /* 0: the default */
    int clue_size;
    long long hidden, epochs, iterations, batch, seed, components; /* 0: the preset's */
    double rate, decay, dropout, drop_cls, drop_reg, drop_start;   /* negative: the default */
    long long min_side;
    int oicr;
    int fast, no_cell_drop, bf16, force;
    wsam_train_drop drop;
} request;

/* ---- options ---- */

/* The place of a word among the choices, -1: none of them. */
static int choice(const char *value, const char *const *choices, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(value, choices[i]) == 0)
            return i;
    return -1;
}

static int take_word(request *r, int option, const char *value)
{
    static const char *const stages[] = {"features", "mil", "retrain"};
    static const char *const presets[] = {"base", "fast"};
    static const char *const drops[] = {"none", "joint", "indep", "indep-v1", "range", "top"};
    static const char *const rules[] = {"mist", "oicr"};
    static const char *const switches[] = {"on", "off"}, *const types[] = {"f32", "bf16"};
    int at;
    switch (option) {
    case OPT_STAGE:
        at = choice(value, stages, 3);
        r->stage = (stage)(at + 1);
        break;
    case OPT_PRESET:
        at = choice(value, presets, 2);
        r->fast = at == 1;
        break;
    case OPT_CELL_DROP:
        at = choice(value, switches, 2);
        r->no_cell_drop = at == 1;
        break;
    case OPT_PRODUCTS:
        at = choice(value, types, 2);
        r->bf16 = at == 1;
        break;
    case OPT_ASSIGN:
        at = choice(value, rules, 2);
        r->oicr = at == 1;
        break;
    default:
        at = choice(value, drops, 6);
        r->drop = (wsam_train_drop)(at < 0 ? 0 : at);
        break;
    }
    return at >= 0 ? CLI_OK
                   : cli_usage("train", "--%s '%s': not one of its words",
                               own_options[option - CLI_OWN].name, value);
}

static int take_number(request *r, int option, const char *value)
{
    double *const reals[] = {&r->rate,     &r->decay,    &r->dropout,
                             &r->drop_cls, &r->drop_reg, &r->drop_start};
    long long *const wholes[] = {&r->epochs, &r->batch, &r->hidden, &r->seed};
    const char *name = own_options[option - CLI_OWN].name;
    if (option == OPT_MIN_SIDE)
        return cli_int(value, 1, 4096, &r->min_side)
                   ? CLI_OK
                   : cli_usage("train", "--min-side '%s': expected pixels, 1 to 4096", value);
    if (option == OPT_TRUST)
        return cli_numbers(value, 1, 1, &r->trust) && r->trust >= 1 && r->trust <= 1000
                   ? CLI_OK
                   : cli_usage("train", "--trust '%s': expected a number from 1 to 1000", value);
    if (option == OPT_ITERATIONS)
        return cli_int(value, 1, 100000000, &r->iterations)
                   ? CLI_OK
                   : cli_usage("train", "--iterations '%s': expected a whole number from 1", value);
    if (option == OPT_COMPONENTS || option <= OPT_SEED) {
        long long *to = option == OPT_COMPONENTS ? &r->components : wholes[option - OPT_EPOCHS];
        return cli_int(value, 1, option == OPT_SEED ? (1LL << 62) : 10000, to)
                   ? CLI_OK
                   : cli_usage("train", "--%s '%s': expected a whole number from 1", name, value);
    }
    double *to = reals[option - OPT_RATE];
    return cli_numbers(value, 1, 1, to) && *to >= 0.0
               ? CLI_OK
               : cli_usage("train", "--%s '%s': expected a number from 0", name, value);
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_FEATURES:
        r->features = value;
        return CLI_OK;
    case OPT_IMAGES:
        r->images = value;
        return CLI_OK;
    case OPT_LABELS:
        r->labels = value;
        return CLI_OK;
    case OPT_CLASSES:
        r->classes = value;
        return CLI_OK;
    case OPT_PGT:
        r->pgt = value;
        return CLI_OK;
    case OPT_STATE:
        r->state = value;
        return CLI_OK;
    case OPT_CLUES:
        r->clue_model = value;
        return CLI_OK;
    case OPT_LIKE:
        r->like = value;
        return CLI_OK;
    case OPT_START:
        r->start = value;
        return CLI_OK;
    case OPT_FORCE:
        r->force = 1;
        return CLI_OK;
    case OPT_CLUE_SIZE:
        return cli_head_take_clue_size("train", value, &r->clue_size);
    case OPT_STAGE:
    case OPT_PRESET:
    case OPT_DROP:
    case OPT_CELL_DROP:
    case OPT_PRODUCTS:
    case OPT_ASSIGN:
        return take_word(r, option, value);
    default:
        return take_number(r, option, value);
    }
}

/* ---- the cache ---- */

static int watch_features(void *user, double fraction)
{
    static char label[] = "features";
    const request *r = user;
    if (cli_wants_progress(&r->common))
        cli_progress(label, fraction);
    return cli_deadline_asked();
}

static wsam_status make_features(request *r, wsam_error *error)
{
    wsam_features_build_options o;
    wsam_features_build_options_default(&o);
    o.models.model = r->common.model;
    o.models.clue_model = r->clue_model;
    o.models.clue_size = r->clue_size;
    o.models.runtime = r->common.runtime;
    o.proposals = r->proposals;
    o.images = r->images;
    o.output = r->common.output;
    o.like = r->like;
    o.components = (int)r->components;
    o.seed = r->seed ? (uint64_t)r->seed : o.seed;
    o.progress = watch_features;
    o.progress_user = r;
    const wsam_status status = wsam_features_build(&o, error);
    cli_progress_end();
    return status;
}

/* ---- training ---- */

static wsam_status choose_options(const request *r, cli_training *w, wsam_train_options *o,
                                  wsam_error *error)
{
    wsam_train_options_default(r->stage == STAGE_MIL ? WSAM_TRAIN_MIL : WSAM_TRAIN_RETRAIN, o);
    const wsam_status status = wsam_train_options_preset(o, r->fast ? "fast" : "base", error);
    if (status)
        return status;
    o->hidden = r->hidden ? (int)r->hidden : o->hidden;
    o->epochs = (int)r->epochs;
    o->iterations = (uint64_t)r->iterations;
    o->batch = r->batch ? (int)r->batch : o->batch;
    o->seed = r->seed ? (uint64_t)r->seed : o->seed;
    o->rate = r->rate >= 0.0 ? r->rate : o->rate;
    o->decay = r->decay >= 0.0 ? r->decay : o->decay;
    o->dropout = r->dropout >= 0.0 ? r->dropout : o->dropout;
    o->cell_drop = r->no_cell_drop ? 0.0 : o->cell_drop;
    o->products = r->bf16 ? WSAM_BF16 : WSAM_F32;
    o->force = r->force;
    o->drop_cls = r->drop_cls >= 0.0 ? r->drop_cls : o->drop_cls;
    o->drop_reg = r->drop_reg >= 0.0 ? r->drop_reg : o->drop_reg;
    o->drop_start = r->drop_start >= 0.0 ? r->drop_start : o->drop_start;
    o->roi_drop = r->drop;
    o->assign = r->oicr ? WSAM_TRAIN_ASSIGN_OICR : WSAM_TRAIN_ASSIGN_MIST;
    o->min_side = (int)r->min_side;
    o->trust = r->trust > 0 ? r->trust : o->trust;
    o->start = r->start;
    o->threads = r->common.runtime.threads;
    o->isa = r->common.runtime.isa;
    o->state = r->state;
    o->progress = cli_training_watch;
    o->progress_user = w;
    return WSAM_OK;
}

static void print_fit(const wsam_train_fit *f)
{
    fprintf(stderr,
            "%llu iterations; heads on half of the images: image labels of the others AP %.1f (a "
            "guess: %.1f), the same best box in %.0f %% of %llu cases\n",
            (unsigned long long)f->iterations, 100 * f->label_ap, 100 * f->chance,
            100 * f->agreement, (unsigned long long)f->pairs);
}

static wsam_status train(const request *r, wsam_error *error)
{
    cli_classes classes = {0};
    wsam_train_options o;
    wsam_train_summary sum = {0};
    cli_training w = {.last = ws_clock_ms(), .quiet = r->common.quiet};
    wsam_train_fit fit = {.label_ap = -1};
    const wsam_train_input input = {.features = r->features,
                                    .proposals = r->proposals,
                                    .labels = r->labels,
                                    .images = r->images,
                                    .pgt = r->pgt,
                                    .classes = r->classes ? &classes.list : NULL};
    wsam_status status = r->classes ? cli_classes_read(r->classes, &classes, error) : WSAM_OK;
    if (!status)
        status = choose_options(r, &w, &o, error);
    o.fit = &fit;
    if (!status)
        status = wsam_train_files(&input, &o, r->common.output, &sum, error);
    cli_classes_free(&classes);
    if (!status && sum.unlabelled && !r->common.quiet)
        fprintf(stderr, "%zu of %zu images have no labels: left out\n", sum.unlabelled, sum.images);
    if (!status && !r->common.quiet && fit.label_ap >= 0)
        print_fit(&fit);
    return status;
}

static int usable(const request *r)
{
    if (!r->common.output || r->stage == STAGE_NONE)
        return 0;
    if (r->stage == STAGE_FEATURES)
        return (r->common.model || r->clue_model) && r->images;
    return r->features && (r->stage == STAGE_MIL ? r->labels && r->images : r->pgt != NULL);
}

static int run(int argc, char **argv)
{
    if (cli_train_clues_asked(argc, argv))
        return cli_train_clues(&cmd_train, argc, argv);
    wsam_feature_models models;
    request r = {.drop = WSAM_TRAIN_DROP_JOINT,
                 .rate = -1.0,
                 .decay = -1.0,
                 .dropout = -1.0,
                 .drop_cls = -1.0,
                 .drop_reg = -1.0,
                 .drop_start = -1.0};
    wsam_error error = {0};
    int status;
    wsam_feature_models_default(&models);
    r.clue_size = models.clue_size;
    const int first =
        cli_options_parse(&cmd_train, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (argc - first != 1 || !usable(&r))
        return cli_usage("train",
                         "expected --stage, PROPOSALS.jsonl, -o, and what the stage needs");
    r.proposals = argv[first];
    cli_deadline_catch();
    if (r.stage == STAGE_FEATURES ? make_features(&r, &error) : train(&r, &error))
        return cli_failed("train", &error);
    return CLI_OK;
}

const cli_command cmd_train = {
    .name = "train",
    .summary = "Train clues or a detection head from image-level or pseudo labels.",
    .usage =
        "train --stage clues -m MODEL.wsam --images DIR --labels LABELS -o CLUES.wsam\n"
        "       weaksam train --stage features [-m MODEL.wsam] [--clue-model CLUES.wsam] --images DIR\n"
        "               PROPOSALS.jsonl -o CACHE\n"
        "       weaksam train --stage mil --features CACHE --labels FILE --images DIR\n"
        "               PROPOSALS.jsonl -o HEAD.wsam [OPTION...]\n"
        "       weaksam train --stage retrain --features CACHE --pgt PGT.json\n"
        "               PROPOSALS.jsonl -o HEAD.wsam [--roi-drop KIND] [OPTION...]",
    .takes = "morq",
    .run = run,
    .table = &help_train};
