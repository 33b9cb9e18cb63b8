/* cli/run_finish.c - the end of run and merge: the final files, the exit status. */
#include "cli/run.h"

/* Names of each kind that are listed. */
enum { LISTED = 20 };

int cli_run_exit_of(wsam_status status, int began)
{
    switch (status) {
    case WSAM_ERR_MEMORY:
        return EXIT_MEMORY;
    case WSAM_ERR_IO:
        return began ? EXIT_IO : EXIT_MISSING;
    case WSAM_ERR_FORMAT:
    case WSAM_ERR_VERSION:
        return EXIT_INPUT;
    case WSAM_ERR_CANCELLED:
        return EXIT_AGAIN;
    case WSAM_ERR_MISMATCH:
        return began ? EXIT_CONFIG : EXIT_INPUT;
    case WSAM_OK:
    case WSAM_ERR_ARGUMENT:
    case WSAM_ERR_UNSUPPORTED:
    case WSAM_ERR_LIMIT:
    default:
        return began ? EXIT_INTERNAL : EXIT_INPUT;
    }
}

void cli_run_print_gap(const char *command, const wsam_run_gap *gap)
{
    flockfile(stderr); /* workers' threads call this beside the progress bar */
    fprintf(stderr, "weaksam %s: ", command);
    cli_print_safe(stderr, gap->image);
    if (gap->reason) {
        fprintf(stderr, " (%s): ", wsam_run_stage_name(gap->stage));
        cli_print_safe(stderr, gap->reason);
        fputc('\n', stderr);
    } else {
        fputs(": not done yet\n", stderr);
    }
    funlockfile(stderr);
}

typedef struct listing {
    const char *command;
    size_t missing, failed;
} listing;

static void list_gap(void *user, const wsam_run_gap *gap)
{
    listing *l = user;
    size_t *count = gap->reason ? &l->failed : &l->missing;
    if (++*count <= LISTED)
        cli_run_print_gap(l->command, gap);
}

static void print_summary(const wsam_run_summary *s)
{
    fprintf(stderr,
            "%zu images, %zu failed; %llu pseudo labels, %llu masks, %llu without a pixel; %llu "
            "prompts",
            s->images, s->failed, (unsigned long long)s->boxes, (unsigned long long)s->instances,
            (unsigned long long)s->empty, (unsigned long long)s->prompts);
    cli_truth_print(stderr, &s->truth);
    if (s->reviewed_elsewhere)
        fprintf(stderr, "; %zu reviewed images are not in this run", s->reviewed_elsewhere);
    fputs("\nseconds:", stderr);
    for (int i = 0; i < WSAM_RUN_STAGES; i++)
        fprintf(stderr, " %s %.2f", wsam_run_stage_name((wsam_run_stage)i), s->seconds[i]);
    fprintf(stderr, "\n");
}

static void print_rest(const char *command, size_t n, const char *what)
{
    if (n > LISTED)
        fprintf(stderr, "weaksam %s: and %zu more %s\n", command, n - LISTED, what);
}

int cli_run_finish(const char *command, const char *output, int quiet, int list, int partial,
                   size_t *missing)
{
    wsam_run_summary s = {0};
    wsam_error error = {0};
    listing l = {.command = command};
    *missing = SIZE_MAX;
    const wsam_status status = wsam_run_merge_gaps(output, list ? list_gap : NULL, &l, &s, &error);
    print_rest(command, l.missing, "are not done yet");
    print_rest(command, l.failed, "failed");
    if (status) {
        cli_failed(command, &error);
        return cli_run_exit_of(status, 1);
    }
    *missing = s.missing;
    if (s.damaged && !quiet)
        fprintf(stderr, "weaksam %s: %zu damaged places in journals were passed over\n", command,
                s.damaged);
    if (s.missing) {
        fprintf(stderr, "weaksam %s: %zu of %zu images are not done yet\n", command, s.missing,
                s.images);
        return partial;
    }
    if (!quiet)
        print_summary(&s);
    if (s.failed && !quiet) {
        fputs("what failed and why: ", stderr);
        cli_print_safe(stderr, output);
        fputs("/failures.jsonl\n", stderr);
    }
    return s.failed ? CLI_FAILED : CLI_OK;
}
