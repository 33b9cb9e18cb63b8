/* cli/cmd_review.c - weaksam review: a page in the browser on which a person corrects labels. */
#include <signal.h>
#include <stdlib.h>

#include "cli/help_tables.h"
#include "cli/picture.h"
#include "weaksam/review.h"

enum {
    OPT_IMAGES = CLI_OWN,
    OPT_DATA,
    OPT_PORT,
    OPT_CACHED,
    OPT_AUDIT,
    OPT_SEED,
    OPT_ORDER,
    OPT_MINUTES
};

static const struct option own_options[] = {
    {"images", required_argument, NULL, OPT_IMAGES},
    {"data", required_argument, NULL, OPT_DATA},
    {"port", required_argument, NULL, OPT_PORT},
    {"cached", required_argument, NULL, OPT_CACHED},
    {"audit", required_argument, NULL, OPT_AUDIT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"print-order", no_argument, NULL, OPT_ORDER},
    {"minutes", required_argument, NULL, OPT_MINUTES},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_review_options options;
    int print_order;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    long long n;
    switch (option) {
    case OPT_IMAGES:
        r->options.folder = value;
        return CLI_OK;
    case OPT_DATA:
        r->options.dataset = value;
        return CLI_OK;
    case OPT_PORT:
        if (!cli_int(value, 1, 65535, &n))
            return cli_usage("review", "--port '%s': expected 1 to 65535", value);
        r->options.port = (int)n;
        return CLI_OK;
    case OPT_CACHED:
        if (!cli_int(value, 2, 1000, &n))
            return cli_usage("review", "--cached '%s': expected 2 to 1000", value);
        r->options.cached = (int)n;
        return CLI_OK;
    case OPT_AUDIT:
        if (cli_numbers(value, 1, 1, &r->options.audit) != 1 ||
            !(r->options.audit >= 0 && r->options.audit <= 1))
            return cli_usage("review", "--audit '%s': expected a share from 0 to 1", value);
        return CLI_OK;
    case OPT_MINUTES:
        if (cli_numbers(value, 1, 1, &r->options.minutes) != 1 || !(r->options.minutes > 0))
            return cli_usage("review", "--minutes '%s': expected a number of minutes", value);
        return CLI_OK;
    case OPT_ORDER:
        r->print_order = 1;
        return CLI_OK;
    case OPT_SEED:
        if (!cli_int(value, 0, 1LL << 53, &n))
            return cli_usage("review", "--seed '%s': expected a whole number", value);
        r->options.seed = (uint64_t)n;
        return CLI_OK;
    default:
        return cli_picture_take_limit(&r->limits, option, value);
    }
}

static void show_address(void *user, const char *url)
{
    (void)user;
    printf("%s\n", url);
    fflush(stdout);
}

static void show_remark(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "weaksam review: ");
    cli_print_safe(stderr, text);
    fputc('\n', stderr);
}

/* Until SIGINT or SIGTERM. They are blocked before any thread is made, so that none of them gets
 * one. */
static void wait_for_signal(const sigset_t *signals)
{
    int number;
    while (sigwait(signals, &number) != 0)
        ;
}

static int serve(request *r)
{
    wsam_review_server *server = NULL;
    wsam_review_summary s;
    wsam_error error = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    wsam_status done = WSAM_OK;
    if (r->common.model)
        done = wsam_model_open(r->common.model, &r->common.runtime, &r->options.model, &error);
    if (!done)
        done = wsam_review_start(&r->options, &server, &error);
    if (!done) {
        if (!r->common.quiet)
            fprintf(stderr,
                    "Open the address in a browser on this machine. Ctrl-C ends the review; "
                    "every decision is kept.\n");
        wait_for_signal(&signals);
        done = wsam_review_stop(server, &s, &error);
    }
    wsam_model_close(r->options.model);
    if (done)
        return cli_failed("review", &error);
    if (!r->common.quiet)
        fprintf(stderr,
                "%zu of %zu images done, %zu begun; %zu objects accepted, %zu drawn, %zu rejected; "
                "%.0f minutes\n",
                s.complete, s.images, s.partial, s.accepted, s.drawn, s.rejected, s.seconds / 60);
    return CLI_OK;
}

/* One name per line; those of the random sample end in a tab and "audit". */
static int print_name(void *user, const char *name, int audit)
{
    (void)user;
    return printf(audit ? "%s\taudit\n" : "%s\n", name) < 0;
}

static int print_order(const request *r)
{
    wsam_error error = {0};
    const wsam_status done = wsam_review_order(&r->options, print_name, NULL, &error);
    return done ? cli_failed("review", &error) : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {0};
    int status;
    wsam_review_options_default(&r.options);
    r.options.address = show_address;
    r.options.remark = show_remark;
    const int first =
        cli_options_parse(&cmd_review, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (argc - first != 1 || (!r.options.folder && !r.print_order))
        return cli_usage("review", "expected the folder of a run and --images FOLDER");
    r.options.output = argv[first];
    r.options.limits = r.limits.picture;
    return r.print_order ? print_order(&r) : serve(&r);
}

const cli_command cmd_review = {.name = "review",
                                .summary =
                                    "Serve a page on which a person checks and corrects labels.",
                                .usage = "review OUT --images FOLDER [-m SAM.wsam] [OPTION...]",
                                .takes = "mrq",
                                .run = run,
                                .table = &help_review};
