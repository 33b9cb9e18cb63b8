/* cli/cmd_run.c - weaksam run: all stages over a folder of pictures. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/deadline.h"
#include "cli/final.h"
#include "cli/help_tables.h"
#include "cli/own_clues.h"
#include "cli/parameters.h"
#include "cli/run.h"

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
    OPT_REVIEWED,
    OPT_PLAN,
    OPT_RELEARN
};

static const struct option own_options[] = {
    {"labels", required_argument, NULL, OPT_LABELS},
    {"clue-model", required_argument, NULL, OPT_CLUES},
    {"backbone", required_argument, NULL, OPT_BACKBONE},
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
    {"reviewed", required_argument, NULL, OPT_REVIEWED},
    {"plan", no_argument, NULL, OPT_PLAN},
    {"relearn", no_argument, NULL, OPT_RELEARN},
    CLI_POINT_OPTIONS("point-"),
    CLI_PROPOSE_OPTIONS,
    CLI_SCORE_OPTIONS("score-", "score-min"),
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    const char *folder, *labels, *clue_model, *backbone, *shard, *reviewed, *list;
    char *own_clues; /* clue_model, when it is learnt here */
    wsam_stage_options stages;
    double max_seconds, grace; /* 0: no limit; what is at work may take longer by */
    double log_interval;       /* seconds between lines of progress in a log; 0: none */
    int relearn;
    int plan; /* print it, and end */
    int workers, retry, overwrite, skip_missing, exit_zero;
    cli_learn learn;
    char *maps; /* folder */
} request;

typedef struct work {
    const request *request;
    wsam_model *model, *clue_model, *network;
    wsam_stage_workers *workers;
    wsam_labels *labels;
    int shard, shards, bar;
    double max_seconds, grace, log_interval, last;
    double started;                 /* ms */
    size_t failed;                  /* pictures of this shard */
    size_t damaged;                 /* places in its journal */
    char name[40];                  /* of the command in messages: with the shard */
    char *config, *late, *learning; /* what results follow from: all, late stages, --learn */
    int final;                      /* final.json is there */
} work;

/* ---- options ---- */

static int take_method(request *r, const char *value)
{
    static const char *const names[] = {"adaptive", "top1", "top2", "fixed"};
    for (int i = 0; i < 4; i++)
        if (strcmp(value, names[i]) == 0) {
            r->stages.pgt.method = (wsam_pgt_method)i;
            return CLI_OK;
        }
    return cli_usage("run", "--method '%s': wants adaptive, top1, top2 or fixed", value);
}

static int take_seconds(const char *name, double low, const char *value, double *out)
{
    if (!cli_numbers(value, 1, 1, out) || !(*out >= low))
        return cli_usage("run", "--%s '%s': wants a number of seconds", name, value);
    return CLI_OK;
}

