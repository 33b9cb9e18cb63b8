/* pipeline/regions/learn.c - wsam_regions_learn: choose sources on held-out pictures, judge, learn
 * from all. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/outputs.h"
#include "kernels/float_scope.h"
#include "pipeline/dataset/lease.h"
#include "pipeline/regions/judge.h"
#include "pipeline/regions/network.h"
#include "pipeline/regions/wholes.h"
#include "pipeline/tokens/learn_cells.h"
#include "runtime/run/threads.h"
#include "weaksam/regions.h"

enum { MOST_CHOICES = 8, PATH = 4096, MEMBER_SEED = 1000003 };

void wsam_regions_learn_default(wsam_regions_learn_options *o)
{
    *o = (wsam_regions_learn_options){.seed = 1};
}

typedef struct choice {
    uint32_t groups;
    double map;
    double *probabilities; /* [judged][classes] */
} choice;

typedef struct job {
    const wsam_labels *labels;
    const wsam_regions_learn_options *o;
    const wsam_kernels *kernels;
    ws_learner_options learner;
    ws_cells_job cells;
    ws_region_set set;
    ws_split split;
    uint32_t *judged, *rest;
    size_t n_judged;
    choice choices[MOST_CHOICES];
    size_t n_choices;
    int training, trainings;
    double started;
    ws_lease lease; /* path NULL: none */
} job;

static int on_progress(void *user, double fraction)
{
    job *j = user;
    const double done = ((double)j->training + fraction) / (double)j->trainings;
    const wsam_regions_progress p = {
        .training = j->training,
        .trainings = j->trainings,
        .fraction = done,
        .seconds_left = done > 0.0 ? (ws_clock() - j->started) * (1.0 - done) / done : -1.0};
    if (j->lease.path)
        ws_lease_keep(&j->lease);
    return j->o->progress && j->o->progress(j->o->progress_user, &p);
}

/* ---- the set ---- */

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory to learn from regions");
}

/* All files of pictures in one that is mapped; it is made again at every start, and always the
 * same. */
static wsam_status open_set(job *j, wsam_error *error)
{
    char path[PATH];
    char **files = calloc(j->labels->n + 1, sizeof *files);
    wsam_status status = files ? WSAM_OK : no_memory(error);
    for (size_t i = 0; i < j->labels->n && !status; i++) {
        files[i] = ws_region_path(j->o->folder, j->labels->images[i], "regions");
        status = files[i] ? WSAM_OK : no_memory(error);
    }
    if (!status && snprintf(path, sizeof path, "%s/all", j->o->folder) >= (int)sizeof path)
        status = ws_fail(error, WSAM_ERR_ARGUMENT, "%s: the path is too long", j->o->folder);
    if (!status)
        status = ws_region_set_gather(path, (const char *const *)files, j->labels->n, error);
    if (!status)
        status = ws_region_set_open(path, &j->set, error);
    if (!status) /* the mapping keeps it */
        status = ws_file_remove(path, error);
    for (size_t i = 0; files && i < j->labels->n; i++)
        free(files[i]);
    free(files);
    return status;
}

static wsam_status check_set(const job *j, wsam_error *error)
{
    size_t regions = 0;
    for (size_t i = 0; i < j->set.n; i++)
        regions += j->set.pictures[i].n;
    if (!j->labels->first[j->labels->n])
        return ws_fail(error, WSAM_ERR_MISMATCH, "no image has a class: there is nothing to learn");
    return regions ? WSAM_OK
                   : ws_fail(error, WSAM_ERR_MISMATCH,
                             "the segmenter found no region in any image: a denser grid "
                             "(--points-per-side) or another segmenter may");
}

/* ---- choices ---- */

static uint32_t groups_named(const ws_region_layout *l, const char *names)
{
    uint32_t groups = 0;
    for (const char *at = names; at; at = strchr(at, ',')) {
        at += *at == ',';
        const size_t n = strcspn(at, ",");
        uint32_t found = 0;
        for (size_t g = 0; g < l->n_groups; g++)
            if (strlen(l->groups[g].name) == n && strncmp(l->groups[g].name, at, n) == 0)
                found = 1u << g;
        if (!found)
            return 0;
        groups |= found;
    }
    return groups;
}

