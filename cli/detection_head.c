/* cli/detection_head.c - see detection_head.h. */
#include "cli/detection_head.h"

int cli_head_take_clue_size(const char *command, const char *value, int *size)
{
    long long n;
    if (!cli_int(value, 0, 16384, &n))
        return cli_usage(command, "--clue-max-side '%s': expected 0 to 16384", value);
    *size = (int)n;
    return CLI_OK;
}

/* Decisions of people, and rules, go into the finished file: ids and order are known then. */
static wsam_status adopt(const cli_head_job *job, const wsam_rules *rules,
                         wsam_truth_counts *counts, wsam_rules_counts *broken, wsam_error *error)
{
    wsam_coco_document *d = NULL;
    const char *path = job->common->output;
    wsam_status status = job->options.masks ? wsam_coco_load_masks(path, NULL, &d, error)
                                            : wsam_coco_load(path, NULL, &d, error);
    if (!status && rules)
        status = wsam_rules_document(rules, d, broken, error);
    if (!status && job->reviewed)
        status = cli_truth_adopt(job->command, job->reviewed, job->common->quiet, d, counts, error);
    if (!status)
        status = wsam_coco_save(d, path, job->options.masks ? WSAM_COCO_MASKS : WSAM_COCO_RESULTS,
                                NULL, error);
    wsam_coco_free(d);
    return status;
}

int cli_head_run(cli_head_job *job)
{
    static char label[] = "scoring";
    wsam_error error = {0};
    wsam_detect_summary sum;
    wsam_truth_counts counts = {0};
    wsam_rules_counts broken = {0};
    wsam_rules *rules = NULL;
    if (cli_rules_load(job->rules, &rules, &error))
        return cli_failed(job->command, &error);
    job->options.models.model = job->common->model;
    job->options.models.runtime = job->common->runtime;
    if (cli_wants_progress(job->common)) {
        job->options.progress = cli_progress;
        job->options.progress_user = label;
    }
    wsam_status status = wsam_detect_files(&job->options, job->common->output, &sum, &error);
    cli_progress_end();
    if (!status && sum.clue_size && sum.trained_clue_size &&
        sum.clue_size != sum.trained_clue_size && !job->common->quiet)
        fprintf(stderr, "weaksam %s: --clue-max-side %d, but the head was trained with %d\n",
                job->command, sum.clue_size, sum.trained_clue_size);
    if (!status && (job->reviewed || rules))
        status = adopt(job, rules, &counts, &broken, &error);
    wsam_rules_free(rules);
    if (status)
        return cli_failed(job->command, &error);
    if (!job->common->quiet) {
        fprintf(stderr, "%zu images, %zu boxes; %zu masks have no pixel", sum.images, sum.boxes,
                sum.empty);
        cli_rules_print(stderr, &broken);
        cli_truth_print(stderr, &counts);
        fputc('\n', stderr);
    }
    return CLI_OK;
}
