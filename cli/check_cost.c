/* cli/check_cost.c - see check_cost.h. */
#include "cli/check_cost.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/own_clues.h"
#include "cli/stages.h"
#include "weaksam/regions.h"

enum { MEASURED = 3 };

typedef struct cost {
    const cli_common *common;
    const char *folder, *labels;
    char scratch[32];
    char regions[48], clues[48], results[48]; /* in scratch */
    wsam_stage_options stages;
    wsam_labels *all, few; /* few: those that are measured */
    char *images[MEASURED];
    size_t first[MEASURED + 1];
    int32_t *classes;
    double describe, run; /* seconds */
} cost;

static uint64_t disk_bytes; /* nftw has no user's pointer */

static int add_size(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)path, (void)ftw;
    disk_bytes += kind == FTW_F ? (uint64_t)st->st_size : 0;
    return 0;
}

/* First, middle and last image, with the labels that they have. */
static wsam_status choose_images(cost *c, wsam_error *error)
{
    const wsam_labels *l = c->all;
    size_t n = 0;
    c->few = (wsam_labels){
        .images = c->images, .first = c->first, .n_classes = l->n_classes, .names = l->names};
    c->classes = malloc((l->first[l->n] + 1) * sizeof *c->classes);
    if (!c->classes)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the labels");
    for (size_t k = 0; k < MEASURED && k < l->n; k++) {
        const size_t i = l->n <= MEASURED ? k : k * (l->n - 1) / (MEASURED - 1);
        c->images[c->few.n] = l->images[i];
        c->first[c->few.n++] = n;
        for (size_t j = l->first[i]; j < l->first[i + 1]; j++)
            c->classes[n++] = l->classes[j];
    }
    c->first[c->few.n] = n;
    c->few.classes = c->classes;
    return WSAM_OK;
}

static wsam_status load_labels(cost *c, const wsam_stage_workers *w, wsam_error *error)
{
    wsam_labels_options names = {.allow_missing = 1};
    if (w)
        names.n_names = wsam_stage_workers_classes(w, &names.names);
    wsam_labels_free(c->all);
    c->all = NULL;
    free(c->classes);
    c->classes = NULL;
    const wsam_status status = wsam_labels_load(c->labels, c->folder, &names, &c->all, error);
    return status ? status : choose_images(c, error);
}

static wsam_status run_few(const cost *c, wsam_run_fn fn, void *user, const char *output,
                           double *seconds, wsam_error *error)
{
    wsam_run_options o;
    wsam_run_options_default(&o);
    o.folder = c->folder;
    o.output = output;
    o.fn = fn;
    o.user = user;
    const double start = ws_clock();
    const wsam_status status = wsam_run(&c->few, &o, error);
    *seconds = ws_clock() - start;
    return status;
}

/* Clues of what three images show: of no use, but made and used like those of all. */
static wsam_status learn_clues(cost *c, const wsam_options *one, wsam_error *error)
{
    wsam_region_options o;
    wsam_region_workers *w = NULL;
    wsam_regions_learn_options l;
    wsam_region_options_default(&o);
    wsam_regions_learn_default(&l);
    o.model = c->stages.model;
    o.propose = c->stages.propose;
    o.folder = l.folder = c->regions;
    l.segmenter = wsam_model_string(o.model, "model.id");
    o.network = c->stages.network;
    o.network_size = c->stages.clues.size;
    l.network = o.network ? wsam_model_string(o.network, "model.id") : NULL;
    l.isa = c->common->runtime.isa;
    l.threads = 1;
    wsam_status status = wsam_region_workers_create(&o, &w, error);
    if (!status)
        status = run_few(c, wsam_region_workers_run, w, c->regions, &c->describe, error);
    wsam_region_workers_free(w);
    if (!status)
        status = wsam_regions_learn(&c->few, &l, c->clues, NULL, error);
    c->stages.regions = c->regions;
    return status ? status : wsam_model_open(c->clues, one, &c->stages.clue_model, error);
}

