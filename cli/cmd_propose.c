/* cli/cmd_propose.c - weaksam propose: boxes without class from a grid and clue points. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/help_tables.h"
#include "cli/parameters.h"
#include "cli/stages.h"
#include "pipeline/labels/picture_path.h"

enum { OPT_POINTS = CLI_OWN, OPT_NO_MASKS };

static const struct option own_options[] = {
    {"points", required_argument, NULL, OPT_POINTS},
    {"no-masks", no_argument, NULL, OPT_NO_MASKS},
    CLI_PROPOSE_OPTIONS,
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_propose_options options;
    const char *points, *folder;
} request;

typedef struct work {
    wsam_model *model;
    wsam_proposer *proposer;
    wsam_lines *lines;
    wsam_propose_stats sums;
    size_t pictures, total, failed;
} work;

/* ---- options ---- */

static int take(void *user, int option, const char *value)
{
    request *r = user;
    const cli_parameters to = {.propose = &r->options};
    switch (option) {
    case OPT_POINTS:
        r->points = value;
        return CLI_OK;
    case OPT_NO_MASKS:
        r->options.keep_masks = 0;
        return CLI_OK;
    case CLI_OPT_MAX_PIXELS:
        return cli_picture_take_limit(&r->limits, option, value);
    default:
        return cli_parameters_take("propose", own_options, &to, option, value);
    }
}

/* ---- one picture ---- */

static void add_stats(wsam_propose_stats *sum, const wsam_propose_stats *s)
{
    for (int i = 0; i < WSAM_SOURCES; i++) {
        sum->prompts[i] += s->prompts[i];
        sum->proposals[i] += s->proposals[i];
        sum->seconds[i] += s->seconds[i];
    }
    sum->encode_s += s->encode_s;
    sum->outside += s->outside;
    sum->suppressed += s->suppressed;
}

static wsam_status put(work *w, const wsam_proposals *proposals, const char *image,
                       wsam_error *error)
{
    char *text;
    wsam_status status = WSAM_OK;
    if (wsam_proposals_json(proposals, image, &text))
        status = cli_error(error, WSAM_ERR_MEMORY, "no memory for the results");
    else if (w->lines)
        status = wsam_lines_put(w->lines, text, error);
    else if (!cli_print_result(text))
        status = cli_error(error, WSAM_ERR_IO, "standard output: %s", strerror(errno));
    wsam_free(text);
    return status;
}

/* `image` is relative to the folder. A bad picture is reported, and the others go on. */
static wsam_status do_picture(const request *r, work *w, const char *image,
                              const wsam_clue_points *points, wsam_error *error)
{
    static char label[] = "propose";
    wsam_picture picture = {0};
    wsam_proposals *proposals = NULL;
    wsam_propose_stats stats;
    wsam_error inner = {0};
    char *path;
    wsam_status status = ws_picture_path(r->folder, image, &path, &inner);
    if (!status)
        status = wsam_picture_load(path, &r->limits.picture, &picture, &inner);
    if (!status) {
        status = wsam_propose_run(w->proposer, &picture, NULL, points, &r->options, &proposals,
                                  &stats, NULL, &inner);
        if (status)
            cli_error_about(path, &inner, &inner);
    }
    w->pictures++;
    if (status) {
        w->failed++;
        cli_failed("propose", &inner);
        status = WSAM_OK;
    } else {
        add_stats(&w->sums, &stats);
        status = put(w, proposals, image, error);
    }
    if (w->total > 1 && cli_wants_progress(&r->common))
        cli_progress(label, (double)w->pictures / (double)w->total);
    wsam_proposals_free(proposals);
    wsam_picture_free(&picture);
    free(path);
    return status;
}

/* ---- all ---- */

/* Pictures of a points file, for progress alone: the reader tells what is wrong with it. 0 for a
 * pipe, which can be read only once. */
