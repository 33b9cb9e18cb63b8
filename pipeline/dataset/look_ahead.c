/* pipeline/dataset/look_ahead.c - what a run would do, and why. Writes nothing. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/dataset/journal.h"

typedef struct planning {
    const wsam_labels *labels;
    const wsam_run_options *o;
    ws_keys *keys;
    ws_manifest old; /* empty where there is none */
    ws_journals journals;
    wsam_run_plan *plan;
} planning;

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the plan of a run");
}

/* The old manifest names its images in byte order, as labels do. */
static const ws_keys *find_old(const planning *p, const char *image)
{
    size_t low = 0;
    for (size_t high = p->old.n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(p->old.images[middle], image) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->old.n && strcmp(p->old.images[low], image) == 0 ? &p->old.keys[low] : NULL;
}

static void count_reason(planning *p, const ws_keys *now, const ws_keys *old)
{
    if (!old)
        p->plan->new_images++;
    else if (old->content != now->content)
        p->plan->new_contents++;
    else if (old->labels != now->labels)
        p->plan->new_labels++;
    else if (old->first != now->first)
        p->plan->new_options++;
    else
        p->plan->unfinished++;
}

static void count_image(planning *p, size_t i)
{
    int failed;
    ws_progress at = ws_journals_progress(&p->journals, &p->keys[i], &failed);
    p->plan->failed += failed && at == WS_DONE;
    if (failed && p->o->retry_failed)
        at = WS_NOTHING;
    p->plan->done += at == WS_DONE;
    p->plan->late += at == WS_FIRST;
    p->plan->first += at == WS_NOTHING;
    if (at == WS_NOTHING)
        count_reason(p, &p->keys[i], find_old(p, p->labels->images[i]));
}

static int is_listed(const wsam_labels *l, const char *image)
{
    size_t low = 0;
    for (size_t high = l->n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(l->images[middle], image) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->n && strcmp(l->images[low], image) == 0;
}

static void find_differences(planning *p)
{
    char *first = ws_run_manifest_difference(p->old.config, p->o->config);
    char *late = ws_run_manifest_difference(p->old.late, p->o->late);
    if (p->old.config && (first || late))
        snprintf(p->plan->options, sizeof p->plan->options, "%s", first ? first : late);
    free(first);
    free(late);
}

/* Where nothing is known yet the pictures need not be read: they are all new. */
static wsam_status make_keys(planning *p, wsam_error *error)
{
    uint64_t *contents = NULL;
    const ws_contents_options how = {
        .folder = p->o->folder, .output = p->o->output, .prepared = p->o->prepared};
    const wsam_status status = ws_contents(p->labels, &how, &contents, error);
    p->keys = status ? NULL : ws_manifest_keys(p->labels, p->o->config, p->o->late, contents);
    free(contents);
    return status || p->keys ? status : no_memory(error);
}

static wsam_status look_at_state(planning *p, int *there, wsam_error *error)
{
    char *path = ws_manifest_state_path(p->o->output, "manifest.jsonl");
    if (!path)
        return no_memory(error);
    wsam_status status = ws_file_there(path, there, error);
    *there = *there && !p->o->overwrite;
    free(path);
    if (status || !*there)
        return status;
    status = ws_manifest_load(p->o->output, &p->old, error);
    return status ? status : ws_journals_open(&p->journals, p->o->output, error);
}

wsam_status wsam_run_look_ahead(const wsam_labels *labels, const wsam_run_options *o,
                                wsam_run_plan *plan, wsam_error *error)
{
    planning p = {.labels = labels, .o = o, .plan = plan};
    *plan = (wsam_run_plan){.images = labels->n};
    int there = 0;
    wsam_status status = look_at_state(&p, &there, error);
    if (!status && there)
        status = make_keys(&p, error);
    for (size_t i = 0; i < labels->n && !status && there; i++)
        count_image(&p, i);
    if (!status && !there)
        plan->first = plan->new_images = labels->n;
    for (size_t i = 0; i < p.old.n && !status; i++)
        plan->removed += !is_listed(labels, p.old.images[i]);
    if (!status)
        find_differences(&p);
    ws_journals_close(&p.journals);
    ws_manifest_free(&p.old);
    free(p.keys);
    return status;
}
