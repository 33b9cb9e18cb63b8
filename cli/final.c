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

static wsam_status recast_one(wsam_coco_document *d, const char *text, int drop, size_t *dropped,
                              wsam_error *error)
{
    *dropped = 0;
    if (drop)
        return wsam_coco_drop_class(d, text, dropped, error);
    const char *equals = strchr(text, '=');
    char *from = strndup(text, (size_t)(equals - text));
    if (!from)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a class");
    const wsam_status status = wsam_coco_rename_class(d, from, equals + 1, error);
    free(from);
    return status;
}

static void tell(const char *text, int drop, size_t dropped)
{
    fputs(drop ? "final.json: without '" : "final.json: renamed '", stderr);
    cli_print_safe(stderr, text);
    if (drop)
        fprintf(stderr, "' and its %zu annotations\n", dropped);
    else
        fputs("'\n", stderr);
}

/* Decisions of people may lack the class. */
static wsam_status recast_truth(wsam_coco_document *truth, const cli_recast *r, wsam_error *error)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t dropped;
        const wsam_status status = recast_one(truth, r->text[i], r->drop[i], &dropped, error);
        if (status && status != WSAM_ERR_ARGUMENT)
            return status;
    }
    return WSAM_OK;
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
    for (size_t i = 0; i < r->n && !status; i++) {
        size_t dropped;
        status = recast_one(d, r->text[i], r->drop[i], &dropped, error);
        if (!status && !quiet)
            tell(r->text[i], r->drop[i], dropped);
    }
    if (!status && access(reviewed, F_OK) == 0)
        status = wsam_coco_load_masks(reviewed, NULL, &truth, error);
    if (!status && truth)
        status = recast_truth(truth, r, error);
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
