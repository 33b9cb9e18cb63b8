/* cli/cmd_train.c - weaksam train: a feature cache, and both stages of a detection head. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/deadline.h"
#include "cli/detection_head.h"

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
    OPT_ITERATIONS
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
    {NULL, 0, NULL, 0}};

typedef enum stage { STAGE_NONE, STAGE_FEATURES, STAGE_MIL, STAGE_RETRAIN } stage;

typedef struct request {
    cli_common common;
    stage stage;
    const char *features, *images, *labels, *classes, *pgt, *state, *proposals, *clue_model, *like;
    int clue_size;
    long long hidden, epochs, iterations, batch, seed, components; /* 0: the preset's */
    double rate, decay, dropout, drop_cls, drop_reg, drop_start;   /* negative: the default */
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
    static const char *const drops[] = {"none", "joint", "indep", "indep-v1"};
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
    default:
        at = choice(value, drops, 4);
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
    if (option == OPT_ITERATIONS)
        return cli_int(value, 1, 100000000, &r->iterations)
                   ? CLI_OK
                   : cli_usage("train", "--iterations '%s': wants a whole number from 1", value);
    if (option == OPT_COMPONENTS || option <= OPT_SEED) {
        long long *to = option == OPT_COMPONENTS ? &r->components : wholes[option - OPT_EPOCHS];
        return cli_int(value, 1, option == OPT_SEED ? (1LL << 62) : 10000, to)
                   ? CLI_OK
                   : cli_usage("train", "--%s '%s': wants a whole number from 1", name, value);
    }
    double *to = reals[option - OPT_RATE];
    return cli_numbers(value, 1, 1, to) && *to >= 0.0
               ? CLI_OK
               : cli_usage("train", "--%s '%s': wants a number from 0", name, value);
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
    case OPT_FORCE:
        r->force = 1;
        return CLI_OK;
    case OPT_CLUE_SIZE:
        return cli_take_clue_size("train", value, &r->clue_size);
    case OPT_STAGE:
    case OPT_PRESET:
    case OPT_DROP:
    case OPT_CELL_DROP:
    case OPT_PRODUCTS:
        return take_word(r, option, value);
    default:
        return take_number(r, option, value);
    }
}

/* ---- progress ---- */

typedef struct watch {
    double last; /* ms, of the last line */
    double sums[3];
    unsigned long long n, epoch; /* iterations since the last line; epochs that were told of */
    int quiet;
} watch;

/* A line every ten seconds, and at the end of an epoch: mean losses since the line before. */
static int watch_training(void *user, const wsam_train_progress *p)
{
    watch *w = user;
    const double now = ws_clock_ms(), losses[3] = {p->image_loss, p->class_loss, p->box_loss};
    w->n++;
    for (int i = 0; i < 3; i++)
        w->sums[i] += losses[i];
    if (now - w->last <= 10000.0 && p->epoch == w->epoch)
        return cli_stop_asked();
    if (!w->quiet && p->fitting)
        fprintf(stderr, "choosing how long to train: iteration %llu of at most %llu; %.0f s left\n",
                (unsigned long long)p->iteration, (unsigned long long)p->iterations,
                p->seconds_left);
    else if (!w->quiet)
        fprintf(stderr,
                "iteration %llu of %llu, epoch %llu: image %.4f, classification %.4f, regression "
                "%.4f; %.0f s left\n",
                (unsigned long long)p->iteration, (unsigned long long)p->iterations,
                (unsigned long long)p->epoch, w->sums[0] / (double)w->n, w->sums[1] / (double)w->n,
                w->sums[2] / (double)w->n, p->seconds_left);
    *w = (watch){.last = now, .epoch = p->epoch, .quiet = w->quiet};
    return cli_stop_asked();
}

/* ---- the cache ---- */

static wsam_status add_features(const request *r, cli_maps *maps, wsam_features_writer *w,
                                const cli_boxes *b, wsam_error *error)
{
    char *path;
    wsam_status status = cli_join(r->images, b->image, "", &path, error);
    if (!status)
        status = cli_maps_read(maps, path, error);
    if (!status)
        status =
            wsam_features_add_named(w, b->image, b->width, b->height, maps->maps, maps->n, error);
    free(path);
    return status;
}