static int take_number(request *r, int option, const char *value)
{
    const cli_parameters to = {&r->stages.clues, &r->stages.propose, &r->stages.score,
                               &r->stages.evidence};
    long long n;
    double *share = option == OPT_KEEP ? &r->stages.pgt.keep : &r->stages.pgt.contained;
    switch (option) {
    case OPT_WORKERS:
        if (!cli_int(value, 1, 1024, &n))
            return cli_usage("run", "--workers '%s': wants 1 to 1024", value);
        r->workers = (int)n;
        return CLI_OK;
    case OPT_SECONDS:
        return take_seconds("max-seconds", 1e-9, value, &r->max_seconds);
    case OPT_GRACE:
        return take_seconds("grace", 0, value, &r->grace);
    case OPT_LOG:
        return take_seconds("log-interval", 0, value, &r->log_interval);
    case OPT_KEEP:
    case OPT_CONTAINED:
        if (!cli_numbers(value, 1, 1, share) || !(*share >= 0 && *share <= 1))
            return cli_usage("run", "--%s '%s': wants a number from 0 to 1",
                             option == OPT_KEEP ? "keep" : "contained", value);
        return CLI_OK;
    default:
        return cli_take_parameter("run", own_options, &to, option, value);
    }
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_LABELS:
        r->labels = value;
        return CLI_OK;
    case OPT_CLUES:
        r->clue_model = value;
        return CLI_OK;
    case OPT_BACKBONE:
        r->backbone = value;
        return CLI_OK;
    case OPT_LIST:
        r->list = value;
        return CLI_OK;
    case OPT_METHOD:
        return take_method(r, value);
    case OPT_SURER:
        r->stages.pgt.surer = 1;
        return CLI_OK;
    case OPT_LEARN:
        r->learn.wanted = 1;
        return CLI_OK;
    case OPT_PRESET:
    case OPT_EPOCHS:
    case OPT_SEED:
    case OPT_DROP:
        return cli_learn_take(&r->learn, (cli_learn_option)(option - OPT_PRESET), value);
    case OPT_PLAN:
        r->plan = 1;
        return CLI_OK;
    case OPT_RELEARN:
        r->relearn = 1;
        return CLI_OK;
    case OPT_REVIEWED:
        r->reviewed = value;
        return CLI_OK;
    case OPT_MASKS:
        r->stages.keep_masks = 1;
        return CLI_OK;
    case OPT_SHARD:
        r->shard = value;
        return CLI_OK;
    case OPT_RETRY:
        r->retry = 1;
        return CLI_OK;
    case OPT_OVERWRITE:
        r->overwrite = 1;
        return CLI_OK;
    case OPT_MISSING:
        r->skip_missing = 1;
        return CLI_OK;
    case OPT_ZERO:
        r->exit_zero = 1;
        return CLI_OK;
    case CLI_OPT_MAX_PIXELS:
        return cli_take_limit(&r->limits, option, value);
    default:
        return take_number(r, option, value);
    }
}

/* ---- the work ---- */

static int find_shard(const request *r, work *w)
{
    const char *variable;
    w->shards = 1;
    if (!r->shard)
        return CLI_OK;
    const int status = cli_shard(r->shard, &w->shard, &w->shards, &variable);
    if (status)
        return status;
    snprintf(w->name, sizeof w->name, "run: shard %d/%d", w->shard, w->shards);
    if (variable && !r->common.quiet)
        fprintf(stderr, "weaksam %s: by %s\n", w->name, variable);
    return CLI_OK;
}

static wsam_status make_late_config(const request *r, work *w, wsam_error *error)
{
    size_t size;
    FILE *f = open_memstream(&w->late, &size);
    if (!f)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the options");
    fputc('{', f);
    cli_print_late_parameters(f, &r->stages);
    fputc('}', f);
    return fclose(f) ? cli_error(error, WSAM_ERR_MEMORY, "no memory for the options") : WSAM_OK;
}

/* What is learnt follows from all options. */
static wsam_status make_learning_config(const request *r, work *w, wsam_error *error)
{
    size_t size;
    FILE *f = open_memstream(&w->learning, &size);
    if (!f)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the options");
    fprintf(f, "{\"first\":%s,\"late\":%s", w->config, w->late);
    cli_learn_print(f, &r->learn);
    fputc('}', f);
    return fclose(f) ? cli_error(error, WSAM_ERR_MEMORY, "no memory for the options") : WSAM_OK;
}

/* Everything that changes results: names of files do not, instruction set level and backend do in
 * the last digits. */
static wsam_status make_config(const request *r, work *w, wsam_error *error)
{
    char model[17], clues[17], network[17] = "";
    size_t size;
    wsam_status status = wsam_file_checksum(r->common.model, model, error);
    if (!status)
        status = wsam_file_checksum(r->clue_model, clues, error);
    if (!status && w->network)
        status = wsam_file_checksum(r->backbone, network, error);
    if (!status)
        status = make_late_config(r, w, error);
    FILE *f = status ? NULL : open_memstream(&w->config, &size);
    if (!f)
        return status ? status : cli_error(error, WSAM_ERR_MEMORY, "no memory for the options");
    fprintf(f, "{\"model\":\"%s\",\"clue_model\":\"%s\",\"level\":\"%s\",\"backend\":\"%s\",",
            model, clues, wsam_model_isa(w->model),
            r->common.runtime.backend == WSAM_BACKEND_ONEDNN ? "onednn" : "native");
    if (w->network)
        fprintf(f, "\"network\":\"%s\",", network);
    if (r->common.runtime.lowering == WSAM_LOWERING_PLAIN)
        fprintf(f, "\"lowering\":\"plain\",");
    cli_print_parameters(f, &r->stages);
    fprintf(f, ",\"max_pixels\":%llu", (unsigned long long)r->limits.picture.max_pixels);
    fputc('}', f);
    if (fclose(f))
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the options");
    return make_learning_config(r, w, error);
}

