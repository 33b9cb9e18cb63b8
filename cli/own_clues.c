/* cli/own_clues.c - see own_clues.h. */
#include "cli/own_clues.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/deadline.h"

enum { PATH = 4096, QUIET_SECONDS = 120, KEY = 256 };

typedef struct making {
    const cli_own_clues *o;
    char folder[PATH - 128];
    double drawn; /* when the bar was, ms */
} making;

static void in(const making *m, const char *name, char path[PATH])
{
    snprintf(path, PATH, "%s/%s", m->folder, name);
}

static wsam_status make_folder(const char *path, wsam_error *error)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return cli_error(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
    return WSAM_OK;
}

/* ---- does the clue network know the classes ---- */

/* Clues that were learnt have their classes in lines. */
static int in_lines(const char *lines, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = lines; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, name, n) == 0 && (at[n] == '\n' || !at[n]))
            return 1;
    }
    return 0;
}

wsam_status cli_clues_cover(wsam_model *model, const wsam_labels *labels, const char **missing,
                            wsam_error *error)
{
    wsam_clues *clues = NULL;
    const char *learnt = wsam_model_string(model, "regions.classes");
    *missing = NULL;
    const wsam_status status = learnt ? WSAM_OK : wsam_clues_create(model, &clues, error);
    for (size_t c = 0; c < labels->n_classes && !status && !*missing; c++)
        if (learnt ? !in_lines(learnt, labels->names[c])
                   : wsam_clues_class_find(clues, labels->names[c]) < 0)
            *missing = labels->names[c];
    wsam_clues_free(clues);
    return status;
}

/* ---- what the clues belong to ---- */

