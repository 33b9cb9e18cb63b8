/* cli/cmd_run.c - weaksam run and merge: all stages over a folder of pictures. */
#include <stdlib.h>
#include <string.h>

#include "cli/learn.h"
#include "cli/stop.h"

/* As schedulers expect them (sysexits.h). */
enum {
    EXIT_SHARD = 64,
    EXIT_INPUT = 65,   /* labels or models that cannot be used */
    EXIT_MISSING = 66, /* or are not there */
    EXIT_INTERNAL = 70,
    EXIT_MEMORY = 71, /* this one and the next: try again */
    EXIT_IO = 74,
    EXIT_AGAIN = CLI_STOPPED,
    EXIT_CONFIG = 78
};

enum {
    OPT_LABELS = CLI_OWN,
    OPT_CLUES,
    OPT_SIZE,
    OPT_SIDE,
    OPT_KEEP,
    OPT_METHOD,
    OPT_MASKS,
    OPT_SHARD,
    OPT_WORKERS,
    OPT_SECONDS,
    OPT_GRACE,
    OPT_RETRY,
    OPT_OVERWRITE,
    OPT_MISSING,
    OPT_ZERO,
    OPT_SURER,
    OPT_LEARN,
    OPT_PRESET,
    OPT_EPOCHS,
    OPT_SEED,
    OPT_DROP
};

static const struct option own_options[] = {
    {"labels", required_argument, NULL, OPT_LABELS},
    {"clue-model", required_argument, NULL, OPT_CLUES},
    {"clue-size", required_argument, NULL, OPT_SIZE},
    {"points-per-side", required_argument, NULL, OPT_SIDE},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"method", required_argument, NULL, OPT_METHOD},
    {"keep-masks", no_argument, NULL, OPT_MASKS},
    {"shard", required_argument, NULL, OPT_SHARD},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"max-seconds", required_argument, NULL, OPT_SECONDS},
    {"grace", required_argument, NULL, OPT_GRACE},
    {"retry-failed", no_argument, NULL, OPT_RETRY},
    {"overwrite", no_argument, NULL, OPT_OVERWRITE},
    {"skip-missing", no_argument, NULL, OPT_MISSING},
    {"exit-zero-on-failed-images", no_argument, NULL, OPT_ZERO},
    {"surer", no_argument, NULL, OPT_SURER},
    {"learn", no_argument, NULL, OPT_LEARN},
    {"preset", required_argument, NULL, OPT_PRESET},
    {"epochs", required_argument, NULL, OPT_EPOCHS},
    {"seed", required_argument, NULL, OPT_SEED},
    {"roi-drop", required_argument, NULL, OPT_DROP},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    const char *folder, *labels, *clue_model, *shard;
    wsam_stage_options stages;
    double max_seconds, grace; /* 0: no limit; what is at work may take longer by */
    int workers, retry, overwrite, skip_missing, learn, exit_zero;
    const char *preset, *epochs, *seed, *roi_drop; /* of --learn, checked by its commands */
    const char *method, *keep;                     /* as given, for them */
    char *maps;                                    /* folder */
} request;