/* One that does not know the classes is a source to learn them from, as in a run. */
static wsam_status open_clues(cost *c, const char *path, const wsam_options *one, wsam_error *error)
{
    const char *missing = NULL;
    wsam_model *model = NULL;
    wsam_status status = wsam_model_open(path, one, &model, error);
    if (!status)
        status = cli_own_clues_cover(model, c->all, &missing, error);
    if (!status && !missing)
        c->stages.clue_model = model;
    else if (!status && !wsam_is_region_clues(model))
        c->stages.network = model;
    else
        wsam_model_close(model);
    return status;
}

static wsam_status run_stages(cost *c, wsam_error *error)
{
    wsam_stage_workers *w = NULL;
    wsam_status status = wsam_stage_workers_create(&c->stages, &w, error);
    if (!status) /* in the classes of the clues, which have to know them */
        status = load_labels(c, w, error);
    if (!status)
        status = run_few(c, wsam_stage_workers_run, w, c->results, &c->run, error);
    if (!status)
        status = wsam_run_merge(c->results, NULL, error);
    wsam_stage_workers_free(w);
    return status;
}

/* Learning is not measured: from three images it takes ten times as long for each as from a thousand, where it took
 * 0.12 s, a third of the rest with a grid of 12 x 12 points and less with a denser one (demo/OWN_CLASSES.md). */
static void print_cost(const cost *c)
{
    const int workers =
        c->common->runtime.threads ? c->common->runtime.threads : wsam_default_threads();
    const double n = (double)c->all->n, share = n / (double)c->few.n;
    const double seconds = c->describe + c->run, all = seconds * share / workers;
    disk_bytes = 0;
    nftw(c->results, add_size, 16, FTW_PHYS);
    nftw(c->regions, add_size, 16, FTW_PHYS);
    printf("a run here: %.1f s an image on one worker, ", seconds / (double)c->few.n);
    if (all < 5400)
        printf("about %.0f min for %zu images with %d workers", all / 60 + 0.5, c->all->n, workers);
    else
        printf("about %.1f h for %zu images with %d workers", all / 3600, c->all->n, workers);
    printf("%s; about %.0f MB of results\n",
           c->stages.regions ? ", and up to a third more to learn the classes" : "",
           (double)disk_bytes * share / 1e6 + 0.5);
}

static wsam_status measure(cost *c, const char *clue_model, wsam_error *error)
{
    wsam_options one = c->common->runtime;
    one.threads = 1; /* as a worker of a run has */
    wsam_status status = wsam_model_open(c->common->model, &one, &c->stages.model, error);
    if (!status)
        status = load_labels(c, NULL, error);
    if (!status && clue_model)
        status = open_clues(c, clue_model, &one, error);
    if (!status && !c->stages.clue_model)
        status = learn_clues(c, &one, error);
    if (!status)
        status = run_stages(c, error);
    if (!status)
        print_cost(c);
    wsam_labels_free(c->all);
    free(c->classes);
    wsam_model_close(c->stages.clue_model);
    wsam_model_close(c->stages.network);
    wsam_model_close(c->stages.model);
    return status;
}

wsam_status check_cost_measure(const cli_common *common, const char *clue_model, const char *folder,
                               const char *labels, wsam_error *error)
{
    cost c = {.common = common,
              .folder = folder,
              .labels = labels,
              .scratch = "/tmp/weaksam-check-XXXXXX"};
    wsam_stage_options_default(&c.stages);
    if (!mkdtemp(c.scratch))
        return cli_error(error, WSAM_ERR_IO, "%s: %s", c.scratch, strerror(errno));
    snprintf(c.regions, sizeof c.regions, "%s/regions", c.scratch);
    snprintf(c.results, sizeof c.results, "%s/results", c.scratch);
    snprintf(c.clues, sizeof c.clues, "%s/clues.wsam", c.scratch);
    const wsam_status status = measure(&c, clue_model, error);
    cli_folder_remove(c.scratch);
    return status;
}