/* One-thread workers share the models' weights and never wait for each other: more pictures per
 * second than one worker of many threads. */
static wsam_options model_options(request *r)
{
    wsam_options o = r->common.runtime;
    const int threads = o.threads ? o.threads : wsam_default_threads();
    r->workers = r->workers ? r->workers : threads;
    o.threads = threads / r->workers ? threads / r->workers : 1;
    return o;
}

static wsam_status open_models(request *r, work *w, wsam_error *error)
{
    const wsam_options o = model_options(r);
    wsam_status status = wsam_model_open(r->common.model, &o, &w->model, error);
    if (!status && r->clue_model)
        status = wsam_model_open(r->clue_model, &o, &w->clue_model, error);
    if (!status && r->backbone)
        status = wsam_model_open(r->backbone, &o, &w->network, error);
    r->stages.model = w->model;
    r->stages.network = w->network;
    r->stages.workers = r->workers;
    r->stages.limits = r->limits.picture;
    r->stages.give_up = cli_stop_give_up;
    return status;
}

static wsam_status create_workers(const request *r, work *w, wsam_error *error)
{
    wsam_stage_options s = r->stages;
    s.clue_model = w->clue_model;
    s.keep_tokens = r->learn.wanted ? 1 + r->learn.fast : 0; /* fast: patches alone */
    s.maps = r->maps;
    return wsam_stage_workers_create(&s, &w->workers, error);
}

static wsam_status load_labels(const request *r, work *w, wsam_labels_options *o, wsam_error *error)
{
    o->allow_missing = r->skip_missing;
    o->list = r->list;
    wsam_labels_free(w->labels);
    w->labels = NULL;
    return wsam_labels_load(r->labels, r->folder, o, &w->labels, error);
}

/* What a log gets: a line now and then, with the shard. */
static void log_progress(work *w, const wsam_run_progress *p)
{
    if (!(w->log_interval > 0) || p->seconds - w->last < w->log_interval)
        return;
    w->last = p->seconds;
    fprintf(stderr, "weaksam %s: %zu of %zu pictures, %zu failed", w->name, p->done, p->total,
            p->failed);
    if (p->seconds_left >= 0)
        fprintf(stderr, ", %d:%02d left", (int)(p->seconds_left / 60), (int)p->seconds_left % 60);
    fputc('\n', stderr);
}

static void draw_bar(work *w, const wsam_run_progress *p)
{
    if (p->seconds - w->last <= 0.2 && p->done != p->total)
        return;
    w->last = p->seconds;
    fprintf(stderr, "\r%zu of %zu pictures, %zu failed", p->done, p->total, p->failed);
    if (p->seconds_left >= 0)
        fprintf(stderr, ", %d:%02d left ", (int)(p->seconds_left / 60), (int)p->seconds_left % 60);
    fprintf(stderr, "%s   ", cli_stop_asked() ? "; stopping" : "");
}

static void look_at_clock(void *user)
{
    const work *w = user;
    cli_stop_tick(1e-3 * (ws_clock_ms() - w->started), w->max_seconds, w->grace);
}

static int on_progress(void *user, const wsam_run_progress *p)
{
    work *w = user;
    flockfile(stderr);
    if (w->bar)
        draw_bar(w, p);
    else
        log_progress(w, p);
    funlockfile(stderr);
    w->failed = p->failed;
    w->damaged = p->damaged;
    look_at_clock(w);
    return cli_stop_asked();
}

static void on_failure(void *user, const wsam_run_gap *gap)
{
    const work *w = user;
    flockfile(stderr);
    if (w->bar)
        fprintf(stderr, "\r%72s\r", "");
    cli_print_gap(w->name, gap);
    funlockfile(stderr);
}

/* ---- what there is to do ---- */

static void print_count(size_t n, const char *what)
{
    if (n)
        fprintf(stderr, ", %zu %s", n, what);
}

