/* cli/run_prepare.c - weaksam run before its first image: models, labels, clues, workers. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/deadline.h"
#include "cli/own_clues.h"
#include "cli/run_work.h"

#define LEARNT_KEEP 0.05 /* of a region's probability to be of a class */

/* A stream in memory may lose what does not fit and still end well: text does not. */
static wsam_status finish(ws_text *t, char **out, wsam_error *error)
{
    return ws_text_take(t, out) ? cli_error(error, WSAM_ERR_MEMORY, "no memory for the options")
                                : WSAM_OK;
}

static wsam_status make_late_config(const run_request *r, run_work *w, wsam_error *error)
{
    ws_text t = {0};
    ws_text_put(&t, "{", 1);
    cli_parameters_print_late(&t, &r->stages);
    ws_text_put(&t, "}", 1);
    return finish(&t, &w->late, error);
}

/* What heads are learnt from: the first one, and what the second wants besides. */
static wsam_status make_learning_config(const run_request *r, run_work *w, wsam_error *error)
{
    char **const texts[2] = {&w->learning, &w->labelling};
    wsam_status status = WSAM_OK;
    for (int i = 0; i < 2 && !status; i++) {
        ws_text t = {0};
        ws_text_printf(&t, i ? "{\"late\":%s" : "{\"first\":%s", i ? w->late : w->config);
        (i ? cli_learn_print_late : cli_learn_print)(&t, &r->learn);
        ws_text_put(&t, "}", 1);
        status = finish(&t, texts[i], error);
    }
    return status;
}

/* Everything that changes results: names of files do not, instruction set level and backend do in
 * the last digits. */
static wsam_status make_config(const run_request *r, run_work *w, wsam_error *error)
{
    char model[17], clues[17], network[17] = "", scorer[17] = "";
    ws_text t = {0};
    wsam_status status = wsam_file_checksum(r->common.model, model, error);
    if (!status)
        status = wsam_file_checksum(r->clue_model, clues, error);
    if (!status && w->network)
        status = wsam_file_checksum(r->backbone, network, error);
    if (!status && w->scorer)
        status = wsam_file_checksum(r->scorer, scorer, error);
    if (!status)
        status = make_late_config(r, w, error);
    if (status)
        return status;
    ws_text_printf(&t,
                   "{\"model\":\"%s\",\"clue_model\":\"%s\",\"level\":\"%s\",\"backend\":\"%s\",",
                   model, clues, wsam_model_isa(w->model),
                   r->common.runtime.backend == WSAM_BACKEND_ONEDNN ? "onednn" : "native");
    if (w->network)
        ws_text_printf(&t, "\"network\":\"%s\",", network);
    if (w->scorer)
        ws_text_printf(&t, "\"scorer\":\"%s\",", scorer);
    if (r->common.runtime.lowering == WSAM_LOWERING_PLAIN)
        ws_text_printf(&t, "\"lowering\":\"plain\",");
    cli_parameters_print(&t, &r->stages);
    ws_text_printf(&t, ",\"max_pixels\":%llu}", (unsigned long long)r->limits.picture.max_pixels);
    status = finish(&t, &w->config, error);
    return status ? status : make_learning_config(r, w, error);
}

/* One-thread workers share the models' weights and never wait for each other: more pictures per
 * second than one worker of many threads. */
static wsam_options model_options(run_request *r)
{
    wsam_options o = r->common.runtime;
    const int threads = o.threads ? o.threads : wsam_default_threads();
    r->workers = r->workers ? r->workers : threads;
    o.threads = threads / r->workers ? threads / r->workers : 1;
    return o;
}

static wsam_status open_models(run_request *r, run_work *w, wsam_error *error)
{
    const wsam_options o = model_options(r);
    wsam_status status = wsam_model_open(r->common.model, &o, &w->model, error);
    if (!status && r->clue_model)
        status = wsam_model_open(r->clue_model, &o, &w->clue_model, error);
    if (!status && r->backbone)
        status = wsam_model_open(r->backbone, &o, &w->network, error);
    if (!status && r->scorer)
        status = wsam_model_open(r->scorer, &o, &w->scorer, error);
    r->stages.model = w->model;
    r->stages.network = w->network;
    r->stages.scorer = w->scorer;
    r->stages.workers = r->workers;
    r->stages.limits = r->limits.picture;
    r->stages.give_up = cli_deadline_give_up;
    return status;
}

