/* cli/cmd_report.c - weaksam report: a page on which a person looks through labels. */
#include "cli/help_tables.h"
#include "cli/picture.h"

enum { OPT_SUSPECTS = CLI_OWN, OPT_SIDE, OPT_MOST, OPT_TITLE };

static const struct option own_options[] = {
    {"suspects", required_argument, NULL, OPT_SUSPECTS},
    {"thumbnail", required_argument, NULL, OPT_SIDE},
    {"max-instances", required_argument, NULL, OPT_MOST},
    {"title", required_argument, NULL, OPT_TITLE},
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_report_options options;
} request;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    long long n;
    switch (option) {
    case OPT_SUSPECTS:
        r->options.suspects = value;
        return CLI_OK;
    case OPT_TITLE:
        r->options.title = value;
        return CLI_OK;
    case OPT_SIDE:
        if (!cli_int(value, 32, 2048, &n))
            return cli_usage("report", "--thumbnail '%s': expected 32 to 2048", value);
        r->options.thumbnail = (int)n;
        return CLI_OK;
    case OPT_MOST:
        if (!cli_int(value, 1, 100000, &n))
            return cli_usage("report", "--max-instances '%s': expected 1 to 100000", value);
        r->options.most = (size_t)n;
        return CLI_OK;
    default:
        return cli_picture_take_limit(&r->limits, option, value);
    }
}

static int run(int argc, char **argv)
{
    static char label[] = "report";
    request r = {0};
    wsam_report_summary s;
    wsam_error error = {0};
    int status;
    wsam_report_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_report, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.output || argc - first != 2)
        return cli_usage("report",
                         "expected a data set, the folder of its images and -o PAGE.html");
    r.options.dataset = argv[first];
    r.options.folder = argv[first + 1];
    r.options.output = r.common.output;
    r.options.limits = r.limits.picture;
    if (cli_wants_progress(&r.common)) {
        r.options.progress = cli_progress;
        r.options.progress_user = label;
    }
    const wsam_status done = wsam_report(&r.options, &s, &error);
    cli_progress_end();
    if (done)
        return cli_failed("report", &error);
    if (!r.common.quiet)
        fprintf(stderr,
                "%zu instances of %zu images (%zu not readable), %zu surer ones left out; %.1f "
                "MB\n",
                s.instances, s.pictures, s.unreadable, s.left_out, (double)s.bytes / 1e6);
    if (!s.pictures || s.unreadable < s.pictures)
        return CLI_OK;
    fprintf(stderr, "weaksam report: %s has none of these images: the page shows none\n",
            r.options.folder);
    return CLI_FAILED;
}

const cli_command cmd_report = {.name = "report",
                                .summary = "Write a page on which to review labels.",
                                .usage = "report MASKS.json FOLDER -o PAGE.html [OPTION...]",
                                .takes = "oq",
                                .run = run,
                                .table = &help_report};