static wsam_status make_config(const making *m, char **config, wsam_error *error)
{
    const wsam_stage_options *s = m->o->stages;
    char model[17] = "", network[17] = "";
    size_t size;
    wsam_status status = s->model ? wsam_file_checksum(m->o->common->model, model, error) : WSAM_OK;
    if (!status && m->o->backbone)
        status = wsam_file_checksum(m->o->backbone, network, error);
    FILE *f = status ? NULL : open_memstream(config, &size);
    if (!f)
        return status ? status : cli_error(error, WSAM_ERR_MEMORY, "no memory for the options");
    if (m->o->cells)
        fprintf(f, "{\"cells_of\":\"%s\",\"side\":%d,\"level\":\"%s\",\"max_pixels\":%llu}",
                network[0] ? network : model, m->o->side,
                wsam_model_isa(s->network ? s->network : s->model),
                (unsigned long long)s->limits.max_pixels);
    else
        fprintf(f,
                "{\"model\":\"%s\",\"network\":\"%s\",\"level\":\"%s\",\"points_per_side\":%d,"
                "\"pred_iou_thresh\":%.9g,\"stability_score_thresh\":%.9g,\"box_nms_thresh\":%.9g,"
                "\"crop_n_layers\":%d,\"clue_size\":%d,\"max_pixels\":%llu}",
                model, network, wsam_model_isa(s->model), s->propose.everything.points_per_side,
                s->propose.everything.pred_iou_thresh, s->propose.everything.stability_score_thresh,
                s->propose.everything.box_nms_thresh, s->propose.everything.crop_n_layers,
                s->clues.size, (unsigned long long)s->limits.max_pixels);
    return fclose(f) ? cli_error(error, WSAM_ERR_MEMORY, "no memory for the options") : WSAM_OK;
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

/* Under a temporary name that is renamed: others may read at any moment. */
static wsam_status write_text(const char *path, const char *text, wsam_error *error)
{
    char temporary[PATH + 32];
    snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    FILE *f = fopen(temporary, "wb");
    const int good = f && fputs(text, f) >= 0;
    if ((f && fclose(f)) || !good || rename(temporary, path))
        return cli_error(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
    return WSAM_OK;
}

/* Clues of other pictures, labels or options go. */
static wsam_status settle(const making *m, char key[KEY], wsam_error *error)
{
    char manifest[PATH], path[PATH], old[KEY], sum[17];
    in(m, "state/manifest.jsonl", manifest);
    in(m, "key", path);
    const wsam_status status = wsam_file_checksum(manifest, sum, error);
    snprintf(key, KEY, "%s %.100s %d %d %llu", sum, m->o->sources ? m->o->sources : "-",
             m->o->epochs, m->o->keep_holdout, (unsigned long long)m->o->seed);
    if (status || (read_text(path, old, sizeof old) && strcmp(old, key) == 0))
        return status;
    unlink(m->o->out);
    return write_text(path, key, error);
}

/* ---- other shards ---- */

/* Of all shards: 1 when they have described their pictures. `seen` changes while they work. */
static int all_described(const making *m, const char *key, uint64_t *seen)
{
    int all = 1;
    for (int i = 0; i < m->o->shards; i++) {
        char name[80], path[PATH], text[512];
        snprintf(name, sizeof name, "described-%d-of-%d", i, m->o->shards);
        in(m, name, path);
        const int done = read_text(path, text, sizeof text) && strcmp(text, key) == 0;
        snprintf(name, sizeof name, ".status/%d-of-%d.json", i, m->o->shards);
        in(m, name, path);
        read_text(path, text, sizeof text);
        for (const char *c = text; *c; c++)
            *seen = (*seen ^ (unsigned char)*c) * 0x100000001B3u;
        *seen = (*seen ^ (uint64_t)done) * 0x100000001B3u;
        all &= done;
    }
    return all;
}

/* For the others: this shard has described its pictures. */
static wsam_status say_described(const making *m, const char *key, wsam_error *error)
{
    char name[80], path[PATH];
    snprintf(name, sizeof name, "described-%d-of-%d", m->o->shard, m->o->shards);
    in(m, name, path);
    return write_text(path, key, error);
}

/* Waits as long as other shards get on; a scheduler may start them only when this one ends. */
static wsam_status wait_for_shards(const making *m, const char *key, wsam_error *error)
{
    uint64_t last = 0, seen = 0;
    double since = ws_clock_ms();
    while (!all_described(m, key, &seen)) {
        if (seen != last)
            since = ws_clock_ms();
        last = seen;
        seen = 0;
        m->o->tick(m->o->user);
        if (cli_stop_asked() || ws_clock_ms() - since > 1e3 * QUIET_SECONDS)
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
    return cli_stop_asked();
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

static wsam_status describe(const making *m, const char *config, wsam_error *error)
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
        status = m->o->run(m->o->user, m->o->labels, m->folder, config, wsam_region_workers_run,
                           workers, error);
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

wsam_status cli_own_clues_make(const cli_own_clues *o, wsam_error *error)
{
    making m = {.o = o};
    char key[KEY], *config = NULL;
    if ((size_t)snprintf(m.folder, sizeof m.folder, "%s", o->folder) >= sizeof m.folder)
        return cli_error(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    wsam_status status = o->plan ? WSAM_OK : make_folder(m.folder, error);
    if (!status)
        status = make_config(&m, &config, error);
    if (!status)
        status = describe(&m, config, error);
    if (o->plan) {
        free(config);
        return status;
    }
    if (!status)
        status = settle(&m, key, error);
    int there = 0;
    if (!status)
        status = ws_file_there(o->out, &there, error);
    if (!status && !there && o->shards > 1)
        status = say_described(&m, key, error);
    if (!status && !there && o->describe_only) {
        free(config);
        return WSAM_OK;
    }
    if (!status && !there && o->shards > 1)
        status = wait_for_shards(&m, key, error);
    if (!status && !there)
        status = ws_file_there(o->out, &there, error);
    if (!status && !there)
        status = learn(&m, error);
    free(config);
    if (!status)
        print_judgement(&m);
    return status;
}
