/* cli/final.c - see final.h. */
#include "cli/final.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/outputs.h"
#include "base/text.h"

enum { PATH = 4096 };

wsam_status cli_final_write(const char *output, const char *from, wsam_error *error)
{
    char source[PATH], path[PATH];
    if (snprintf(source, PATH, "%s/%s", output, from) >= PATH - 64)
        return cli_error(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    snprintf(path, PATH, "%.4000s/final.json", output);
    return ws_outputs_copy(source, path, error);
}

static void tell(const char *text, int drop, size_t dropped)
{
    fputs(drop ? "final.json: without '" : "final.json: renamed '", stderr);
    cli_print_safe(stderr, text);
    if (drop)
        fprintf(stderr, "' and its %zu %s\n", dropped,
                cli_plural(dropped, "annotation", "annotations"));
    else
        fputs("'\n", stderr);
}

/* The class that option i is about; free(). */
static char *old_name(const cli_recast *r, size_t i)
{
    return strndup(r->text[i], r->drop[i] ? strlen(r->text[i]) : strcspn(r->text[i], "="));
}

static const char *new_name(const cli_recast *r, size_t i)
{
    return strchr(r->text[i], '=') + 1;
}

/* What classes are called between their old names and their new ones. */
static void between(size_t i, char name[32])
{
    snprintf(name, 32, "\x01%zu", i);
}

/* The first half of option i: the class is gone, or has left its old name. `truth`: decisions of
 * people may lack the class. */
static wsam_status leave_old_name(wsam_coco_document *d, const cli_recast *r, size_t i, int truth,
                                  int quiet, wsam_error *error)
{
    char name[32];
    size_t dropped = 0;
    char *from = old_name(r, i);
    if (!from)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a class");
    between(i, name);
    const wsam_status status = r->drop[i] ? wsam_coco_drop_class(d, from, &dropped, error)
                                          : wsam_coco_rename_class(d, from, name, error);
    free(from);
    if (!status && !quiet)
        tell(r->text[i], r->drop[i], dropped);
    return truth && status == WSAM_ERR_ARGUMENT ? WSAM_OK : status;
}

/* All options at once, so that two classes can change their names with one another. */
static wsam_status recast(wsam_coco_document *d, const cli_recast *r, int truth, int quiet,
                          wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < r->n && !status; i++)
        status = leave_old_name(d, r, i, truth, quiet, error);
    for (size_t i = 0; i < r->n && !status; i++) {
        char name[32];
        between(i, name);
        if (!r->drop[i])
            status = wsam_coco_rename_class(d, name, new_name(r, i), error);
        if (truth && status == WSAM_ERR_ARGUMENT)
            status = WSAM_OK;
    }
    return status;
}

/* What each label is shown as, for those who decide about final.json (wsam_coco_undo_renames). */
static wsam_status describe(const wsam_coco_document *d, const cli_recast *r, char **info,
                            wsam_error *error)
{
    ws_text t = {0};
    int first = 1;
    ws_text_put(&t, "{\"renamed\":{", 12);
    for (size_t k = 0; k < d->n_classes; k++) {
        const char *shown = d->class_names[k];
        for (size_t i = 0; i < r->n && shown; i++) {
            char *from = old_name(r, i);
            t.failed |= !from;
            if (from && strcmp(from, d->class_names[k]) == 0)
                shown = r->drop[i] ? NULL : new_name(r, i);
            free(from);
        }
        if (!shown)
            continue;
        ws_json_comma(&t, first);
        first = 0;
        ws_json_string(&t, d->class_names[k]);
        ws_text_put(&t, ":", 1);
        ws_json_string(&t, shown);
    }
    ws_text_put(&t, "}}", 2);
    return ws_text_take(&t, info) ? cli_error(error, WSAM_ERR_MEMORY, "no memory for a class")
                                  : WSAM_OK;
}

wsam_status cli_final_recast(const char *output, const char *from, const cli_recast *r, int quiet,
                             wsam_error *error)
{
    char source[PATH], path[PATH], reviewed[PATH];
    wsam_coco_document *d = NULL, *truth = NULL;
    wsam_truth_counts counts = {0};
    snprintf(source, PATH, "%.4000s/%s", output, from);
    snprintf(path, PATH, "%.4000s/final.json", output);
    snprintf(reviewed, PATH, "%.4000s/reviewed.json", output);
    char *info = NULL;
    int there = 0;
    wsam_status status = wsam_coco_load_masks(source, NULL, &d, error);
    if (!status)
        status = describe(d, r, &info, error);
    if (!status)
        status = recast(d, r, 0, quiet, error);
    if (!status)
        status = ws_file_there(reviewed, &there, error);
    if (!status && there)
        status = wsam_coco_load_masks(reviewed, NULL, &truth, error);
    if (!status && truth)
        status = recast(truth, r, 1, 1, error);
    if (!status && truth)
        status = wsam_coco_adopt(d, truth, &counts, NULL, error);
    if (!status)
        status = wsam_coco_save(d, path, WSAM_COCO_MASKS, info, error);
    free(info);
    wsam_coco_free(truth);
    wsam_coco_free(d);
    return status;
}

wsam_status cli_final_report(const char *output, const char *folder, wsam_error *error)
{
    char dataset[PATH], page[PATH], judgement[PATH];
    wsam_report_options o;
    wsam_report_options_default(&o);
    snprintf(dataset, PATH, "%.4000s/final.json", output);
    snprintf(page, PATH, "%.4000s/report.html", output);
    snprintf(judgement, PATH, "%.4000s/clues/clues.judgement.json", output);
    o.dataset = dataset;
    o.folder = folder;
    o.output = page;
    o.title = "final.json";
    o.judgement = judgement;
    return wsam_report(&o, NULL, error);
}