/* One line: what is done anew, and why. Nothing where all is new, or all is there. */
static void print_plan(const work *w, const wsam_run_plan *p, int always)
{
    const int plain = !p->late && !p->removed && (!p->first || p->new_images == p->images);
    if (plain && !always)
        return;
    fprintf(stderr, "weaksam %s: %zu images: %zu are done", w->name, p->images, p->done);
    print_count(p->late, "want pseudo labels and masks alone");
    print_count(p->new_images, "are new");
    print_count(p->new_contents, "have changed");
    print_count(p->new_labels, "have other labels");
    print_count(p->new_options, "were done with other options or models");
    print_count(p->unfinished, "are not finished");
    print_count(p->failed, "failed (--retry-failed tries them again)");
    print_count(p->removed, "are gone");
    if (*p->options) {
        fputs("; ", stderr);
        cli_print_safe(stderr, p->options);
    }
    fputc('\n', stderr);
}

/* All pictures of this shard through a worker, into a folder. */
static wsam_status run_pictures(void *user, const wsam_labels *labels, const char *output,
                                const char *config, wsam_run_fn fn, void *fn_user,
                                wsam_error *error)
{
    work *w = user;
    const request *r = w->request;
    wsam_run_options o;
    wsam_run_plan plan;
    wsam_status status;
    wsam_run_options_default(&o);
    o.folder = r->folder;
    o.output = output;
    o.config = config;
    o.shard = w->shard;
    o.shards = w->shards;
    o.workers = r->workers;
    o.retry_failed = r->retry;
    o.overwrite = r->overwrite;
    o.fn = fn;
    o.user = fn_user;
    o.progress = on_progress;
    o.progress_user = w;
    o.failed = on_failure;
    w->last = 0;
    if (fn == wsam_stage_workers_run) { /* clues that are learnt first have no late stages */
        o.late = w->late;
        status = wsam_run_look_ahead(labels, &o, &plan, error);
        if (!status && !r->common.quiet)
            print_plan(w, &plan, r->plan);
        if (status || r->plan)
            return status;
    }
    status = wsam_run(labels, &o, error);
    if (w->bar)
        fputc('\n', stderr);
    if (w->damaged && !r->common.quiet)
        fprintf(stderr,
                "weaksam %s: %zu damaged places in the journal were passed over; their "
                "pictures were done again\n",
                w->name, w->damaged);
    return status;
}

/* ---- clues of classes that no network knows ---- */

/* Labels as they are, and whether the clue network knows their classes. A network that does not is
 * a source to learn from, unless there is a backbone. */
static wsam_status find_classes(request *r, work *w, int *own, wsam_error *error)
{
    wsam_labels_options any = {0};
    const char *missing = NULL;
    wsam_status status = load_labels(r, w, &any, error);
    if (!status && w->clue_model)
        status = cli_clues_cover(w->clue_model, w->labels, &missing, error);
    *own = !w->clue_model || missing;
    if (status || !*own)
        return status;
    if (missing && !r->common.quiet) {
        fprintf(stderr, "weaksam %s: the clue network does not know '", w->name);
        cli_print_safe(stderr, missing);
        fputs("': clues are learnt from these pictures\n", stderr);
    }
    if (w->clue_model && !w->network && !wsam_is_region_clues(w->clue_model)) {
        w->network = w->clue_model;
        r->backbone = r->clue_model;
    } else {
        wsam_model_close(w->clue_model);
    }
    w->clue_model = NULL;
    r->stages.network = w->network;
    return WSAM_OK;
}

