/* cli/cmd_status.c - weaksam status: how far all shards of a run are. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/deadline.h"
#include "cli/help_tables.h"
#include "cli/run.h"

enum { OPT_WATCH = CLI_OWN, OPT_INTERVAL, LISTED = 20 };

static const struct option own_options[] = {{"watch", no_argument, NULL, OPT_WATCH},
                                            {"interval", required_argument, NULL, OPT_INTERVAL},
                                            {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    int watch;
    double interval;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    if (option == OPT_WATCH) {
        r->watch = 1;
        return CLI_OK;
    }
    if (!cli_numbers(value, 1, 1, &r->interval) || !(r->interval >= 0.1 && r->interval <= 86400))
        return cli_usage("status", "--interval '%s': expected a number of seconds from 0.1", value);
    return CLI_OK;
}

/* ---- as text ---- */

static const wsam_shard_status *slowest_of(const wsam_run_status *s)
{
    const wsam_shard_status *worst = NULL;
    for (int i = 0; i < s->begun; i++)
        if (*s->list[i].slowest && (!worst || s->list[i].slowest_s > worst->slowest_s))
            worst = &s->list[i];
    return worst;
}

static void print_time(double seconds)
{
    const long s = (long)(seconds + 0.5);
    if (s >= 3600)
        printf("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        printf("%ld:%02ld", s / 60, s % 60);
}

static void print_count(int n, const char *what)
{
    if (n)
        printf(", %d %s", n, what);
}

static void print_head(const wsam_run_status *s)
{
    printf("%zu of %zu images done, %zu failed", s->done, s->images, s->failed);
    if (s->images_per_s > 0)
        printf("; %.3g images/s", s->images_per_s);
    if (s->seconds_left >= 0 && s->done < s->images) {
        printf(", ");
        print_time(s->seconds_left);
        printf(" left");
    }
    printf("\n%d shards: %d running", s->shards, s->running);
    print_count(s->finished, "done");
    print_count(s->stopped, "stopped or failed");
    print_count(s->gone, "gone or silent");
    print_count(s->shards - s->begun, "not begun");
    printf("; most memory: %.0f MB\n", 1e-6 * (double)s->peak_rss_bytes);
    if (s->damaged)
        printf("%d damaged status file%s (%s): start %s again, which writes %s anew\n", s->damaged,
               s->damaged > 1 ? "s" : "", s->first_damaged,
               s->damaged > 1 ? "these shards" : "that shard", s->damaged > 1 ? "them" : "it");
}

static void print_shard(const wsam_shard_status *s)
{
    printf("%5d  %-8s %7zu of %-7zu %6zu  %8.3g  ", s->shard, s->state, s->done + s->given,
           s->total, s->failed, s->images_per_s);
    if (s->seconds_left >= 0 && strcmp(s->state, "running") == 0)
        print_time(s->seconds_left);
    else
        fputs("-", stdout);
    printf("  %.0f MB  ", 1e-6 * (double)s->peak_rss_bytes);
    cli_print_safe(stdout, s->host);
    if (s->stolen)
        printf("  (%zu of others)", s->stolen);
    putchar('\n');
}

static void print_text(const wsam_run_status *s)
{
    const wsam_shard_status *slowest = slowest_of(s);
    int listed = 0, more = 0;
    print_head(s);
    if (slowest) {
        printf("slowest image: ");
        cli_print_safe(stdout, slowest->slowest);
        printf(", %.2f s, in shard %d\n", slowest->slowest_s, slowest->shard);
    }
    for (int i = 0; i < s->begun; i++) {
        if (strcmp(s->list[i].state, "done") == 0)
            continue;
        if (!listed)
            printf("shard  state       images done     failed  images/s  left  memory  host\n");
        if (listed < LISTED)
            print_shard(&s->list[i]);
        more += listed++ >= LISTED;
    }
    if (more)
        printf("and %d more that are not done\n", more);
}

/* ---- as JSON ---- */

static void print_shard_json(const wsam_shard_status *s)
{
    printf("{\"shard\":%d,\"state\":\"%s\",\"done\":%zu,\"failed\":%zu,\"total\":%zu,"
           "\"given\":%zu,\"stolen\":%zu,\"images_per_s\":%.6g,\"seconds_per_image\":%.6g,"
           "\"seconds_left\":%.6g,\"peak_rss_bytes\":%llu,\"pid\":%ld,\"started\":%lld,\"host\":",
           s->shard, s->state, s->done, s->failed, s->total, s->given, s->stolen, s->images_per_s,
           s->median_s, s->seconds_left, (unsigned long long)s->peak_rss_bytes, s->pid,
           (long long)s->started);
    cli_print_json_string(s->host);
    if (*s->slowest) {
        printf(",\"slowest\":{\"image\":");
        cli_print_json_string(s->slowest);
        printf(",\"seconds\":%.6g}", s->slowest_s);
    }
    putchar('}');
}

static void print_json(const wsam_run_status *s)
{
    printf("{\"images\":%zu,\"done\":%zu,\"failed\":%zu,\"images_per_s\":%.6g,"
           "\"seconds_left\":%.6g,\"peak_rss_bytes\":%llu,\"shards\":%d,\"running\":%d,"
           "\"finished\":%d,\"stopped\":%d,\"gone\":%d,\"not_begun\":%d,",
           s->images, s->done, s->failed, s->images_per_s, s->seconds_left,
           (unsigned long long)s->peak_rss_bytes, s->shards, s->running, s->finished, s->stopped,
           s->gone, s->shards - s->begun);
    if (s->damaged)
        printf("\"damaged\":%d,\"first_damaged\":\"%s\",", s->damaged, s->first_damaged);
    fputs("\"list\":[", stdout);
    for (int i = 0; i < s->begun; i++) {
        if (i)
            putchar(',');
        print_shard_json(&s->list[i]);
    }
    printf("]}\n");
}

/* ---- the command ---- */

static int exit_of(const wsam_run_status *s)
{
    if (!s->images || s->done < s->images)
        return EXIT_AGAIN;
    return s->failed || s->damaged ? CLI_FAILED : CLI_OK;
}

/* All others are done, and nobody will write what is damaged. */
static int is_stuck(const wsam_run_status *s)
{
    return s->unknown && !s->running && s->finished + s->unknown >= s->shards;
}

/* *stuck: another look would show the same. */
static int look(wsam_run_watch *watch, const request *r, int again, int *stuck)
{
    wsam_error error = {0};
    const wsam_run_status *s;
    const wsam_status status = wsam_run_watch_look(watch, &s, &error);
    *stuck = !status && is_stuck(s);
    if (status) {
        cli_failed("status", &error);
        return cli_run_exit_of(status, 1);
    }
    if (again && !r->common.json && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    if (r->common.json)
        print_json(s);
    else
        print_text(s);
    fflush(stdout);
    if (*stuck && r->watch)
        fprintf(
            stderr,
            "weaksam status: nothing runs, and %s says no more how far it was: start that shard again, or make the "
            "final files by `weaksam merge`\n",
            s->first_damaged);
    return exit_of(s);
}

static void pause_for(double seconds)
{
    const double whole = (double)(long)seconds;
    const struct timespec t = {(time_t)whole, (long)(1e9 * (seconds - whole))};
    nanosleep(&t, NULL); /* a signal ends it */
}

static int run(int argc, char **argv)
{
    request r = {.interval = 2.0};
    wsam_run_watch *watch;
    wsam_error error = {0};
    int status;
    const int first =
        cli_options_parse(&cmd_status, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status ? EXIT_USAGE : CLI_OK;
    if (argc - first != 1) {
        cli_usage("status", "expected the folder of a run");
        return EXIT_USAGE;
    }
    const wsam_status opened = wsam_run_watch_open(argv[first], &watch, &error);
    if (opened) {
        cli_failed("status", &error);
        return opened == WSAM_ERR_IO ? EXIT_MISSING : cli_run_exit_of(opened, 1);
    }
    if (r.watch)
        cli_deadline_catch();
    int stuck, result = look(watch, &r, r.watch, &stuck);
    while (r.watch && result == EXIT_AGAIN && !stuck && !cli_deadline_asked() && !ferror(stdout)) {
        pause_for(r.interval);
        if (!cli_deadline_asked())
            result = look(watch, &r, 1, &stuck);
    }
    wsam_run_watch_close(watch);
    return result;
}

const cli_command cmd_status = {.name = "status",
                                .summary = "Show how far all shards of a run are.",
                                .usage = "status OUT [--watch] [--json]",
                                .takes = "j",
                                .run = run,
                                .table = &help_status};
