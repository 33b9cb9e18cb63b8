/* cli/cmd_run.c - weaksam run: all stages over a folder of images. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/deadline.h"
#include "cli/final.h"
#include "cli/help_tables.h"
#include "cli/run_work.h"

static int find_shard(const run_request *r, run_work *w)
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

/* The shard's status file, the last line on standard output; with the final data set once that is
 * there. */
static void print_status(const run_work *w, const char *output)
{
    char name[64], line[8192];
    char *path = NULL;
    wsam_error error;
    snprintf(name, sizeof name, ".status/%d-of-%d.json", w->shard, w->shards);
    FILE *f = cli_folder_join(output, name, "", &path, &error) ? NULL : fopen(path, "r");
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
static int finish(const run_request *r, run_work *w, int result)
{
    wsam_error error = {0};
    const char *from = r->learn.wanted ? "learn/masks.json" : "masks.json";
    wsam_status status =
        r->recast.n ? cli_final_recast(r->common.output, from, &r->recast, r->common.quiet, &error)
                    : cli_final_write(r->common.output, from, &error);
    if (!status && r->own_clues)
        status = cli_final_report(r->common.output, r->folder, &error);
    w->final = !status;
    if (!status)
        return result;
    cli_failed(w->name, &error);
    return cli_run_exit_of(status, 1);
}

/* The head, when the stages are through; `done` is what they end with. */
static int learn(const run_request *r, const run_work *w, int done)
{
    wsam_self_train_options o;
    wsam_self_train_options_default(&o);
    o.output = r->common.output;
    o.images = r->folder;
    o.labels = r->labels;
    o.list = w->labels;
    o.config = w->learning;
    o.late = w->labelling;
    o.relearn = r->relearn;
    o.lease_seconds = r->lease;
    o.models.model = r->common.model;
    o.models.clue_model = r->head_clues;
    o.models.clue_size = r->stages.clues.size;
    o.models.runtime = r->common.runtime;
    o.models.limits = r->limits.picture;
    o.pgt = r->head_rules;
    const int status = cli_learn_run(&r->learn, &r->common, &o);
    return status ? status : done;
}

static void close_all(run_request *r, run_work *w)
{
    wsam_labels_free(w->labels);
    wsam_free(r->maps);
    free(r->own_clues);
    free(r->regions);
    free(w->config), free(w->late), free(w->learning), free(w->labelling);
}

/* An input that is not there stays so; one that could not be read is worth another try. */
static int is_missing(const run_request *r)
{
    const char *clues = r->own_clues ? NULL : r->clue_model; /* its own are no input */
    const char *const inputs[] = {r->common.model, clues,       r->scorer, r->backbone,
                                  r->list,         r->reviewed, r->labels, r->folder};
    enum { FILES = 6 }; /* the others may be folders */
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct stat st;
        if (!inputs[i])
            continue;
        if (access(inputs[i], R_OK) && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
            return 1;
        if (i < FILES && stat(inputs[i], &st) == 0 && S_ISDIR(st.st_mode))
            return 1;
    }
    return 0;
}

/* Stages of all pictures; 1 when they ran to their end. */
static int do_stages(run_request *r, run_work *w, int *result)
{
    wsam_error error = {0};
    wsam_status status =
        r->learn.wanted ? wsam_self_train_maps(r->common.output, &r->maps, &error) : WSAM_OK;
    int began = status != WSAM_OK; /* that is about the output */
    if (!status)
        status = run_prepare(r, w, &error);
    began |= !status;
    if (!status && r->learn.wanted && !r->plan &&
        !r->clues_only) { /* what is refused leaves no folder */
        char *made;
        status = wsam_self_train_prepare(r->common.output, &made, &error);
        wsam_free(made);
    }
    if (!status && !r->clues_only)
        status = run_images(w, w->labels, r->common.output, w->config, wsam_stage_workers_run,
                            w->workers, &error);
    wsam_stage_workers_free(w->workers);
    wsam_model_close(w->clue_model);
    wsam_model_close(w->network);
    wsam_model_close(w->scorer);
    wsam_model_close(w->model);
    if (!status)
        return 1;
    cli_failed(w->name, &error);
    if (began && status != WSAM_ERR_MISMATCH && !r->common.quiet) /* it would be the others' */
        print_status(w, r->common.output);
    *result = status == WSAM_ERR_IO && !began && !is_missing(r) ? EXIT_IO
                                                                : cli_run_exit_of(status, began);
    return 0;
}

/* Before the first image: what stands in the way of --reviewed would be met after the last one. */
static int check_reviewed(const run_request *r)
{
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    const wsam_status status = wsam_coco_load_masks(r->reviewed, NULL, &d, &error);
    wsam_coco_free(d);
    if (!status)
        return CLI_OK;
    cli_failed("run", &error);
    return status == WSAM_ERR_IO && !is_missing(r) ? EXIT_IO : cli_run_exit_of(status, 0);
}

/* OUT/reviewed.json: those of the file in place of what was decided before. */
static int take_reviewed(const run_request *r)
{
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    char *path = NULL;
    wsam_status status = cli_folder_join(r->common.output, "reviewed.json", "", &path, &error);
    if (!status)
        status = wsam_coco_load_masks(r->reviewed, NULL, &d, &error);
    if (!status)
        status = wsam_coco_save(d, path, WSAM_COCO_MASKS, NULL, &error);
    wsam_coco_free(d);
    free(path);
    if (status)
        cli_failed("run", &error);
    return status ? cli_run_exit_of(status, 1) : CLI_OK;
}

/* Whether other shards say that they are not through: then the journals need not be read, which for
 * a thousand shards is a thousand times all of them. */
static int others_are_at_work(const run_request *r, const run_work *w)
{
    wsam_run_watch *watch;
    wsam_error error;
    const wsam_run_status *s = NULL;
    if (r->no_merge || w->shards == 1 || wsam_run_watch_open(r->common.output, &watch, &error))
        return r->no_merge;
    /* what a damaged file does not say the journals know */
    const int left = !wsam_run_watch_look(watch, &s, &error) && s->done < s->images && !s->damaged;
    if (left)
        fprintf(stderr, "weaksam %s: %zu of %zu images are not done yet\n", w->name,
                s->images - s->done, s->images);
    wsam_run_watch_close(watch);
    return left;
}

/* The final files, learning, the page. */
static int finish_all(run_request *r, run_work *w)
{
    const int failed = w->failed && !r->exit_zero ? CLI_FAILED : CLI_OK;
    size_t missing = SIZE_MAX;
    int result = failed;
    if (!others_are_at_work(r, w))
        result = cli_run_finish(w->name, r->common.output, r->common.quiet, 0,
                                w->shards == 1 ? EXIT_AGAIN : failed, &missing);
    if (result == CLI_FAILED && !missing && r->exit_zero)
        result = CLI_OK;
    if (r->learn.wanted && !missing)
        result = learn(r, w, result);
    if (!missing && (result == CLI_OK || result == CLI_FAILED))
        result = finish(r, w, result);
    if (!r->common.quiet)
        print_status(w, r->common.output);
    return result;
}

static int do_all(run_request *r)
{
    run_work w = {.request = r,
                  .max_seconds = r->max_seconds,
                  .grace = r->grace,
                  .started = ws_clock_ms(),
                  .name = "run"};
    int result = find_shard(r, &w);
    if (!result && r->reviewed)
        result = check_reviewed(r);
    if (result)
        return result;
    w.bar = cli_wants_progress(&r->common);
    w.log_interval = r->common.quiet ? 0 : r->log_interval;
    cli_deadline_catch();
    int good = do_stages(r, &w, &result);
    if (r->plan || r->clues_only) {
        close_all(r, &w);
        return good ? CLI_OK : result;
    }
    if (good && r->reviewed)
        good = !(result = take_reviewed(r));
    if (good)
        result = finish_all(r, &w);
    close_all(r, &w);
    return result;
}

/* Where OUT is to be a folder, a file is, or is on the way. */
static int output_is_blocked(const char *output)
{
    struct stat st;
    return stat(output, &st) ? errno == ENOTDIR : !S_ISDIR(st.st_mode);
}

static int check_usage(const run_request *r, int arguments)
{
    if (!r->common.model || !r->labels || !r->common.output || arguments != 1)
        return cli_usage("run", "expected a folder, --labels, -m MODEL.wsam and -o OUT");
    if (!r->learn.wanted && r->learn.has_options)
        return cli_usage(
            "run", "--preset, --epochs, --roi-drop, --trust, --assign and --min-side want --learn");
    if (strcmp(r->common.output, "-") == 0)
        return cli_usage(
            "run", "'-' is standard output, and OUT is a folder; ./- is the one of that name");
    if (output_is_blocked(r->common.output))
        return cli_usage("run", "-o %s: a file is there, and OUT is a folder", r->common.output);
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    run_request r = {.grace = 20.0, .log_interval = 30.0};
    int status;
    wsam_stage_options_default(&r.stages);
    const int first = cli_options_parse(&cmd_run, argc, argv, &r.common, run_options,
                                        run_take_option, &r, &status);
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