/* Classes show in the clue network's tokens, edges in the embedding. */
static size_t choose_sources(const request *r, wsam_feature_source sources[2])
{
    size_t n = 0;
    if (r->clue_model)
        sources[n++] = (wsam_feature_source){"clues", CLI_CLUE_COMPONENTS, r->clue_size};
    if (r->common.model)
        sources[n++] = (wsam_feature_source){"sam", CLI_SAM_COMPONENTS, 0};
    for (size_t i = 0; i < n && r->components; i++)
        sources[i].components = (int)r->components;
    return n;
}

static wsam_status open_cache(const request *r, wsam_features_writer **w, wsam_error *error)
{
    wsam_feature_source sources[2];
    wsam_features *like = NULL;
    const size_t n = choose_sources(r, sources);
    if (!r->like)
        return wsam_features_create(r->common.output, sources, n, w, error);
    wsam_status status = wsam_features_open(r->like, &like, error);
    if (!status)
        status = wsam_features_create_like(r->common.output, like, w, error);
    wsam_features_close(like);
    return status;
}

static wsam_status make_features(const request *r, wsam_error *error)
{
    char label[] = "features";
    cli_maps maps = {.n = 0};
    cli_box_list list = {0};
    wsam_features_writer *w = NULL;
    wsam_status status = cli_maps_open(&r->common, r->clue_model, r->clue_size, &maps, error);
    if (!status)
        status = cli_boxes_read(r->proposals, &list, error);
    if (!status)
        status = open_cache(r, &w, error);
    for (size_t i = 0; i < list.n && !status; i++) {
        status = add_features(r, &maps, w, &list.items[i], error);
        if (cli_wants_progress(&r->common))
            cli_progress(label, (double)(i + 1) / (double)list.n);
        if (!status && cli_stop_asked())
            status = cli_error(error, WSAM_ERR_CANCELLED,
                               "stopped after %zu of %zu pictures; nothing is kept of them", i + 1,
                               list.n);
    }
    cli_progress_end();
    if (w)
        status = wsam_features_finish(w, status, r->seed ? (uint64_t)r->seed : 1,
                                      r->common.runtime.threads, error);
    cli_boxes_free(&list);
    cli_maps_close(&maps);
    return status;
}

/* ---- sets ---- */

typedef struct set_data {
    cli_box_list list;
    cli_classes classes;
    wsam_labels *labels;
    wsam_coco_document *pgt;
    wsam_train_picture *pictures;
    float (*truth)[4];
    int32_t *truth_classes;
    int64_t *truth_ids;
    wsam_train_set set;
} set_data;

static void free_set(set_data *s)
{
    wsam_labels_free(s->labels);
    cli_classes_free(&s->classes);
    wsam_coco_free(s->pgt);
    free(s->pictures);
    free(s->truth);
    free(s->truth_classes);
    free(s->truth_ids);
    cli_boxes_free(&s->list);
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const cli_boxes *)x)->image, ((const cli_boxes *)y)->image);
}

static cli_boxes *find_boxes(set_data *s, char *image)
{
    const cli_boxes key = {.image = image};
    return s->list.n ? bsearch(&key, s->list.items, s->list.n, sizeof key, by_name) : NULL;
}

/* Classes per picture; pictures without labels teach nothing: their list stays NULL. */
static wsam_status take_labels(const request *r, set_data *s, wsam_error *error)
{
    wsam_labels_options o = {.allow_missing = 1};
    size_t labelled = 0;
    wsam_status status = r->classes ? cli_classes_read(r->classes, &s->classes, error) : WSAM_OK;
    if (status)
        return status;
    o.names = r->classes ? s->classes.list.names : NULL;
    o.n_names = s->classes.list.n;
    status = wsam_labels_load(r->labels, r->images, &o, &s->labels, error);
    if (status)
        return status;
    s->set.n_classes = s->labels->n_classes;
    s->set.classes = (const char *const *)s->labels->names;
    for (size_t i = 0; i < s->labels->n; i++) {
        const cli_boxes *b = find_boxes(s, s->labels->images[i]);
        if (!b)
            continue;
        wsam_train_picture *p = &s->pictures[b - s->list.items];
        p->labels = s->labels->classes + s->labels->first[i];
        p->n_labels = s->labels->first[i + 1] - s->labels->first[i];
        labelled++;
    }
    if (labelled < s->list.n && !r->common.quiet)
        fprintf(stderr, "%zu of %zu pictures have no labels: left out\n", s->list.n - labelled,
                s->list.n);
    return WSAM_OK;
}