typedef struct work {
    wsam_model *model, *clue_model;
    wsam_stage_workers *workers;
    wsam_labels *labels;
    int shard, shards, bar;
    double max_seconds, grace;
    size_t failed; /* pictures of this shard */
    char name[40]; /* of the command in messages: with the shard */
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

static int take_number(request *r, int option, const char *value)
{
    long long n;
    switch (option) {
    case OPT_SIZE:
        if (!cli_int(value, 0, 16384, &n))
            return cli_usage("run", "--clue-size '%s': wants 0 to 16384", value);
        r->stages.clues.size = (int)n;
        return CLI_OK;
    case OPT_SIDE:
        if (!cli_int(value, 1, 1024, &n))
            return cli_usage("run", "--points-per-side '%s': wants 1 to 1024", value);
        r->stages.propose.everything.points_per_side = (int)n;
        return CLI_OK;
    case OPT_WORKERS:
        if (!cli_int(value, 1, 1024, &n))
            return cli_usage("run", "--workers '%s': wants 1 to 1024", value);
        r->workers = (int)n;
        return CLI_OK;
    case OPT_SECONDS:
        if (!cli_numbers(value, 1, 1, &r->max_seconds) || !(r->max_seconds > 0))
            return cli_usage("run", "--max-seconds '%s': wants a number above 0", value);
        return CLI_OK;
    case OPT_GRACE:
        if (!cli_numbers(value, 1, 1, &r->grace) || !(r->grace >= 0))
            return cli_usage("run", "--grace '%s': wants a number from 0", value);
        return CLI_OK;
    default:
        r->keep = value;
        if (!cli_numbers(value, 1, 1, &r->stages.pgt.keep) ||
            !(r->stages.pgt.keep >= 0 && r->stages.pgt.keep <= 1))
            return cli_usage("run", "--keep '%s': wants a number from 0 to 1", value);
        return CLI_OK;
    }
}

/* Options of --learn, whose words and numbers are those of weaksam train. */
static int take_learning(request *r, int option, const char *value)
{
    static const char *const words[2][4] = {{"base", "fast", "", ""},
                                            {"none", "joint", "indep", "indep-v1"}};
    const char **const to[4] = {&r->preset, &r->epochs, &r->seed, &r->roi_drop};
    const char *name = option == OPT_PRESET ? "preset" : "roi-drop";
    long long n;
    *to[option - OPT_PRESET] = value;
    if (option == OPT_EPOCHS || option == OPT_SEED)
        return cli_int(value, 1, option == OPT_SEED ? 1LL << 62 : 10000, &n)
                   ? CLI_OK
                   : cli_usage("run", "'%s': wants a whole number from 1", value);
    for (int i = 0; i < 4; i++)
        if (strcmp(value, words[option == OPT_DROP][i]) == 0)
            return CLI_OK;
    return cli_usage("run", "--%s '%s': not one of its words", name, value);
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
    case OPT_METHOD:
        r->method = value;
        return take_method(r, value);
    case OPT_SURER:
        r->stages.pgt.surer = 1;
        return CLI_OK;
    case OPT_LEARN:
        r->learn = 1;
        return CLI_OK;
    case OPT_PRESET:
    case OPT_EPOCHS:
    case OPT_SEED:
    case OPT_DROP:
        return take_learning(r, option, value);
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

/* ---- shards ---- */

static int bad_shard(const char *text, const char *why)
{
    cli_usage("run", "--shard '%s': %s", text, why);
    return EXIT_SHARD;
}

/* A variable of the scheduler or launcher that numbers its tasks; their number is never taken from
 * there, since a task that is run again may see another. */
static const char *task_variable(void)
{
    static const char *const arrays[] = {"JOB_COMPLETION_INDEX", "SLURM_ARRAY_TASK_ID"};
    static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID"};
    const char *array = NULL;
    const char *size =
        getenv("OMPI_COMM_WORLD_SIZE") ? getenv("OMPI_COMM_WORLD_SIZE") : getenv("SLURM_NTASKS");
    for (int i = 1; i >= 0; i--)
        array = getenv(arrays[i]) ? arrays[i] : array;
    if (array)
        return size && atoi(size) > 1 ? NULL : array;
    for (int i = 0; i < 3; i++)
        if (getenv(ranks[i]))
            return ranks[i];
    return getenv("PARALLEL_SEQ") ? "PARALLEL_SEQ" : NULL;
}

static int find_shard(const request *r, work *w)
{
    char index[32];
    long long i, n;
    w->shards = 1;
    if (!r->shard)
        return CLI_OK;
    const size_t length = strcspn(r->shard, "/");
    if (length >= sizeof index || !r->shard[length] ||
        !cli_int(r->shard + length + 1, 1, 1000000, &n))
        return bad_shard(r->shard, "wants I/N or auto/N, counted from 0");
    memcpy(index, r->shard, length);
    index[length] = 0;
    const char *variable = NULL;
    if (strcmp(index, "auto") == 0 && !(variable = task_variable()))
        return bad_shard(r->shard, "the environment has no task number, or two that differ");
    if (!cli_int(variable ? getenv(variable) : index, 0, 1000000, &i))
        return bad_shard(r->shard, "its first part is no number");
    i -= variable && strcmp(variable, "PARALLEL_SEQ") == 0;
    if (i < 0 || i >= n)
        return bad_shard(r->shard, "there is no such shard");
    if (variable && !r->common.quiet)
        fprintf(stderr, "shard %lld of %lld, by %s\n", i, n, variable);
    w->shard = (int)i;
    w->shards = (int)n;
    snprintf(w->name, sizeof w->name, "run: shard %lld/%lld", i, n);
    return CLI_OK;
}

/* ---- the work ---- */

/* Everything that changes results: names of files do not. */
static wsam_status make_config(const request *r, char text[1280], wsam_error *error)
{
    static const char *const methods[] = {"adaptive", "top1", "top2", "fixed"};
    char model[17], clues[17];
    wsam_status status = wsam_file_checksum(r->common.model, model, error);
    if (!status)
        status = wsam_file_checksum(r->clue_model, clues, error);
    const wsam_stage_options *s = &r->stages;
    char learn[200] = "";
    if (r->learn)
        snprintf(learn, sizeof learn,
                 ",\"learn\":{\"preset\":\"%s\",\"epochs\":%s,\"seed\":%s,\"roi_drop\":\"%s\"}",
                 r->preset ? r->preset : "base", r->epochs ? r->epochs : "12",
                 r->seed ? r->seed : "1", r->roi_drop ? r->roi_drop : "joint");
    if (!status)
        snprintf(text, 1280,
                 "{\"model\":\"%s\",\"clue_model\":\"%s\",\"clue_size\":%d,\"points_per_side\":%d,"
                 "\"method\":\"%s\",\"keep\":%.9g,\"keep_masks\":%d,\"max_pixels\":%llu%s%s}",
                 model, clues, s->clues.size, s->propose.everything.points_per_side,
                 methods[s->pgt.method], s->pgt.keep, s->keep_masks,
                 (unsigned long long)r->limits.picture.max_pixels,
                 s->pgt.surer ? ",\"surer\":1" : "", learn);
    return status;
}

/* One-thread workers share the models' weights and never wait for each other: more pictures per
 * second than one worker of many threads. */
static wsam_status open_models(request *r, work *w, wsam_error *error)
{
    wsam_options o = r->common.runtime;
    const int threads = o.threads ? o.threads : wsam_default_threads();
    r->workers = r->workers ? r->workers : threads;
    o.threads = threads / r->workers ? threads / r->workers : 1;
    wsam_status status = wsam_model_open(r->common.model, &o, &w->model, error);
    if (!status)
        status = wsam_model_open(r->clue_model, &o, &w->clue_model, error);
    r->stages.model = w->model;
    r->stages.clue_model = w->clue_model;
    r->stages.workers = r->workers;
    r->stages.limits = r->limits.picture;
    r->stages.keep_tokens = r->learn;
    r->stages.maps = r->maps;
    r->stages.propose.everything.progress = cli_stop_give_up;
    return status ? status : wsam_stage_workers_create(&r->stages, &w->workers, error);
}

static wsam_status load_labels(const request *r, work *w, wsam_error *error)
{
    wsam_labels_options o = {.allow_missing = r->skip_missing};
    o.n_names = wsam_stage_workers_classes(w->workers, &o.names);
    const wsam_status status = wsam_labels_load(r->labels, r->folder, &o, &w->labels, error);
    if (status || r->common.quiet)
        return status;
    const wsam_labels *l = w->labels;
    if (l->unlabelled) {
        fprintf(stderr, "%zu pictures without labels are left out, '", l->unlabelled);
        cli_print_safe(stderr, l->first_unlabelled ? l->first_unlabelled : "");
        fprintf(stderr, "' first\n");
    }
    if (l->missing) {
        fprintf(stderr, "%zu labelled pictures are not there, '", l->missing);
        cli_print_safe(stderr, l->first_missing ? l->first_missing : "");
        fprintf(stderr, "' first\n");
    }
    if (l->n_classes == 1)
        fprintf(stderr, "there is one class alone: every picture is searched for it\n");
    return status;
}

static int on_progress(void *user, const wsam_run_progress *p)
{
    work *w = user;
    static double last;
    const double t = p->seconds;
    if (w->bar && (t - last > 0.2 || p->done == p->total)) {
        last = t;
        fprintf(stderr, "\r%zu of %zu pictures, %zu failed", p->done, p->total, p->failed);
        if (p->seconds_left >= 0)
            fprintf(stderr, ", %.0f:%02.0f left ", (double)(int)(p->seconds_left / 60),
                    (double)((int)p->seconds_left % 60));
        if (cli_stop_asked())
            fprintf(stderr, "; stopping");
        fprintf(stderr, "   ");
    }
    w->failed = p->failed;
    cli_stop_tick(t, w->max_seconds, w->grace);
    return cli_stop_asked();
}

static wsam_status run_all(const request *r, work *w, const char *config, wsam_error *error)
{
    wsam_run_options o;
    wsam_run_options_default(&o);
    o.folder = r->folder;
    o.output = r->common.output;
    o.config = config;
    o.shard = w->shard;
    o.shards = w->shards;
    o.workers = r->workers;
    o.retry_failed = r->retry;
    o.overwrite = r->overwrite;
    o.fn = wsam_stage_workers_run;
    o.user = w->workers;
    o.progress = on_progress;
    o.progress_user = w;
    const wsam_status status = wsam_run(w->labels, &o, error);
    if (w->bar)
        fputc('\n', stderr);
    return status;
}

static void print_summary(const wsam_run_summary *s)
{
    fprintf(stderr,
            "%zu pictures, %zu failed; %llu pseudo labels, %llu masks; %llu prompts\nseconds:",
            s->images, s->failed, (unsigned long long)s->boxes, (unsigned long long)s->instances,
            (unsigned long long)s->prompts);
    for (int i = 0; i < WSAM_RUN_STAGES; i++)
        fprintf(stderr, " %s %.2f", wsam_run_stage_name((wsam_run_stage)i), s->seconds[i]);
    fprintf(stderr, "\n");
}

/* The final files, when nothing is missing; a run of one shard says how far all are, and ends with
 * `partial` then. */
static int finish(const char *command, const char *output, int quiet, int partial, size_t *missing)
{
    wsam_run_summary s = {0};
    wsam_error error = {0};
    *missing = SIZE_MAX;
    if (wsam_run_merge(output, &s, &error))
        return cli_failed(command, &error);
    *missing = s.missing;
    if (s.missing) {
        fprintf(stderr, "weaksam %s: %zu of %zu pictures are not done yet\n", command, s.missing,
                s.images);
        return partial;
    }
    if (!quiet)
        print_summary(&s);
    if (s.failed && !quiet) {
        fputs("what failed and why: ", stderr);
        cli_print_safe(stderr, output);
        fputs("/failures.jsonl\n", stderr);
    }
    return s.failed ? CLI_FAILED : CLI_OK;
}

/* The shard's status file, the last line on standard output. */
static void print_status(const work *w, const char *output)
{
    char name[64], line[1024];
    char *path = NULL;
    wsam_error error;
    snprintf(name, sizeof name, ".status/%d-of-%d.json", w->shard, w->shards);
    FILE *f = cli_join(output, name, "", &path, &error) ? NULL : fopen(path, "r");
    if (f && fgets(line, sizeof line, f))
        fputs(line, stdout);
    if (f)
        fclose(f);
    free(path);
}

/* The head, when the stages are through; `done` is what they end with. */
static int learn(const request *r, const work *w, const char *config, int done)
{
    const cli_learn l = {.common = &r->common,
                         .folder = r->folder,
                         .labels = r->labels,
                         .config = config,
                         .pictures = w->labels,
                         .preset = r->preset,
                         .epochs = r->epochs,
                         .seed = r->seed,
                         .roi_drop = r->roi_drop,
                         .method = r->method,
                         .keep = r->keep,
                         .surer = r->stages.pgt.surer};
    const int status = cli_learn_run(&l);
    return status ? status : done;
}

static void close_all(request *r, work *w)
{
    wsam_labels_free(w->labels);
    free(r->maps);
}

/* What a scheduler is told of a run that ended early; `began`: pictures may be done. */
static int exit_of(wsam_status status, int began)
{
    if (status == WSAM_ERR_MEMORY)
        return EXIT_MEMORY;
    if (status == WSAM_ERR_IO)
        return began ? EXIT_IO : EXIT_MISSING;
    if (!began)
        return EXIT_INPUT;
    return status == WSAM_ERR_CANCELLED  ? EXIT_AGAIN
           : status == WSAM_ERR_MISMATCH ? EXIT_CONFIG
                                         : EXIT_INTERNAL;
}

/* Stages of all pictures; 1 when they ran to their end. */
static int do_stages(request *r, work *w, char *config, int *result)
{
    wsam_error error = {0};
    wsam_status status = make_config(r, config, &error);
    if (!status && r->learn)
        status = cli_learn_prepare(r->common.output, &r->maps, &error);
    if (!status)
        status = open_models(r, w, &error);
    if (!status)
        status = load_labels(r, w, &error);
    const int began = !status;
    if (!status)
        status = run_all(r, w, config, &error);
    wsam_stage_workers_free(w->workers);
    wsam_model_close(w->clue_model);
    wsam_model_close(w->model);
    if (!status)
        return 1;
    cli_failed(w->name, &error);
    if (began && !r->common.quiet)
        print_status(w, r->common.output);
    *result = exit_of(status, began);
    return 0;
}

static int do_all(request *r)
{
    work w = {.max_seconds = r->max_seconds, .grace = r->grace, .name = "run"};
    char config[1280];
    size_t missing;
    int result = find_shard(r, &w);
    if (result)
        return result;
    w.bar = cli_wants_progress(&r->common);
    cli_stop_catch();
    if (do_stages(r, &w, config, &result)) {
        const int failed = w.failed && !r->exit_zero ? CLI_FAILED : CLI_OK;
        result = finish(w.name, r->common.output, r->common.quiet,
                        w.shards == 1 ? EXIT_AGAIN : failed, &missing);
        if (result == CLI_FAILED && !missing && r->exit_zero)
            result = CLI_OK;
        if (!r->common.quiet)
            print_status(&w, r->common.output);
        if (r->learn && !missing)
            result = learn(r, &w, config, result);
    }
    close_all(r, &w);
    return result;
}

static int run(int argc, char **argv)
{
    request r = {.grace = 20.0};
    int status;
    wsam_stage_options_default(&r.stages);
    const int first = cli_parse(&cmd_run, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.model || !r.clue_model || !r.labels || !r.common.output || argc - first != 1)
        return cli_usage("run", "wants a folder, --labels, -m MODEL.wsam, --clue-model CLUES.wsam "
                                "and -o OUT");
    if (!r.learn && (r.preset || r.epochs || r.seed || r.roi_drop))
        return cli_usage("run", "--preset, --epochs, --seed and --roi-drop want --learn");
    r.folder = argv[first];
    return do_all(&r);
}

const cli_command cmd_run = {
    .name = "run",
    .summary = "All stages over a folder: from labels of pictures to instance masks.",
    .usage = "run DIR --labels LABELS -m MODEL.wsam --clue-model CLUES.wsam -o OUT [OPTION...]",
    .help =
        "LABELS: X.csv (image,class,...), X.json ({\"image\": [\"class\"]}) or a VOC folder.\n"
        "OUT gets points.jsonl, proposals.jsonl, scores.json, pgt.json, masks.json, "
        "failures.jsonl\n"
        "and timing.json. A run that was stopped or killed goes on when it is started again.\n"
        "      --clue-size N        limit of the long side for the clue network (640; 0: none)\n"
        "      --points-per-side N  grid of N x N points (32)\n"
        "      --method NAME        pseudo labels: adaptive, top1, top2 or fixed\n"
        "      --keep F             threshold of adaptive (0.3) and fixed (0.2)\n"
        "      --surer              only boxes of a higher score drop those that lie in them\n"
        "      --keep-masks         masks of the proposals in proposals.jsonl, too\n"
        "      --learn              train a detection head on what was found, label with it: "
        "OUT/learn\n"
        "                           (masks.json, head.wsam, review.html; maps/ is a few MB a "
        "picture)\n"
        "      --preset NAME, --epochs N, --seed N, --roi-drop KIND   of --learn (weaksam train)\n"
        "      --workers N          pictures at once (as many as threads, of one thread each)\n"
        "      --shard I/N          every N-th picture, from I = 0; auto/N: I from the scheduler\n"
        "      --retry-failed       try pictures again that failed\n"
        "      --overwrite          throw away results of other options, models or labels\n"
        "      --skip-missing       leave out labels of pictures that are not there\n"
        "      --exit-zero-on-failed-images   pictures that failed do not count in the exit "
        "status\n"
        "      --max-seconds F      stop after F seconds, as at SIGTERM: the pictures at work are "
        "finished\n"
        "      --grace F            or given up, where that takes longer than F seconds (20)\n"
        "OUT/.status/I-of-N.json tells how far a shard is; it is also the last line of the "
        "output.\n"
        "Exit status: 1 some pictures failed, 64 shard unclear, 65 labels or models that cannot "
        "be\n"
        "used, 66 or are not there, 71 no memory, 74 reading or writing failed, 75 stopped (start "
        "it\n"
        "again), 78 OUT has results of another configuration.\n" CLI_LIMIT_HELP,
    .takes = "morq",
    .run = run};

/* ---- merge ---- */

static int run_merge(int argc, char **argv)
{
    cli_common common;
    size_t missing;
    int status;
    const int first = cli_parse(&cmd_merge, argc, argv, &common, NULL, NULL, NULL, &status);
    if (first < 0)
        return status;
    if (argc - first != 1)
        return cli_usage("merge", "wants the folder of a run");
    return finish("merge", argv[first], common.quiet, EXIT_AGAIN, &missing);
}

const cli_command cmd_merge = {
    .name = "merge",
    .summary = "The final files of a run whose shards are done.",
    .usage = "merge OUT",
    .help =
        "OUT is the -o of weaksam run --shard I/N. Exit status 75: shards are missing; 1: some\n"
        "pictures failed.\n",
    .takes = "q",
    .run = run_merge};
