/* cli/own_clues.c - see own_clues.h. */
#include "cli/own_clues.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/outputs.h"
#include "base/text.h"
#include "cli/clues_learnt.h"
#include "cli/deadline.h"

enum { PATH = 4096, QUIET_SECONDS = 120, KEY = 64 };

typedef struct making {
    const cli_own_clues *o;
    char folder[PATH - 128];
    char *config;     /* what regions follow from, the text of an object */
    char *options;    /* what clues follow from beside images and labels: one line */
    char inputs[KEY]; /* a number for options, labels and names of images */
    char key[KEY];    /* and for what is in the images: of all that clues are learnt from */
    double drawn;     /* when the bar was, ms */
} making;

static void in(const making *m, const char *name, char path[PATH])
{
    snprintf(path, PATH, "%s/%s", m->folder, name);
}

/* ---- does the clue network know the classes ---- */

wsam_status cli_own_clues_cover(wsam_model *model, const wsam_labels *labels, const char **missing,
                                wsam_error *error)
{
    wsam_clues *clues = NULL;
    const char *learnt = wsam_model_string(model, "regions.classes");
    *missing = NULL;
    const wsam_status status = learnt ? WSAM_OK : wsam_clues_create(model, &clues, error);
    for (size_t c = 0; c < labels->n_classes && !status && !*missing; c++)
        if (learnt ? !cli_learnt_in_lines(learnt, labels->names[c])
                   : wsam_clues_class_find(clues, labels->names[c]) < 0)
            *missing = labels->names[c];
    wsam_clues_free(clues);
    return status;
}

/* ---- what the clues belong to ---- */

static wsam_status make_config(making *m, wsam_error *error)
{
    const wsam_stage_options *s = m->o->stages;
    char model[17] = "", network[17] = "";
    ws_text t = {0};
    wsam_status status = s->model ? wsam_file_checksum(m->o->common->model, model, error) : WSAM_OK;
    if (!status && m->o->backbone)
        status = wsam_file_checksum(m->o->backbone, network, error);
    if (status)
        return status;
    if (m->o->cells)
        ws_text_printf(&t, "{\"cells_of\":\"%s\",\"side\":%d,\"level\":\"%s\",\"max_pixels\":%llu}",
                       network[0] ? network : model, m->o->side,
                       wsam_model_isa(s->network ? s->network : s->model),
                       (unsigned long long)s->limits.max_pixels);
    else
        ws_text_printf(
            &t,
            "{\"model\":\"%s\",\"network\":\"%s\",\"level\":\"%s\",\"points_per_side\":%d,"
            "\"pred_iou_thresh\":%.9g,\"stability_score_thresh\":%.9g,\"box_nms_thresh\":%.9g,"
            "\"crop_n_layers\":%d,\"clue_size\":%d,\"max_pixels\":%llu}",
            model, network, wsam_model_isa(s->model), s->propose.everything.points_per_side,
            s->propose.everything.pred_iou_thresh, s->propose.everything.stability_score_thresh,
            s->propose.everything.box_nms_thresh, s->propose.everything.crop_n_layers,
            s->clues.size, (unsigned long long)s->limits.max_pixels);
    return ws_text_take(&t, &m->config)
               ? cli_error(error, WSAM_ERR_MEMORY, "no memory for the options")
               : WSAM_OK;
}

static int read_text(const char *path, char *text, size_t room)
{
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(text, 1, room - 1, f) : 0;
    if (f)
        fclose(f);
    text[n] = 0;
    return f != NULL;
}