/* The mask's own numbers, with and without each of the maps; and every map by itself where another
 * network is there. */
static wsam_status list_choices(job *j, wsam_error *error)
{
    const size_t maps = j->set.layout.n_groups - 2;
    const uint32_t own = 3;
    if (j->o->cells_of) {
        j->choices[0].groups = 1;
        j->n_choices = 1;
        return WSAM_OK;
    }
    if (j->o->sources) {
        j->choices[0].groups = groups_named(&j->set.layout, j->o->sources);
        j->n_choices = 1;
        return j->choices[0].groups ? WSAM_OK
                                    : ws_fail(error, WSAM_ERR_ARGUMENT,
                                              "sources '%.200s': there is no such", j->o->sources);
    }
    for (uint32_t m = 1u << maps; m-- > 0;)
        if (j->n_choices < MOST_CHOICES)
            j->choices[j->n_choices++].groups = own | m << 2;
    for (size_t m = 1; m < maps && j->n_choices < MOST_CHOICES; m++)
        j->choices[j->n_choices++].groups = 4u << m;
    return WSAM_OK;
}

/* ---- trainings ---- */

static wsam_status judge_regions(job *j, size_t n, const uint32_t *judged, size_t held,
                                 uint32_t groups, double *probabilities, wsam_error *error)
{
    ws_learner learner;
    wsam_status status = ws_learner_train(&learner, &j->set, j->labels, j->rest, n, groups,
                                          &j->learner, j->kernels, error);
    if (status)
        return status;
    status = ws_learner_apply(&learner, &j->set, judged, held, j->learner.threads, j->kernels,
                              probabilities, NULL, NULL, error);
    ws_learner_free(&learner);
    return status;
}

/* Trains without one part and judges that part; its pictures come behind those of other parts. */
static wsam_status judge_part(job *j, int part, choice *c, size_t *at, wsam_error *error)
{
    size_t n = 0, held = 0;
    for (uint32_t i = 0; i < j->labels->n; i++)
        if (j->split.part[i] == part)
            j->judged[*at + held++] = i;
        else
            j->rest[n++] = i;
    if (!n || !held)
        return WSAM_OK;
    double *probabilities = c->probabilities + *at * j->labels->n_classes;
    const wsam_status status =
        j->o->cells_of
            ? ws_learn_cells_judge(&j->cells, j->training, j->rest, n, j->judged + *at, held,
                                   probabilities, error)
            : judge_regions(j, n, j->judged + *at, held, c->groups, probabilities, error);
    *at += held;
    j->training++;
    return status;
}

static wsam_status try_choice(job *j, choice *c, wsam_error *error)
{
    size_t at = 0;
    wsam_status status = WSAM_OK;
    c->probabilities = calloc(j->labels->n * j->labels->n_classes + 1, sizeof *c->probabilities);
    if (!c->probabilities)
        return no_memory(error);
    for (int part = 0; part < j->split.parts && !status; part++)
        status = judge_part(j, part, c, &at, error);
    j->n_judged = at;
    c->map = ws_judge_mean_ap(j->labels, j->judged, at, c->probabilities);
    return status;
}

/* Tries all and moves the best to the front. */
static wsam_status choose(job *j, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    size_t best = 0;
    for (size_t i = 0; i < j->n_choices && !status; i++) {
        status = try_choice(j, &j->choices[i], error);
        if (j->choices[i].map > j->choices[best].map)
            best = i;
    }
    const choice held = j->choices[best];
    memmove(j->choices + 1, j->choices, best * sizeof held);
    j->choices[0] = held;
    return status;
}

static wsam_status save_members(const job *j, const ws_learner *members, size_t made, size_t n,
                                const char *out, wsam_error *error)
{
    char *parts = malloc(j->labels->n_classes + 1);
    wsam_status status = parts
                             ? ws_wholes_find_classes(members, made, &j->set, j->labels, j->rest, n,
                                                      j->learner.threads, j->kernels, parts, error)
                             : no_memory(error);
    if (!status)
        status = ws_region_network_save(
            members, made, &j->set.layout, (const char *const *)j->labels->names, parts,
            j->o->segmenter ? j->o->segmenter : "", j->o->network ? j->o->network : "", out, error);
    free(parts);
    return status;
}

