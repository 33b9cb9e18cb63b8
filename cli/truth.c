/* cli/truth.c - decisions of people in the commands between scores and masks. */
#include "cli/stages.h"

wsam_status cli_truth_adopt(const char *command, const char *path, int quiet, wsam_coco_document *d,
                            wsam_truth_counts *counts, wsam_error *error)
{
    wsam_coco_document *truth = NULL;
    size_t unknown = 0;
    wsam_status status = wsam_coco_load(path, NULL, &truth, error);
    if (!status)
        status = wsam_coco_adopt(d, truth, counts, &unknown, error);
    if (!status && unknown && !quiet) {
        fprintf(stderr, "weaksam %s: ", command);
        cli_print_safe(stderr, path);
        fprintf(stderr, ": %zu reviewed images are not among these images\n", unknown);
    }
    wsam_coco_free(truth);
    return status;
}

void cli_truth_print(FILE *stream, const wsam_truth_counts *c)
{
    if (!c->accepted && !c->drawn && !c->rejected && !c->complete)
        return;
    fprintf(stream,
            "; by people: %zu accepted, %zu drawn, %zu rejected; left out for them: %zu again, "
            "%zu like rejected ones, %zu on complete images",
            c->accepted, c->drawn, c->rejected, c->again, c->refused, c->complete);
}