static wsam_status create_workers(const run_request *r, run_work *w, wsam_error *error)
{
    wsam_stage_options s = r->stages;
    s.clue_model = w->clue_model;
    s.keep_tokens = r->learn.wanted ? 1 + r->learn.fast : 0; /* fast: patches alone */
    s.maps = r->maps;
    return wsam_stage_workers_create(&s, &w->workers, error);
}

static wsam_status load_labels(const run_request *r, run_work *w, wsam_labels_options *o,
                               wsam_error *error)
{
    o->allow_missing = r->skip_missing;
    o->list = r->list;
    wsam_labels_free(w->labels);
    w->labels = NULL;
    return wsam_labels_load(r->labels, r->folder, o, &w->labels, error);
}

/* ---- clues of classes that no network knows ---- */

/* Labels as they are, and whether the clue network knows their classes. A network that does not is
 * a source to learn from, unless there is a backbone. */
static wsam_status find_classes(run_request *r, run_work *w, int *own, wsam_error *error)
{
    wsam_labels_options any = {0};
    const char *missing = NULL;
    wsam_status status = load_labels(r, w, &any, error);
    if (!status && w->clue_model)
        status = cli_own_clues_cover(w->clue_model, w->labels, &missing, error);
    *own = !w->clue_model || missing;
    if (status || !*own)
        return status;
    if (missing && !r->common.quiet) {
        fprintf(stderr, "weaksam %s: the clue network does not know '", w->name);
        cli_print_safe(stderr, missing);
        fputs("': clues are learnt from these images\n", stderr);
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

/* r->own_clues and r->regions. */
static wsam_status name_clues(run_request *r, wsam_error *error)
{
    const wsam_status status = cli_folder_join(r->common.output, "clues", "", &r->regions, error);
    return status ? status
                  : cli_folder_join(r->common.output, "clues/clues.wsam", "", &r->own_clues, error);
}

static wsam_status plan_clues(run_request *r, run_work *w, const cli_own_clues *o,
                              wsam_error *error)
{
    int learns;
    const wsam_status status = cli_own_clues_plan(o, &w->outdated, &learns, error);
    if (status || !learns)
        return status;
    fprintf(stderr,
            "weaksam %s: %zu images: clues of %zu classes would be learnt, and all images done "
            "with them\n",
            w->name, w->labels->n, w->labels->n_classes);
    r->clues_only = 1;
    return WSAM_OK;
}

static cli_own_clues clue_options(const run_request *r, run_work *w)
{
    return (cli_own_clues){.name = w->name,
                           .common = &r->common,
                           .labels = w->labels,
                           .stages = &r->stages,
                           .backbone = w->network ? r->backbone : NULL,
                           .folder = r->regions,
                           .out = r->own_clues,
                           .shard = w->shard,
                           .shards = w->shards,
                           .workers = r->workers,
                           .overwrite = r->overwrite,
                           .stay = !r->relearn,
                           .describe_only = r->clues_only && w->shards > 1,
                           .lease_seconds = r->lease,
                           .seed = r->learn.seed ? (uint64_t)r->learn.seed : 1,
                           .bar = w->bar,
                           .run = run_images,
                           .tick = run_images_look_at_clock,
                           .user = w};
}

static wsam_status make_clues(run_request *r, run_work *w, wsam_error *error)
{
    const wsam_options models = model_options(r);
    wsam_status status = name_clues(r, error);
    if (!status && !r->plan)
        status = ws_file_folder_make(r->common.output, error);
    const cli_own_clues o = clue_options(r, w);
    if (!status)
        status = r->plan ? plan_clues(r, w, &o, error) : cli_own_clues_make(&o, error);
    r->clue_model = r->own_clues;
    r->stages.regions = r->regions;
    if (status || r->clues_only)
        return status;
    return wsam_model_open(r->clue_model, &models, &w->clue_model, error);
}

/* Clues that were learnt elsewhere look at the same regions: where OUT keeps some, they are completed, and not looked
 * for again. */
static wsam_status take_kept_regions(run_request *r, run_work *w, wsam_error *error)
{
    if (!wsam_is_region_clues(w->clue_model) || r->plan)
        return WSAM_OK;
    int there = 0;
    wsam_status status = cli_folder_join(r->common.output, "clues", "", &r->regions, error);
    if (!status)
        status = ws_file_there(r->regions, &there, error);
    if (status || !there)
        return status;
    const cli_own_clues o = clue_options(r, w);
    r->stages.regions = r->regions;
    return cli_own_clues_describe(&o, error);
}

/* The published rules divide scores by their range in an image, since those of detectors differ
 * from image to image, and drop a class's best box where a weaker one covers it. Scores of learnt
 * regions are probabilities, the same in all images, and the best one is right more often than what
 * lies around it: they are kept as they are. */
static void choose_rules(run_request *r, const run_work *w)
{
    if (r->own_method || !wsam_is_region_clues(w->clue_model))
        return;
    r->stages.pgt.method = WSAM_PGT_FIXED;
    if (r->stages.pgt.keep < 0)
        r->stages.pgt.keep = LEARNT_KEEP;
    r->stages.pgt.surer = 1;
}

/* A detection head looks at patches of a clue network. Clues learnt from regions have none of their
 * own: it takes those of the network that they were learnt with, or the segmenter's alone. */
static void choose_head_clues(run_request *r, const run_work *w)
{
    r->head_clues = r->clue_model;
    if (wsam_is_region_clues(w->clue_model))
        r->head_clues =
            w->network && !wsam_model_has_graph(w->network, "backbone") ? r->backbone : NULL;
}

static int is_name(const char *name, const char *text, size_t n)
{
    return strlen(name) == n && memcmp(name, text, n) == 0;
}

/* Whether a class that --rename or --drop names is one of the labels. */
static int is_there(const char *text, size_t n, const wsam_labels *labels)
{
    for (size_t k = 0; k < labels->n_classes; k++)
        if (is_name(labels->names[k], text, n))
            return 1;
    return 0;
}

static size_t old_length(const cli_recast *recast, size_t i)
{
    return recast->drop[i] ? strlen(recast->text[i]) : strcspn(recast->text[i], "=");
}

/* Told before the first image, not after the last. */
static wsam_status check_recast(const cli_recast *recast, const wsam_labels *labels,
                                wsam_error *error)
{
    for (size_t i = 0; i < recast->n; i++) {
        const char *text = recast->text[i];
        const size_t n = old_length(recast, i);
        if (!is_there(text, n, labels))
            return cli_error(error, WSAM_ERR_ARGUMENT,
                             "--%s '%.200s': no class of that name is among the labels",
                             recast->drop[i] ? "drop" : "rename", text);
        for (size_t k = 0; k < i; k++)
            if (old_length(recast, k) == n && memcmp(recast->text[k], text, n) == 0)
                return cli_error(error, WSAM_ERR_ARGUMENT,
                                 "--%s '%.200s': the class has another name already, or is dropped",
                                 recast->drop[i] ? "drop" : "rename", text);
    }
    return WSAM_OK;
}

/* Models, labels in the classes of the clues, workers. */
wsam_status run_prepare(run_request *r, run_work *w, wsam_error *error)
{
    int own = 0;
    wsam_labels_options known = {0};
    wsam_status status = open_models(r, w, error);
    r->head_rules = r->stages.pgt;
    if (!status)
        status = find_classes(r, w, &own, error);
    if (!status && !r->common.quiet)
        cli_labels_remarks(w->name, w->labels);
    if (!status)
        status = check_recast(&r->recast, w->labels, error);
    if (!status)
        status = own ? make_clues(r, w, error) : take_kept_regions(r, w, error);
    if (status || r->clues_only)
        return status;
    choose_rules(r, w);
    choose_head_clues(r, w);
    status = create_workers(r, w, error);
    if (!status)
        status = make_config(r, w, error);
    if (status)
        return status;
    known.n_names = wsam_stage_workers_classes(w->workers, &known.names);
    return load_labels(r, w, &known, error);
}