/* What the labels of one image teach: all but what a person rejected, and crowds. */
static size_t copy_truth(set_data *s, size_t first, size_t end)
{
    size_t n = 0;
    for (size_t i = first; i < end; i++) {
        const wsam_instance *from = &s->pgt->instances.items[i];
        if (from->reviewed == WSAM_REVIEWED_REJECTED || from->crowd)
            continue;
        for (size_t k = 0; k < 2; k++) {
            s->truth[first + n][k] = (float)from->bbox[k];
            s->truth[first + n][k + 2] = (float)(from->bbox[k] + from->bbox[k + 2]);
        }
        s->truth_classes[first + n] = from->class_index;
        s->truth_ids[first + n++] = from->id;
    }
    return n;
}

static wsam_status take_pgt(const request *r, set_data *s, wsam_error *error)
{
    const wsam_status status = wsam_coco_load(r->pgt, NULL, &s->pgt, error);
    if (status)
        return status;
    const size_t n = s->pgt->instances.n + 1;
    s->truth = calloc(n, sizeof *s->truth);
    s->truth_classes = calloc(n, sizeof *s->truth_classes);
    s->truth_ids = calloc(n, sizeof *s->truth_ids);
    if (!s->truth || !s->truth_classes || !s->truth_ids)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the pseudo labels");
    s->set.n_classes = s->pgt->n_classes;
    s->set.classes = (const char *const *)s->pgt->class_names;
    for (size_t i = 0; i < s->pgt->n_images; i++) {
        const cli_boxes *b = find_boxes(s, s->pgt->file_names[i]);
        if (!b)
            continue;
        wsam_train_picture *p = &s->pictures[b - s->list.items];
        const size_t first = s->pgt->first[i];
        p->n_truth = copy_truth(s, first, s->pgt->first[i + 1]);
        p->truth = (const float(*)[4])(s->truth + first);
        p->truth_classes = s->truth_classes + first;
        p->truth_ids = s->truth_ids + first;
    }
    return WSAM_OK;
}

static wsam_status read_set(const request *r, set_data *s, wsam_error *error)
{
    wsam_status status = cli_boxes_read(r->proposals, &s->list, error);
    if (status)
        return status;
    s->pictures = calloc(s->list.n + 1, sizeof *s->pictures);
    if (!s->pictures)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the pictures");
    if (s->list.n)
        qsort(s->list.items, s->list.n, sizeof *s->list.items, by_name);
    for (size_t i = 0; i < s->list.n; i++)
        s->pictures[i] = (wsam_train_picture){.image = s->list.items[i].image,
                                              .n_boxes = s->list.items[i].n,
                                              .boxes = (const float(*)[4])s->list.items[i].boxes};
    s->set.n = s->list.n;
    s->set.pictures = s->pictures;
    return r->stage == STAGE_MIL ? take_labels(r, s, error) : take_pgt(r, s, error);
}

/* ---- training ---- */