/* Empty where there is none. A key that cannot be read now is not another one. */
static wsam_status read_key(const char *path, char key[KEY], wsam_error *error)
{
    int there;
    *key = 0;
    const wsam_status status = ws_file_there(path, &there, error);
    if (status || !there)
        return status;
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(key, 1, KEY - 1, f) : 0;
    const int failed = !f || ferror(f);
    if (failed)
        cli_error(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
    if (f)
        fclose(f);
    key[n] = 0;
    return failed ? WSAM_ERR_IO : WSAM_OK;
}

/* Others may read at any moment. */
static wsam_status write_text(const char *path, const char *text, wsam_error *error)
{
    return ws_outputs_write(path, text, strlen(text), 1, error);
}

static wsam_status make_options(making *m, wsam_error *error)
{
    const cli_own_clues *o = m->o;
    ws_text t = {0};
    ws_text_printf(&t, "%s %s %d %d %llu", m->config, o->sources ? o->sources : "-", o->epochs,
                   o->keep_holdout, (unsigned long long)o->seed);
    m->options = ws_text_finish(&t);
    if (!m->options)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the options");
    snprintf(m->inputs, sizeof m->inputs, "%016llx",
             (unsigned long long)cli_learnt_digest(m->options, o->labels));
    return WSAM_OK;
}

static void say_how(const making *m, cli_learnt how, const char *name)
{
    static const char *const texts[] = {
        "images or labels have changed; clues stay as they were learnt (--relearn learns them "
        "again)",
        "clues/learnt, which says how clues were learnt, is missing or damaged: they are learnt "
        "again",
        "other options or models: clues are learnt again",
        "' is a new class: clues are learnt again"};
    if (m->o->common->quiet)
        return;
    fprintf(stderr, "weaksam %s: ", m->o->name);
    if (name) {
        fputc('\'', stderr);
        cli_print_safe(stderr, name);
    }
    fprintf(stderr, "%s\n", texts[how]);
}

/* Whether clues that are there stay although they would be learnt from something else today. */
static wsam_status may_stay(const making *m, int *stay, wsam_error *error)
{
    char path[PATH];
    cli_learnt how;
    const char *name;
    int there;
    *stay = 0;
    wsam_status status = ws_file_there(m->o->out, &there, error);
    if (status || !there || !m->o->stay || m->o->overwrite)
        return status;
    in(m, "learnt", path);
    status = cli_learnt_compare(path, m->options, m->o->labels, &how, &name, error);
    if (status)
        return status;
    *stay = how == CLI_LEARNT_SAME;
    say_how(m, how, name);
    return WSAM_OK;
}

static wsam_status write_learnt(const making *m, wsam_error *error)
{
    char path[PATH];
    in(m, "learnt", path);
    return cli_learnt_write(path, m->options, m->o->labels, error);
}

/* Clues of other images, labels or options go, unless they may stay. `learnt` and `key` are about
 * the clues that are there, or those that are learnt next: they are written when there are none. */
static wsam_status settle(making *m, wsam_error *error)
{
    char manifest[PATH], path[PATH], old[KEY], sum[17];
    int stay = 0;
    in(m, "state/manifest.jsonl", manifest);
    in(m, "key", path);
    wsam_status status = wsam_file_checksum(manifest, sum, error);
    snprintf(m->key, KEY, "%.16s %s", m->inputs, sum);
    if (!status)
        status = read_key(path, old, error);
    if (status || strcmp(old, m->key) == 0)
        return status;
    status = may_stay(m, &stay, error);
    if (status || stay)
        return status;
    status = ws_file_remove(m->o->out, error);
    if (!status)
        status = write_learnt(m, error);
    return status ? status : write_text(path, m->key, error);
}

/* ---- other shards ---- */

/* Of all shards: 1 when they have described their pictures. `seen` changes while they work. */
static int all_described(const making *m, uint64_t *seen)
{
    int all = 1;
    for (int i = 0; i < m->o->shards; i++) {
        char name[80], path[PATH], text[512];
        snprintf(name, sizeof name, "described-%d-of-%d", i, m->o->shards);
        in(m, name, path);
        const int done = read_text(path, text, sizeof text) && strcmp(text, m->key) == 0;
        snprintf(name, sizeof name, ".status/%d-of-%d.json", i, m->o->shards);
        in(m, name, path);
        read_text(path, text, sizeof text);
        *seen = XXH64(text, strlen(text), *seen + (uint64_t)done);
        all &= done;
    }
    return all;
}

/* For the others: this shard has described its pictures. */
static wsam_status say_described(const making *m, wsam_error *error)
{
    char name[80], path[PATH];
    snprintf(name, sizeof name, "described-%d-of-%d", m->o->shard, m->o->shards);
    in(m, name, path);
    return write_text(path, m->key, error);
}

/* Waits as long as other shards get on; a scheduler may start them only when this one ends. */
static wsam_status wait_for_shards(const making *m, wsam_error *error)
{
    uint64_t last = 0, seen = 0;
    double since = ws_clock_ms();
    while (!all_described(m, &seen)) {
        if (seen != last)
            since = ws_clock_ms();
        last = seen;
        seen = 0;
        m->o->tick(m->o->user);
        if (cli_deadline_asked() || ws_clock_ms() - since > 1e3 * QUIET_SECONDS)
            return cli_error(error, WSAM_ERR_CANCELLED,
                             "clues are learnt when all %d shards have described their images; "
                             "start this one again then",
                             m->o->shards);
        nanosleep(&(struct timespec){1, 0}, NULL);
    }
    return WSAM_OK;
}

/* ---- learning ---- */

static int on_learning(void *user, const wsam_regions_progress *p)
{
    making *m = user;
    const double t = ws_clock_ms();
    if (m->o->bar && t - m->drawn > 200.0) {
        m->drawn = t;
        if (p->training < 0)
            fprintf(stderr, "\rwaiting for the process that learns   ");
        else
            fprintf(stderr, "\rlearning the classes: %2.0f %%, %d:%02d left   ",
                    100.0 * p->fraction, (int)(p->seconds_left / 60), (int)p->seconds_left % 60);
    }
    m->o->tick(m->o->user);
    return cli_deadline_asked();
}

static wsam_status learn(making *m, wsam_error *error)
{
    char lease[PATH];
    const wsam_stage_options *s = m->o->stages;
    wsam_regions_learn_options o;
    wsam_regions_learn_default(&o);
    in(m, "lease", lease);
    o.folder = m->folder;
    o.segmenter = s->model ? wsam_model_string(s->model, "model.id") : NULL;
    o.network = s->network ? wsam_model_string(s->network, "model.id") : NULL;
    o.sources = m->o->sources;
    o.epochs = m->o->epochs;
    o.cells_of = !m->o->cells ? NULL : m->o->backbone ? m->o->backbone : m->o->common->model;
    o.cells_side = m->o->side;
    o.keep_holdout = m->o->keep_holdout;
    o.seed = m->o->seed;
    o.threads = m->o->common->runtime.threads;
    o.isa = m->o->common->runtime.isa;
    o.lease = lease;
    o.lease_seconds = m->o->lease_seconds;
    o.progress = on_learning;
    o.progress_user = m;
    if (!m->o->common->quiet)
        fprintf(stderr, "weaksam %s: learning %zu classes from %zu images\n", m->o->name,
                m->o->labels->n_classes, m->o->labels->n);
    const wsam_status status = wsam_regions_learn(m->o->labels, &o, m->o->out, NULL, error);
    if (m->o->bar)
        fprintf(stderr, "\r%60s\r", "");
    return status;
}

/* ---- regions ---- */

/* The images alone: regions are the same whatever the labels are. */
static wsam_status run_pictures(const making *m, wsam_region_workers *workers, wsam_error *error)
{
    char any[] = "any", *names[] = {any};
    wsam_labels bare = *m->o->labels;
    bare.first = calloc(bare.n + 1, sizeof *bare.first);
    bare.names = names;
    bare.n_classes = 1;
    if (!bare.first)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the list of images");
    const wsam_status status =
        m->o->run(m->o->user, &bare, m->folder, m->config, wsam_region_workers_run, workers, error);
    free(bare.first);
    return status;
}

static wsam_status describe(const making *m, wsam_error *error)
{
    wsam_region_workers *workers = NULL;
    const wsam_stage_options *s = m->o->stages;
    wsam_region_options o;
    wsam_region_options_default(&o);
    o.model = s->model;
    o.network = s->network;
    o.workers = m->o->workers;
    o.network_size = m->o->cells ? m->o->side : s->clues.size;
    o.cells = m->o->cells;
    o.limits = s->limits;
    o.propose = s->propose;
    o.folder = m->folder;
    o.give_up = s->give_up;
    o.give_up_user = s->give_up_user;
    wsam_status status = wsam_region_workers_create(&o, &workers, error);
    if (!status)
        status = run_pictures(m, workers, error);
    wsam_region_workers_free(workers);
    return status;
}

static void print_judgement(const making *m)
{
    char path[PATH], text[1 << 16];
    size_t stem = strlen(m->o->out);
    if (stem > 5 && strcmp(m->o->out + stem - 5, ".wsam") == 0)
        stem -= 5;
    snprintf(path, PATH, "%.*s.judgement.txt", (int)stem, m->o->out);
    if (!m->o->common->quiet && read_text(path, text, sizeof text))
        fputs(text, stderr);
}

static wsam_status begin(making *m, const cli_own_clues *o, wsam_error *error)
{
    *m = (making){.o = o};
    if ((size_t)snprintf(m->folder, sizeof m->folder, "%s", o->folder) >= sizeof m->folder)
        return cli_error(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    const wsam_status status = make_config(m, error);
    return status ? status : make_options(m, error);
}

static void end(making *m)
{
    free(m->config);
    free(m->options);
}

/* `out` is not there yet. */
static wsam_status learn_with_shards(making *m, wsam_error *error)
{
    int there = 0;
    wsam_status status = m->o->shards > 1 ? say_described(m, error) : WSAM_OK;
    if (status || m->o->describe_only)
        return status;
    if (m->o->shards > 1)
        status = wait_for_shards(m, error);
    if (!status)
        status = ws_file_there(m->o->out, &there, error);
    return status || there ? status : learn(m, error);
}

wsam_status cli_own_clues_make(const cli_own_clues *o, wsam_error *error)
{
    making m;
    int there = 0;
    wsam_status status = begin(&m, o, error);
    if (!status)
        status = ws_file_folder_make(m.folder, error);
    if (!status)
        status = describe(&m, error);
    if (!status)
        status = settle(&m, error);
    if (!status)
        status = ws_file_there(o->out, &there, error);
    if (!status && !there)
        status = learn_with_shards(&m, error);
    end(&m);
    if (!status && (there || !o->describe_only))
        print_judgement(&m);
    return status;
}

wsam_status cli_own_clues_describe(const cli_own_clues *o, wsam_error *error)
{
    making m;
    wsam_status status = begin(&m, o, error);
    if (!status)
        status = ws_file_folder_make(m.folder, error);
    if (!status)
        status = describe(&m, error);
    end(&m);
    return status;
}

wsam_status cli_own_clues_plan(const cli_own_clues *o, const size_t *outdated, int *learns,
                               wsam_error *error)
{
    making m;
    char path[PATH], old[KEY] = "";
    int there = 0, stay = 0;
    wsam_status status = begin(&m, o, error);
    if (!status)
        status = describe(&m, error);
    if (!status)
        status = ws_file_there(o->out, &there, error);
    if (!status && there) {
        in(&m, "key", path);
        status = read_key(path, old, error);
        stay = !*outdated && strncmp(old, m.inputs, strlen(m.inputs)) == 0;
        if (!status && !stay)
            status = may_stay(&m, &stay, error);
    }
    *learns = !stay;
    end(&m);
    return status;
}