static wsam_status make_clues(request *r, work *w, wsam_error *error)
{
    const wsam_options models = model_options(r);
    const size_t size = strlen(r->common.output) + 32;
    char folder[4096];
    r->own_clues = malloc(size);
    if (!r->own_clues)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a path");
    snprintf(r->own_clues, size, "%s/clues/clues.wsam", r->common.output);
    if (snprintf(folder, sizeof folder, "%s/clues", r->common.output) >= (int)sizeof folder)
        return cli_error(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    const cli_own_clues o = {.name = w->name,
                             .common = &r->common,
                             .labels = w->labels,
                             .stages = &r->stages,
                             .backbone = w->network ? r->backbone : NULL,
                             .folder = folder,
                             .out = r->own_clues,
                             .shard = w->shard,
                             .shards = w->shards,
                             .workers = r->workers,
                             .overwrite = r->overwrite,
                             .seed = r->learn.seed ? (uint64_t)r->learn.seed : 1,
                             .bar = w->bar,
                             .run = run_pictures,
                             .tick = look_at_clock,
                             .user = w};
    if (mkdir(r->common.output, 0777) && errno != EEXIST)
        return cli_error(error, WSAM_ERR_IO, "%.300s: %s", r->common.output, strerror(errno));
    const wsam_status status = cli_own_clues_make(&o, error);
    r->clue_model = r->own_clues;
    return status ? status : wsam_model_open(r->clue_model, &models, &w->clue_model, error);
}

/* Models, labels in the classes of the clues, workers. */
static wsam_status prepare(request *r, work *w, wsam_error *error)
{
    int own = 0;
    wsam_labels_options known = {0};
    wsam_status status = open_models(r, w, error);
    if (!status)
        status = find_classes(r, w, &own, error);
    if (!status && !r->common.quiet)
        cli_label_remarks(w->name, w->labels);
    if (!status && own)
        status = make_clues(r, w, error);
    if (!status)
        status = create_workers(r, w, error);
    if (!status)
        status = make_config(r, w, error);
    if (status)
        return status;
    known.n_names = wsam_stage_workers_classes(w->workers, &known.names);
    return load_labels(r, w, &known, error);
}

/* The shard's status file, the last line on standard output; with the final data set once that is
 * there. */
static void print_status(const work *w, const char *output)
{
    char name[64], line[1024];
    char *path = NULL;
    wsam_error error;
    snprintf(name, sizeof name, ".status/%d-of-%d.json", w->shard, w->shards);
    FILE *f = cli_join(output, name, "", &path, &error) ? NULL : fopen(path, "r");
    if (f && fgets(line, sizeof line, f)) {
        char *end = w->final ? strrchr(line, '}') : NULL;
        if (end)
            *end = 0;
        fputs(line, stdout);
        if (end) {
            char final[4096];
            snprintf(final, sizeof final, "%.4000s/final.json", output);
            fputs(",\"final\":", stdout);
            cli_print_json_string(final);
            puts("}");
        }
    }
    if (f)
        fclose(f);
    free(path);
}

/* The result under one name, however it was made. */
static int finish(const request *r, work *w, int result)
{
    wsam_error error = {0};
    wsam_status status = cli_final_write(
        r->common.output, r->learn.wanted ? "learn/masks.json" : "masks.json", &error);
    if (!status && r->own_clues)
        status = cli_final_report(r->common.output, r->folder, &error);
    w->final = !status;
    if (!status)
        return result;
    cli_failed(w->name, &error);
    return cli_exit_of(status, 1);
}

/* The head, when the stages are through; `done` is what they end with. */
static int learn(const request *r, const work *w, int done)
{
    wsam_self_train_options o;
    wsam_self_train_options_default(&o);
    o.output = r->common.output;
    o.images = r->folder;
    o.labels = r->labels;
    o.list = w->labels;
    o.config = w->learning;
    o.relearn = r->relearn;
    o.models.model = r->common.model;
    o.models.clue_model = r->clue_model;
    o.models.clue_size = r->stages.clues.size;
    o.models.runtime = r->common.runtime;
    o.models.limits = r->limits.picture;
    o.pgt = r->stages.pgt;
    const int status = cli_learn_run(&r->learn, &r->common, &o);
    return status ? status : done;
}

static void close_all(request *r, work *w)
{
    wsam_labels_free(w->labels);
    wsam_free(r->maps);
    free(r->own_clues);
    free(w->config), free(w->late), free(w->learning);
}

/* An input that is not there stays so; one that could not be read is worth another try. */
static int is_missing(const request *r)
{
    const char *const inputs[] = {r->common.model, r->clue_model, r->labels, r->folder};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct stat st;
        if (!inputs[i])
            continue;
        if (access(inputs[i], R_OK) && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
            return 1;
        if (i < 2 && stat(inputs[i], &st) == 0 && S_ISDIR(st.st_mode))
            return 1;
    }
    return 0;
}

/* Stages of all pictures; 1 when they ran to their end. */
static int do_stages(request *r, work *w, int *result)
{
    wsam_error error = {0};
    wsam_status status =
        r->learn.wanted ? wsam_self_train_maps(r->common.output, &r->maps, &error) : WSAM_OK;
    int began = status != WSAM_OK; /* that is about the output */
    if (!status)
        status = prepare(r, w, &error);
    began |= !status;
    if (!status && r->learn.wanted && !r->plan) { /* what is refused leaves no folder */
        char *made;
        status = wsam_self_train_prepare(r->common.output, &made, &error);
        wsam_free(made);
    }
    if (!status)
        status = run_pictures(w, w->labels, r->common.output, w->config, wsam_stage_workers_run,
                              w->workers, &error);
    wsam_stage_workers_free(w->workers);
    wsam_model_close(w->clue_model);
    wsam_model_close(w->network);
    wsam_model_close(w->model);
    if (!status)
        return 1;
    cli_failed(w->name, &error);
    if (began && status != WSAM_ERR_MISMATCH && !r->common.quiet) /* it would be the others' */
        print_status(w, r->common.output);
    *result =
        status == WSAM_ERR_IO && !began && !is_missing(r) ? EXIT_IO : cli_exit_of(status, began);
    return 0;
}

/* OUT/reviewed.json: those of the file in place of what was decided before. */
static int take_reviewed(const request *r)
{
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    char *path = NULL;
    wsam_status status = cli_join(r->common.output, "reviewed.json", "", &path, &error);
    if (!status)
        status = wsam_coco_load_masks(r->reviewed, NULL, &d, &error);
    if (!status)
        status = wsam_coco_save(d, path, WSAM_COCO_MASKS, NULL, &error);
    wsam_coco_free(d);
    free(path);
    if (status)
        cli_failed("run", &error);
    return status ? cli_exit_of(status, 1) : CLI_OK;
}

static int do_all(request *r)
{
    work w = {.request = r,
              .max_seconds = r->max_seconds,
              .grace = r->grace,
              .started = ws_clock_ms(),
              .name = "run"};
    size_t missing;
    int result = find_shard(r, &w);
    if (result)
        return result;
    w.bar = cli_wants_progress(&r->common);
    w.log_interval = r->common.quiet ? 0 : r->log_interval;
    cli_stop_catch();
    int good = do_stages(r, &w, &result);
    if (r->plan) {
        close_all(r, &w);
        return good ? CLI_OK : result;
    }
    if (good && r->reviewed)
        good = !(result = take_reviewed(r));
    if (good) {
        const int failed = w.failed && !r->exit_zero ? CLI_FAILED : CLI_OK;
        result = cli_run_finish(w.name, r->common.output, r->common.quiet, 0,
                                w.shards == 1 ? EXIT_AGAIN : failed, &missing);
        if (result == CLI_FAILED && !missing && r->exit_zero)
            result = CLI_OK;
        if (r->learn.wanted && !missing)
            result = learn(r, &w, result);
        if (!missing && (result == CLI_OK || result == CLI_FAILED))
            result = finish(r, &w, result);
        if (!r->common.quiet)
            print_status(&w, r->common.output);
    }
    close_all(r, &w);
    return result;
}

static int check_usage(const request *r, int arguments)
{
    if (!r->common.model || !r->labels || !r->common.output || arguments != 1)
        return cli_usage("run", "wants a folder, --labels, -m MODEL.wsam and -o OUT");
    if (!r->learn.wanted && r->learn.has_options)
        return cli_usage("run", "--preset, --epochs and --roi-drop want --learn");
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {.grace = 20.0, .log_interval = 30.0};
    int status;
    wsam_stage_options_default(&r.stages);
    const int first = cli_parse(&cmd_run, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status ? EXIT_USAGE : CLI_OK;
    if (check_usage(&r, argc - first))
        return EXIT_USAGE;
    r.folder = argv[first];
    return do_all(&r);
}

const cli_command cmd_run = {
    .name = "run",
    .summary = "Make instance masks for a folder of images from image-level labels.",
    .usage = "run DIR --labels LABELS -m MODEL.wsam -o OUT [OPTION...]",
    .takes = "morq",
    .run = run,
    .table = &help_run};
