/* cli/final.c - see final.h. */
#include "cli/final.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096, PIECE = 1 << 16 };

static int copy(FILE *from, FILE *to)
{
    static char bytes[PIECE];
    size_t n;
    while ((n = fread(bytes, 1, sizeof bytes, from)) > 0)
        if (fwrite(bytes, 1, n, to) != n)
            return 0;
    return !ferror(from);
}

wsam_status cli_final_write(const char *output, const char *from, wsam_error *error)
{
    char source[PATH], path[PATH], temporary[PATH];
    if (snprintf(source, PATH, "%s/%s", output, from) >= PATH - 64)
        return cli_error(error, WSAM_ERR_ARGUMENT, "the path of the results is too long");
    snprintf(path, PATH, "%.4000s/final.json", output);
    snprintf(temporary, PATH, "%.4000s/final.json.%ld-0.tmp", output, (long)getpid());
    FILE *in = fopen(source, "rb"), *out = in ? fopen(temporary, "wb") : NULL;
    int good = in && out && copy(in, out);
    if (in)
        fclose(in);
    if (out)
        good = fclose(out) == 0 && good;
    if (good && rename(temporary, path) == 0)
        return WSAM_OK;
    const int why = errno;
    if (out)
        unlink(temporary);
    return cli_error(error, WSAM_ERR_IO, "%.300s: %s", out ? path : source, strerror(why));
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

static int is_new_name(const cli_recast *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (!r->drop[i] && strcmp(new_name(r, i), name) == 0)
            return 1;
    return 0;
}

/* What classes are called between their old names and their new ones. */
static void between(size_t i, char name[32])
{
    snprintf(name, 32, "\x01%zu", i);
}

/* The first half of option i: the class is gone, or has left its old name. `truth`: decisions of
 * people may lack the class, and what is the new name of a class as well is taken for that: the page
 * shows new names. */
static wsam_status leave_old_name(wsam_coco_document *d, const cli_recast *r, size_t i, int truth,
                                  int quiet, wsam_error *error)
{
    char name[32];
    size_t dropped = 0;
    char *from = old_name(r, i);
    if (!from)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a class");
    wsam_status status = WSAM_OK;
    between(i, name);
    if (!truth || !is_new_name(r, from))
        status = r->drop[i] ? wsam_coco_drop_class(d, from, &dropped, error)
                            : wsam_coco_rename_class(d, from, name, error);
    free(from);
    if (!status && !quiet)
        tell(r->text[i], r->drop[i], dropped);
    return truth && status == WSAM_ERR_ARGUMENT ? WSAM_OK : status;
}

/* A decision about a class that changes its name with another may be older than the change, or come of a page that
 * shows the new names: it stays, and is told of. */
static void tell_kept(const wsam_coco_document *truth, const cli_recast *r)
{
    for (size_t k = 0; k < truth->n_classes; k++)
        for (size_t i = 0; i < r->n; i++) {
            char *from = old_name(r, i);
            if (from && strcmp(from, truth->class_names[k]) == 0 && is_new_name(r, from)) {
                fputs("final.json: what people said of '", stderr);
                cli_print_safe(stderr, from);
                fputs("' keeps that name, which is a new one as well\n", stderr);
            }
            free(from);
        }
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

wsam_status cli_final_recast(const char *output, const char *from, const cli_recast *r, int quiet,
                             wsam_error *error)
{
    char source[PATH], path[PATH], reviewed[PATH];
    wsam_coco_document *d = NULL, *truth = NULL;
    wsam_truth_counts counts = {0};
    snprintf(source, PATH, "%.4000s/%s", output, from);
    snprintf(path, PATH, "%.4000s/final.json", output);
    snprintf(reviewed, PATH, "%.4000s/reviewed.json", output);
    wsam_status status = wsam_coco_load_masks(source, NULL, &d, error);
    if (!status)
        status = recast(d, r, 0, quiet, error);
    if (!status && access(reviewed, F_OK) == 0)
        status = wsam_coco_load_masks(reviewed, NULL, &truth, error);
    if (!status && truth) {
        if (!quiet)
            tell_kept(truth, r);
        status = recast(truth, r, 1, 1, error);
    }
    if (!status && truth)
        status = wsam_coco_adopt(d, truth, &counts, NULL, error);
    if (!status)
        status = wsam_coco_save(d, path, WSAM_COCO_MASKS, NULL, error);
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