static size_t count_lines(const char *path)
{
    struct stat st;
    FILE *f = stat(path, &st) == 0 && S_ISREG(st.st_mode) ? fopen(path, "rb") : NULL;
    size_t n = 0;
    for (int c; f && (c = getc(f)) != EOF;)
        n += c == '\n';
    if (f)
        fclose(f);
    return n;
}

static wsam_status do_points(const request *r, work *w, wsam_error *error)
{
    wsam_line_reader *reader;
    wsam_clue_points *points = NULL;
    wsam_status status = wsam_line_reader_open(r->points, &reader, error);
    if (status)
        return status;
    w->total = cli_wants_progress(&r->common) ? count_lines(r->points) : 0;
    do {
        status = wsam_points_next(reader, &points, error);
        if (!status && points)
            status = do_picture(r, w, points->image, points, error);
        if (!points)
            break;
        wsam_clue_points_free(points);
    } while (!status);
    wsam_line_reader_close(reader);
    return status;
}

static wsam_status do_folder(const request *r, work *w, wsam_error *error)
{
    char **paths;
    size_t n;
    wsam_status status = cli_folder_pictures(r->folder, &paths, &n, error);
    if (!status && !n)
        status = cli_error(error, WSAM_ERR_FORMAT, "%.300s: no images (JPEG, PNG, WebP, TIFF)",
                           r->folder);
    w->total = n;
    for (size_t i = 0; i < n && !status; i++)
        status = do_picture(r, w, paths[i] + strlen(r->folder) + 1, NULL, error);
    cli_folder_free(paths, n);
    return status;
}

static void print_stats(const request *r, const work *w)
{
    const wsam_propose_stats *s = &w->sums;
    if (r->common.quiet)
        return;
    fprintf(stderr, "%zu images, %zu failed; encoding %.2f s\n", w->pictures, w->failed,
            s->encode_s);
    for (int i = 0; i < WSAM_SOURCES; i++)
        if (r->options.sources >> i & 1)
            fprintf(stderr, "  %-6s %8llu prompts %8llu proposals %8.2f s\n",
                    wsam_source_name((wsam_source)i), (unsigned long long)s->prompts[i],
                    (unsigned long long)s->proposals[i], s->seconds[i]);
    if (r->options.sources >> WSAM_SOURCE_CROSS & 1)
        fprintf(stderr, "%llu cross boxes too close to an earlier one left out\n",
                (unsigned long long)s->suppressed);
    if (s->outside)
        fprintf(stderr, "%llu points outside of their images left out\n",
                (unsigned long long)s->outside);
}

static int do_all(request *r)
{
    work w = {0};
    wsam_error error = {0};
    wsam_status status = wsam_model_open(r->common.model, &r->common.runtime, &w.model, &error);
    if (!status)
        status = wsam_proposer_create(w.model, &w.proposer, &error);
    if (!status && r->common.output)
        status = wsam_lines_open(r->common.output, &w.lines, &error);
    if (!status)
        status = r->points ? do_points(r, &w, &error) : do_folder(r, &w, &error);
    cli_progress_end();
    if (w.lines)
        status = wsam_lines_finish(
            w.lines, cli_worth_writing(status, r->common.output, w.pictures, w.failed, &error),
            &error);
    wsam_proposer_free(w.proposer);
    wsam_model_close(w.model);
    if (status)
        return cli_failed("propose", &error);
    print_stats(r, &w);
    return w.failed ? CLI_FAILED : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {0};
    int status;
    wsam_propose_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_propose, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.model || argc - first != 1)
        return cli_usage("propose", "expected -m MODEL.wsam and a folder of images");
    r.folder = argv[first];
    return do_all(&r);
}

const cli_command cmd_propose = {
    .name = "propose",
    .summary = "Propose boxes without class from a grid and from clue points.",
    .usage = "propose -m MODEL.wsam FOLDER [--points POINTS.jsonl] [-o PROPOSALS.jsonl]",
    .takes = "morq",
    .run = run,
    .table = &help_propose};
