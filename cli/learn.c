/* cli/learn.c - see learn.h. Every step is one command of weaksam, given the files of the run. */
#include "cli/learn.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/deadline.h"

enum { PATH = 4096, ARGUMENTS = 32, KEY = 2048 };

typedef struct learning {
    const cli_learn *o;
    char folder[PATH];   /* OUTPUT/learn */
    char reviewed[PATH]; /* OUTPUT/reviewed.json; empty: nobody has decided */
    char threads[16];
} learning;

/* A path in the folder of results, in a few buffers that are used in turn: enough for a command. */
static const char *in(const learning *l, const char *name)
{
    static char paths[8][PATH + 64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", l->folder, name);
    return path;
}

static wsam_status make(const char *path, wsam_error *error)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return cli_error(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
    return WSAM_OK;
}

wsam_status cli_learn_prepare(const char *output, char **maps, wsam_error *error)
{
    const size_t size = strlen(output) + 32;
    *maps = NULL;
    if (size > PATH - 32)
        return cli_error(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    *maps = malloc(size);
    if (!*maps)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a path");
    snprintf(*maps, size, "%s", output);
    wsam_status status = make(*maps, error);
    snprintf(*maps, size, "%s/learn", output);
    if (!status)
        status = make(*maps, error);
    snprintf(*maps, size, "%s/learn/maps", output);
    return status ? status : make(*maps, error);
}

/* ---- what the results belong to ---- */

/* The configuration, and what the stages gave. */
static wsam_status make_key(const learning *l, char key[KEY], wsam_error *error)
{
    char proposals[17], points[17], reviewed[17] = "";
    wsam_status status = wsam_file_checksum(in(l, "../proposals.jsonl"), proposals, error);
    if (!status)
        status = wsam_file_checksum(in(l, "../points.jsonl"), points, error);
    if (!status && *l->reviewed)
        status = wsam_file_checksum(l->reviewed, reviewed, error);
    if (!status)
        snprintf(key, KEY, "%s\n%s %s %s\n", l->o->config, proposals, points, reviewed);
    return status;
}

static int key_is(const learning *l, const char *key)
{
    char old[KEY] = "";
    FILE *f = fopen(in(l, "key"), "rb");
    const size_t n = f ? fread(old, 1, sizeof old - 1, f) : 0;
    if (f)
        fclose(f);
    return n == strlen(key) && memcmp(old, key, n) == 0;
}

static wsam_status write_key(const learning *l, const char *key, wsam_error *error)
{
    FILE *f = fopen(in(l, "key"), "wb");
    const int written = f && fputs(key, f) >= 0;
    if ((f && fclose(f)) || !written)
        return cli_error(error, WSAM_ERR_IO, "%.300s: %s", in(l, "key"), strerror(errno));
    return WSAM_OK;
}

static void remove_files(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        if (*e->d_name != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

/* Results of other options or other proposals go; the maps belong to the stages. */
static wsam_status settle(const learning *l, wsam_error *error)
{
    char key[KEY];
    const wsam_status status = make_key(l, key, error);
    if (status || key_is(l, key))
        return status;
    remove_files(in(l, "mil"));
    remove_files(in(l, "retrain"));
    remove_files(l->folder);
    return write_key(l, key, error);
}

/* ---- commands ---- */

typedef struct arguments {
    const char *list[ARGUMENTS];
    int n;
} arguments;

static void add(arguments *a, const char *option, const char *value)
{
    if (!value || a->n + 2 >= ARGUMENTS)
        return;
    a->list[a->n++] = option;
    a->list[a->n++] = value;
}

/* Runs a command unless its result is there. */
static int step(const learning *l, const cli_command *command, const char *result, arguments *a,
                const char *first, const char *second)
{
    char *argv[ARGUMENTS + 8];
    if (access(in(l, result), F_OK) == 0)
        return CLI_OK;
    add(a, "-o", in(l, result));
    if (strchr(command->takes, 'r')) {
        add(a, "--threads", *l->threads ? l->threads : NULL);
        add(a, "--isa", l->o->common->runtime.isa);
    }
    if (l->o->common->quiet)
        a->list[a->n++] = "--quiet";
    else
        fprintf(stderr, "%s: %s\n", command->name, result);
    a->list[a->n++] = "--";
    a->list[a->n++] = first;
    if (second)
        a->list[a->n++] = second;
    memcpy(argv, a->list, (size_t)a->n * sizeof *argv); /* getopt only permutes them */
    argv[a->n] = NULL;
    const int status = command->run(a->n, argv);
    return cli_stop_asked() ? CLI_STOPPED : status;
}

static int is_fast(const learning *l)
{
    return l->o->preset && strcmp(l->o->preset, "fast") == 0;
}

static int train(const learning *l, int retrain)
{
    arguments a = {.list = {"train"}, .n = 1};
    const cli_learn *o = l->o;
    add(&a, "--stage", retrain ? "retrain" : "mil");
    add(&a, "--preset", o->preset);
    add(&a, "--features", in(l, "features"));
    add(&a, "--labels", retrain ? NULL : o->labels);
    add(&a, "--images", retrain ? NULL : o->folder);
    add(&a, "--pgt", retrain ? in(l, "pgt.json") : NULL);
    add(&a, "--state", in(l, retrain ? "retrain" : "mil"));
    add(&a, "--epochs", o->epochs);
    add(&a, "--seed", o->seed);
    add(&a, "--roi-drop", retrain ? o->roi_drop : NULL);
    return step(l, &cmd_train, retrain ? "head.wsam" : "mil.wsam", &a, in(l, "../proposals.jsonl"),
                NULL);
}

/* ---- the cache ---- */

/* Of what the stages left of every picture. *missing: they left nothing, or it went when an earlier
 * cache was made of it. */
static wsam_status gather(const learning *l, int *missing, wsam_error *error)
{
    const wsam_feature_source sources[2] = {{"clues", CLI_CLUE_COMPONENTS, l->o->clue_size},
                                            {"sam", CLI_SAM_COMPONENTS, 0}};
    wsam_features_writer *w = NULL;
    cli_box_list list;
    wsam_status status = cli_boxes_read(in(l, "../proposals.jsonl"), &list, error);
    if (!status)
        status = wsam_features_create(in(l, "features"), sources, is_fast(l) ? 1 : 2, &w, error);
    *missing = 0;
    for (size_t i = 0, p = 0; i < list.n && !status && !*missing; i++) {
        char name[48];
        /* proposals are in the order of the labels, without the pictures that failed */
        while (p < l->o->pictures->n && strcmp(l->o->pictures->images[p], list.items[i].image) != 0)
            p++;
        snprintf(name, sizeof name, "maps/%zu.maps", p++);
        *missing = access(in(l, name), F_OK) != 0;
        if (!*missing)
            status = wsam_features_add_saved(w, list.items[i].image, in(l, name), error);
    }
    if (w)
        status = wsam_features_finish(w, *missing ? WSAM_ERR_CANCELLED : status,
                                      l->o->seed ? strtoull(l->o->seed, NULL, 10) : 1,
                                      l->o->common->runtime.threads, error);
    cli_boxes_free(&list);
    return *missing ? WSAM_OK : status;
}

/* By looking at the pictures once more. */
static int encode(const learning *l)
{
    char size[16];
    arguments a = {.list = {"train"}, .n = 1};
    snprintf(size, sizeof size, "%d", l->o->clue_size);
    add(&a, "--stage", "features");
    add(&a, "--clue-model", l->o->clue_model);
    add(&a, "--clue-max-side", size);
    add(&a, "-m", is_fast(l) ? NULL : l->o->common->model);
    add(&a, "--images", l->o->folder);
    add(&a, "--seed", l->o->seed);
    return step(l, &cmd_train, "features", &a, in(l, "../proposals.jsonl"), NULL);
}

/* The cache; with it the maps have served, which take several times its room. */
static int make_cache(const learning *l)
{
    int missing = 0;
    wsam_error error = {0};
    if (access(in(l, "features"), F_OK)) {
        if (gather(l, &missing, &error))
            return cli_failed("run", &error);
        const int status = missing ? encode(l) : CLI_OK;
        if (status)
            return status;
    }
    remove_files(in(l, "maps"));
    rmdir(in(l, "maps"));
    return CLI_OK;
}

/* ---- the steps ---- */

static int score(const learning *l, const char *head, const char *result)
{
    arguments a = {.list = {"score"}, .n = 1};
    add(&a, "--head", in(l, head));
    add(&a, "--features", in(l, "features"));
    add(&a, "--labels", l->o->labels);
    add(&a, "--images", l->o->folder);
    return step(l, &cmd_score, result, &a, in(l, "../proposals.jsonl"), NULL);
}

static int choose_boxes(const learning *l, const char *scores, const char *result)
{
    arguments a = {.list = {"pgt"}, .n = 1};
    add(&a, "--method", l->o->method);
    add(&a, "--keep", l->o->keep);
    add(&a, "--contained", l->o->contained);
    add(&a, "--reviewed", *l->reviewed ? l->reviewed : NULL);
    if (l->o->surer)
        a.list[a.n++] = "--contained-by-higher-score";
    return step(l, &cmd_pgt, result, &a, in(l, scores), NULL);
}

static int segment(const learning *l)
{
    arguments a = {.list = {"masks"}, .n = 1};
    add(&a, "-m", l->o->common->model);
    return step(l, &cmd_masks, "masks.json", &a, in(l, "boxes.json"), l->o->folder);
}

/* The labels that the head was trained on, those first that it could not believe. */
static int review(const learning *l)
{
    arguments a = {.list = {"report"}, .n = 1};
    add(&a, "--suspects", in(l, "retrain/pgt_suspects.json"));
    return step(l, &cmd_report, "review.html", &a, in(l, "pgt.json"), l->o->folder);
}

static int do_steps(const learning *l)
{
    int status = make_cache(l);
    if (!status)
        status = train(l, 0);
    if (!status)
        status = score(l, "mil.wsam", "scores.json");
    if (!status)
        status = choose_boxes(l, "scores.json", "pgt.json");
    if (!status)
        status = train(l, 1);
    if (!status)
        status = score(l, "head.wsam", "detections.json");
    if (!status)
        status = choose_boxes(l, "detections.json", "boxes.json");
    if (!status)
        status = segment(l);
    return status ? status : review(l);
}

int cli_learn_run(const cli_learn *o)
{
    learning l = {.o = o};
    wsam_error error = {0};
    wsam_status status = WSAM_OK;
    snprintf(l.folder, sizeof l.folder, "%.4000s/learn", o->common->output);
    snprintf(l.reviewed, sizeof l.reviewed, "%.4000s/reviewed.json", o->common->output);
    if (access(l.reviewed, F_OK))
        *l.reviewed = 0;
    if (o->common->runtime.threads)
        snprintf(l.threads, sizeof l.threads, "%d", o->common->runtime.threads);
    const int lock = open(in(&l, ".lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock < 0)
        status = cli_error(&error, WSAM_ERR_IO, "%.300s: %s", l.folder, strerror(errno));
    if (!status && flock(lock, LOCK_EX | LOCK_NB)) {
        fprintf(stderr, "weaksam run: another process learns from this run\n");
        close(lock);
        return CLI_STOPPED;
    }
    if (!status)
        status = settle(&l, &error);
    const int result = status ? cli_failed("run", &error) : do_steps(&l);
    if (lock >= 0)
        close(lock);
    return result;
}