/* Learners that begin with other numbers err on other images: the mean of five is far better than
 * one of them where there are few (130 photographs of six classes: box AP50 32 in place of 26). */
static wsam_status train_members(job *j, size_t n, const char *out, wsam_error *error)
{
    ws_learner members[WS_REGION_MEMBERS];
    ws_learner_options o = j->learner;
    size_t made = 0;
    wsam_status status = WSAM_OK;
    for (; made < WS_REGION_MEMBERS && !status; made += !status) {
        o.seed = j->o->seed + made * MEMBER_SEED;
        status = ws_learner_train(&members[made], &j->set, j->labels, j->rest, n,
                                  j->choices[0].groups, &o, j->kernels, error);
        j->training++;
    }
    if (!status)
        status = save_members(j, members, made, n, out, error);
    for (size_t i = 0; i < made; i++)
        ws_learner_free(&members[i]);
    return status;
}

static wsam_status train_last(job *j, const char *out, wsam_error *error)
{
    size_t n = 0;
    for (uint32_t i = 0; i < j->labels->n; i++)
        if (!j->o->keep_holdout || j->split.cross || j->split.part[i] < 0)
            j->rest[n++] = i;
    if (j->o->cells_of)
        return ws_learn_cells_train(&j->cells, j->training, j->rest, n, out, error);
    return train_members(j, n, out, error);
}

/* ---- the judgement ---- */

static char *names_of(const ws_region_layout *l, uint32_t groups)
{
    char text[256] = "";
    size_t used = 0;
    for (size_t g = 0; g < l->n_groups; g++)
        if (groups >> g & 1)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? "," : "",
                                     l->groups[g].name);
    return strdup(text);
}

static wsam_status make_judgement(const job *j, wsam_judgement **out, wsam_error *error)
{
    wsam_judgement *r = calloc(1, sizeof *r);
    if (!r)
        return no_memory(error);
    wsam_status status = ws_judge(j->labels, &j->split, j->judged, j->n_judged,
                                  j->choices[0].probabilities, j->o->seed, r, error);
    r->sources = names_of(&j->set.layout, j->choices[0].groups);
    for (size_t i = 0; i < j->n_choices && i < sizeof r->tried / sizeof *r->tried; i++) {
        r->tried[r->n_tried] = names_of(&j->set.layout, j->choices[i].groups);
        r->tried_map[r->n_tried] = j->choices[i].map;
        r->n_tried += r->tried[i] != NULL;
    }
    if (!status && (!r->sources || r->n_tried < j->n_choices))
        status = no_memory(error);
    if (!status)
        status = ws_judgement_sentences(r, error);
    *out = r;
    return status;
}

/* ---- all ---- */

static wsam_status prepare(job *j, wsam_error *error)
{
    const size_t n = j->labels->n;
    ws_learner_defaults(&j->learner);
    j->learner.epochs = j->o->epochs ? (size_t)j->o->epochs : j->learner.epochs;
    j->learner.seed = j->o->seed;
    j->learner.threads = j->o->threads > 0 ? j->o->threads : wsam_default_threads();
    j->learner.progress = on_progress;
    j->learner.progress_user = j;
    j->judged = calloc(n + 1, sizeof *j->judged);
    j->rest = calloc(n + 1, sizeof *j->rest);
    wsam_status status = wsam_kernels_for(j->o->isa, &j->kernels, error);
    if (!status && (!j->judged || !j->rest))
        status = no_memory(error);
    if (!status)
        status = open_set(j, error);
    if (!status)
        status = check_set(j, error);
    if (!status)
        status = ws_split_create(j->labels, j->o->seed, &j->split, error);
    if (!status)
        status = list_choices(j, error);
    if (!status && j->o->cells_of)
        ws_learn_cells_begin(&j->cells, &j->set, j->labels, j->o, &j->learner, j->kernels);
    j->trainings = (int)j->n_choices * j->split.parts + (j->o->cells_of ? 1 : WS_REGION_MEMBERS);
    j->started = ws_clock();
    return status;
}