static void choose_options(const request *r, watch *w, wsam_train_options *o)
{
    wsam_train_options_default(r->stage == STAGE_MIL ? WSAM_TRAIN_MIL : WSAM_TRAIN_RETRAIN, o);
    if (r->fast) {
        o->hidden = 512;
        o->bins = 4;
    }
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
    o->threads = r->common.runtime.threads;
    o->isa = r->common.runtime.isa;
    o->state = r->state;
    o->progress = watch_training;
    o->progress_user = w;
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
    set_data s = {0};
    wsam_features *features = NULL;
    wsam_train_options o;
    watch w = {.last = ws_clock_ms(), .quiet = r->common.quiet};
    wsam_train_fit fit = {.label_ap = -1};
    choose_options(r, &w, &o);
    o.fit = &fit;
    wsam_status status = wsam_features_open(r->features, &features, error);
    if (!status)
        status = read_set(r, &s, error);
    if (!status)
        status = wsam_train(features, &s.set, &o, r->common.output, error);
    if (!status && !r->common.quiet && fit.label_ap >= 0)
        print_fit(&fit);
    free_set(&s);
    wsam_features_close(features);
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
    request r = {.clue_size = CLI_CLUE_SIZE,
                 .drop = WSAM_TRAIN_DROP_JOINT,
                 .rate = -1.0,
                 .decay = -1.0,
                 .dropout = -1.0,
                 .drop_cls = -1.0,
                 .drop_reg = -1.0,
                 .drop_start = -1.0};
    wsam_error error = {0};
    int status;
    const int first = cli_parse(&cmd_train, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (argc - first != 1 || !usable(&r))
        return cli_usage("train", "wants --stage, PROPOSALS.jsonl, -o, and what the stage needs");
    r.proposals = argv[first];
    cli_stop_catch();
    if (r.stage == STAGE_FEATURES ? make_features(&r, &error) : train(&r, &error))
        return cli_failed("train", &error);
    return CLI_OK;
}

const cli_command cmd_train = {
    .name = "train",
    .summary = "Trains a detection head from image-level labels or pseudo labels.",
    .usage = "train --stage features [-m MODEL.wsam] [--clue-model CLUES.wsam] --images DIR\n"
             "               PROPOSALS.jsonl -o CACHE\n"
             "       weaksam train --stage mil --features CACHE --labels FILE --images DIR\n"
             "               PROPOSALS.jsonl -o HEAD.wsam [OPTION...]\n"
             "       weaksam train --stage retrain --features CACHE --pgt PGT.json\n"
             "               PROPOSALS.jsonl -o HEAD.wsam [--roi-drop KIND] [OPTION...]",
    .help =
        "HEAD.safetensors beside HEAD.wsam can be converted to other types (weaksam convert);\n"
        "HEAD.wsam.svg shows the losses.\n"
        "      --stage NAME         features, mil or retrain\n"
        "      --preset NAME        base: 7 x 7 cells, 1024 units; fast: 4 x 4, 512 (base)\n"
        "      --labels FILE        CSV, JSON or VOC folder: classes of the pictures in --images\n"
        "      --classes FILE       class names, one per line: their order (the alphabet)\n"
        "      --pgt FILE           pseudo labels (weaksam pgt)\n"
        "      --state DIR          checkpoints, every ten minutes, epoch and on SIGTERM; "
        "resumed.\n"
        "                           log.jsonl: losses and RoI drop by interval; pgt_suspects.json\n"
        "      --force              resume whatever the options, data and level of the checkpoint\n"
        "      --roi-drop KIND      none, joint, indep, indep-v1 (joint)\n"
        "      --tau-cls F, --tau-reg F   its thresholds of the losses (4, 4)\n"
        "      --drop-start F       share of the iterations before (0.22)\n"
        "      --epochs N, --iterations N   how long (12 epochs; small sets at least 600 iterations\n"
        "                           of mil, 360 of retrain; how many is found on image labels)\n"
        "      --batch N, --hidden N, --rate F   (8 and 16; 1024; 1e-4)\n"
        "      --decay F            of weights (mil 5e-4; retrain 1e-4)\n"
        "      --dropout F          of hidden units (mil 0.5; retrain 0)\n"
        "      --cell-drop on|off   patches of a box's cells are left out (mil on; retrain never)\n"
        "      --products TYPE      f32; bf16: what the products multiply; faster where the\n"
        "                           hardware does more of it than of f32 (f32)\n"
        "      --seed N             of weights, order and dropout (1)\n"
        "      --components N       kept of each map's channels (128 of clues, 64 of the model's)\n"
        "      --like CACHE         with that one's components: pictures to test a head on\n"
        "      --clue-model FILE    its patches among the features; they tell classes best\n"
        "      --clue-max-side N    limit of the long side for it (640; 0: none)\n",
    .takes = "morq",
    .run = run};