static void job_free(job *j)
{
    for (size_t i = 0; i < j->n_choices; i++)
        free(j->choices[i].probabilities);
    ws_split_free(&j->split);
    ws_region_set_close(&j->set);
    free(j->judged);
    free(j->rest);
}

/* ---- files ---- */

static wsam_status put_text(const char *out, const char *ending, const char *text,
                            wsam_error *error)
{
    char path[PATH];
    ws_outputs files = {0};
    size_t stem = strlen(out);
    if (stem > 5 && strcmp(out + stem - 5, ".wsam") == 0)
        stem -= 5;
    if (snprintf(path, sizeof path, "%.*s%s", (int)stem, out, ending) >= PATH)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", out);
    FILE *f = ws_outputs_open(&files, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    if (f) {
        fputs(text, f);
        status = ws_outputs_close(&files, error);
    }
    return ws_outputs_finish(&files, status, error);
}

static wsam_status put_judgement(const job *j, const char *out, const wsam_judgement *r,
                                 wsam_error *error)
{
    char *json = NULL, *text = NULL;
    wsam_status status = wsam_judgement_json(r, j->labels, &json) || wsam_judgement_text(r, &text)
                             ? no_memory(error)
                             : put_text(out, ".judgement.json", json, error);
    if (!status)
        status = put_text(out, ".judgement.txt", text, error);
    free(json);
    free(text);
    return status;
}

static wsam_status learn(job *j, const char *out, wsam_judgement **judgement, wsam_error *error)
{
    wsam_status status = prepare(j, error);
    if (!status)
        status = choose(j, error);
    if (!status)
        status = make_judgement(j, judgement, error);
    if (!status)
        status = put_judgement(j, out, *judgement, error);
    return status ? status : train_last(j, out, error);
}

/* Until the lease is this process's (*mine), or another has written `out`. */
static wsam_status wait_for_turn(job *j, const char *out, int *mine, wsam_error *error)
{
    const wsam_regions_progress waiting = {.training = -1, .seconds_left = -1.0};
    for (;;) {
        const ws_lease_state state = ws_lease_ask(&j->lease, error);
        int there;
        const wsam_status status = ws_file_there(out, &there, error);
        *mine = state == WS_LEASE_OWNED;
        if (status || there)
            return status;
        if (state == WS_LEASE_FAILED)
            return WSAM_ERR_IO;
        if (*mine)
            return WSAM_OK;
        if (j->o->progress && j->o->progress(j->o->progress_user, &waiting))
            return ws_fail(error, WSAM_ERR_CANCELLED, "stopped while another process learns");
        nanosleep(&(struct timespec){1, 0}, NULL);
    }
}

static wsam_status learn_in_turn(job *j, const char *out, wsam_judgement **judgement,
                                 wsam_error *error)
{
    int mine = 0, there = 0;
    wsam_status status = ws_lease_create(&j->lease, j->o->lease, error);
    if (!status && j->o->lease_seconds > 0)
        j->lease.patience = j->o->lease_seconds;
    if (!status)
        status = wait_for_turn(j, out, &mine, error);
    if (!status)
        status = ws_file_there(out, &there, error);
    if (!status && mine && !there)
        status = learn(j, out, judgement, error);
    ws_lease_release(&j->lease);
    return status;
}

wsam_status wsam_regions_learn(const wsam_labels *labels, const wsam_regions_learn_options *o,
                               const char *out, wsam_judgement **judgement, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    job j = {.labels = labels, .o = o};
    wsam_judgement *own = NULL;
    if (judgement)
        *judgement = NULL;
    if (!o->folder || !out || o->epochs < 0 || o->epochs > 10000 || !labels->n_classes)
        return ws_fail(error, WSAM_ERR_ARGUMENT,
                       "learning from regions needs a folder of them, classes and 1 to 10000 "
                       "epochs");
    const wsam_status status =
        o->lease ? learn_in_turn(&j, out, &own, error) : learn(&j, out, &own, error);
    if (!status && judgement)
        *judgement = own;
    else
        wsam_judgement_free(own);
    job_free(&j);
    return status;
}
