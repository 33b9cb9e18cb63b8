/* cli/cmd_eval.c - weaksam eval: results against ground truth. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/help_tables.h"
#include "pipeline/coco/list_names.h"

enum {
    OPT_GT = CLI_OWN,
    OPT_DT,
    OPT_KIND,
    OPT_IOU,
    OPT_METRIC,
    OPT_LIST,
    OPT_IMAGE_IDS,
    OPT_MASK_AREA,
    OPT_THREADS
};

static const struct option own_options[] = {{"gt", required_argument, NULL, OPT_GT},
                                            {"dt", required_argument, NULL, OPT_DT},
                                            {"kind", required_argument, NULL, OPT_KIND},
                                            {"iou", required_argument, NULL, OPT_IOU},
                                            {"metric", required_argument, NULL, OPT_METRIC},
                                            {"list", required_argument, NULL, OPT_LIST},
                                            {"image-ids", required_argument, NULL, OPT_IMAGE_IDS},
                                            {"mask-area", no_argument, NULL, OPT_MASK_AREA},
                                            {"threads", required_argument, NULL, OPT_THREADS},
                                            {NULL, 0, NULL, 0}};

enum { KINDS = WSAM_EVAL_RECALL + 1 };
static const char *const kind_names[KINDS] = {"bbox", "segm", "voc", "corloc", "recall"};
static const char *const figure_names[WSAM_EVAL_FIGURES] = {
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl"};

typedef struct request {
    cli_common common;
    wsam_eval_read_options read;
    wsam_eval_options options;
    double ious[WSAM_EVAL_MAX_IOUS];
    const char *gt, *dt;
    wsam_eval_kind kinds[KINDS]; /* in the order of the command line */
    size_t n_kinds;
} request;

/* ---- options ---- */

static int take_kinds(request *r, const char *value)
{
    r->n_kinds = 0;
    for (const char *at = value; at;) {
        const size_t n = strcspn(at, ",");
        int kind = 0;
        while (kind < KINDS &&
               (strlen(kind_names[kind]) != n || strncmp(kind_names[kind], at, n) != 0))
            kind++;
        for (size_t i = 0; i < r->n_kinds && kind < KINDS; i++)
            if (r->kinds[i] == (wsam_eval_kind)kind)
                kind = KINDS;
        if (kind == KINDS)
            return cli_usage("eval",
                             "--kind '%s': expected bbox, segm, voc, corloc, recall, or some "
                             "of them with commas",
                             value);
        r->kinds[r->n_kinds++] = (wsam_eval_kind)kind;
        at = at[n] ? at + n + 1 : NULL;
    }
    return CLI_OK;
}

static int take_ious(request *r, const char *value)
{
    const int n = cli_numbers(value, 1, WSAM_EVAL_MAX_IOUS, r->ious);
    for (int i = 0; i < n; i++)
        if (!(r->ious[i] > 0 && r->ious[i] < 1))
            return cli_usage("eval", "--iou '%s': expected numbers between 0 and 1", value);
    if (!n)
        return cli_usage("eval", "--iou '%s': expected 1 to %d numbers with commas", value,
                         WSAM_EVAL_MAX_IOUS);
    r->options.ious = r->ious;
    r->options.n_ious = (size_t)n;
    return CLI_OK;
}

static int take_metric(request *r, const char *value)
{
    if (strcmp(value, "11point") != 0 && strcmp(value, "area") != 0)
        return cli_usage("eval", "--metric '%s': expected 11point or area", value);
    r->options.metric = *value == 'a' ? WSAM_EVAL_AREA : WSAM_EVAL_11POINT;
    return CLI_OK;
}

static int take_threads(request *r, const char *value)
{
    long long n;
    if (!cli_int(value, 1, 1024, &n))
        return cli_usage("eval", "--threads '%s': expected 1 to 1024", value);
    r->options.threads = (int)n;
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    switch (option) {
    case OPT_GT:
        r->gt = value;
        return CLI_OK;
    case OPT_DT:
        r->dt = value;
        return CLI_OK;
    case OPT_KIND:
        return take_kinds(r, value);
    case OPT_IOU:
        return take_ious(r, value);
    case OPT_METRIC:
        return take_metric(r, value);
    case OPT_LIST:
        r->read.list = value;
        return CLI_OK;
    case OPT_IMAGE_IDS:
        r->read.images = value;
        return CLI_OK;
    case OPT_MASK_AREA:
        r->read.mask_area = 1;
        return CLI_OK;
    default:
        return take_threads(r, value);
    }
}

/* ---- JSON ---- */

/* The fewest digits that give the number back. */
static void number(double v)
{
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        const double back = strtod(text, NULL);
        if (memcmp(&back, &v, sizeof v) == 0)
            break;
    }
    fputs(text, stdout);
}

static void json_number(const char *name, double v)
{
    printf("\"%s\":", name);
    number(v);
    putchar(',');
}

static void json_classes(const wsam_eval_truth *truth, const wsam_eval_figures *f)
{
    printf("\"per_class\":{");
    for (size_t i = 0; i < f->n_classes; i++) {
        if (i)
            putchar(',');
        cli_print_json_string(wsam_eval_category_name(truth, i));
        putchar(':');
        number(f->per_class[i]);
    }
    putchar('}');
}

static void json_ious(const wsam_eval_figures *f)
{
    for (size_t i = 0; i < f->n_ious; i++) {
        printf("%s\"%g\":", i ? "," : "", f->ious[i]);
        number(f->per_iou[i]);
    }
}

static void json_recall(const wsam_eval_figures *f)
{
    json_ious(f);
    printf(",\"found\":{");
    for (size_t i = 0; i < f->n_ious; i++)
        printf("%s\"%g\":%llu", i ? "," : "", f->ious[i], (unsigned long long)f->found[i]);
    printf("},\"objects\":%llu,\"images\":%llu,\"proposals\":%llu,\"proposals_per_image\":",
           (unsigned long long)f->objects, (unsigned long long)f->images,
           (unsigned long long)f->results);
    number(f->results_per_image);
}

static void print_json(const request *r, const wsam_eval_truth *truth, const wsam_eval_figures *f)
{
    printf("\"%s\":{", kind_names[f->kind]);
    if (f->kind == WSAM_EVAL_RECALL) {
        json_recall(f);
        putchar('}');
        return;
    }
    if (f->kind == WSAM_EVAL_VOC)
        json_number("AP50", f->mean);
    else if (f->kind == WSAM_EVAL_CORLOC)
        json_number("mean", f->mean);
    else
        for (int i = 0; i < WSAM_EVAL_FIGURES; i++)
            json_number(figure_names[i], f->coco[i]);
    json_classes(truth, f);
    if (f->n_ious) {
        printf(",\"per_iou\":{");
        json_ious(f);
        putchar('}');
    }
    if (f->kind == WSAM_EVAL_VOC)
        printf(",\"metric\":\"%s\"", r->options.metric == WSAM_EVAL_AREA ? "area" : "11point");
    putchar('}');
}

/* ---- tables ---- */

static void cell(double v)
{
    if (v < 0)
        printf("      -");
    else
        printf(" %6.4f", v);
}

static void table_classes(const wsam_eval_truth *truth, const wsam_eval_figures *f)
{
    size_t without = 0;
    for (size_t i = 0; i < f->n_classes; i++) {
        if (f->per_class[i] < 0) {
            without++;
            continue;
        }
        printf("  ");
        cell(f->per_class[i]);
        printf("  ");
        cli_print_safe(stdout, wsam_eval_category_name(truth, i));
        putchar('\n');
    }
    if (without)
        printf("        -  %zu classes without objects\n", without);
}

static void table_ious(const wsam_eval_figures *f, const char *what)
{
    for (size_t i = 0; i < f->n_ious; i++) {
        printf("  ");
        cell(f->per_iou[i]);
        printf("  %s at IoU %g", what, f->ious[i]);
        if (f->kind == WSAM_EVAL_RECALL)
            printf(" (%llu of %llu)", (unsigned long long)f->found[i],
                   (unsigned long long)f->objects);
        putchar('\n');
    }
}

static void table_coco(const wsam_eval_figures *f)
{
    for (int row = 0; row < 2; row++) {
        printf("  ");
        for (int i = 6 * row; i < 6 * row + 6; i++)
            printf(" %6s", figure_names[i]);
        printf("\n  ");
        for (int i = 6 * row; i < 6 * row + 6; i++)
            cell(f->coco[i]);
        putchar('\n');
    }
}

static void print_table(const request *r, const wsam_eval_truth *truth, const wsam_eval_figures *f)
{
    const int recall = f->kind == WSAM_EVAL_RECALL;
    printf("%s: %llu images, %llu objects, %llu %s", kind_names[f->kind],
           (unsigned long long)f->images, (unsigned long long)f->objects,
           (unsigned long long)f->results, recall ? "proposals" : "results");
    printf(" (%.1f per image)\n", f->results_per_image);
    if (f->kind == WSAM_EVAL_BBOX || f->kind == WSAM_EVAL_SEGM) {
        table_coco(f);
    } else if (!recall) {
        printf("  ");
        cell(f->mean);
        if (f->kind == WSAM_EVAL_VOC)
            printf("  mean AP at IoU 0.5, %s\n",
                   r->options.metric == WSAM_EVAL_AREA ? "area" : "11 points");
        else
            printf("  mean CorLoc\n");
    }
    table_ious(f, recall ? "recall" : f->kind == WSAM_EVAL_CORLOC ? "CorLoc" : "AP");
    table_classes(truth, f);
}

/* ---- the work ---- */

static int read_sets(const request *r, wsam_eval_truth **truth, wsam_eval_results **results)
{
    wsam_error error;
    if (wsam_eval_read_truth(r->gt, &r->read, truth, &error) ||
        wsam_eval_read_results(*truth, r->dt, &r->read, results, &error))
        return cli_failed("eval", &error);
    if (wsam_eval_result_dropped(*results) && !r->common.quiet)
        fprintf(stderr, "weaksam eval: %zu results of images outside the list left out\n",
                wsam_eval_result_dropped(*results));
    return CLI_OK;
}

/* Everything is computed before anything is printed. */
static int evaluate(const request *r)
{
    wsam_eval_truth *truth = NULL;
    wsam_eval_results *results = NULL;
    wsam_eval_figures *figures[KINDS] = {NULL};
    wsam_error error;
    const double start = ws_clock_ms();
    int status = read_sets(r, &truth, &results);
    const double middle = ws_clock_ms();
    for (size_t i = 0; i < r->n_kinds && !status; i++)
        if (wsam_eval(truth, results, r->kinds[i], &r->options, &figures[i], &error))
            status = cli_failed("eval", &error);
    if (!status && r->common.timing)
        fprintf(stderr, "read %.1f ms, evaluate %.1f ms, peak memory %.1f MB\n", middle - start,
                ws_clock_ms() - middle, (double)wsam_peak_memory() / 1e6);
    for (size_t i = 0; i < r->n_kinds && !status; i++) {
        if (r->common.json) {
            putchar(i ? ',' : '{');
            print_json(r, truth, figures[i]);
        } else {
            print_table(r, truth, figures[i]);
        }
    }
    if (!status && !cli_print_result(r->common.json ? "}\n" : "")) {
        fprintf(stderr, "weaksam eval: cannot write to standard output\n");
        status = CLI_FAILED;
    }
    for (size_t i = 0; i < KINDS; i++)
        wsam_eval_figures_free(figures[i]);
    wsam_eval_results_free(results);
    wsam_eval_truth_free(truth);
    return status;
}

/* A list has no names of its own; data sets and proposals have. */
static int is_list(const char *path)
{
    char c = 0;
    FILE *f = fopen(path, "rb");
    const int n = f ? fscanf(f, " %c", &c) : 0;
    if (f)
        fclose(f);
    return n == 1 && c == '[';
}

/* Ids of a results list of this program are its own, those of images.json; taken for the ground
 * truth's they would give plausible figures of the wrong classes. "-": they are the ground truth's.
 */
static int find_images(request *r, char **path)
{
    ws_list_owner owner;
    wsam_error error;
    if (r->read.images) {
        if (strcmp(r->read.images, "-") == 0)
            r->read.images = NULL;
        return CLI_OK;
    }
    if (ws_list_names_owner(r->dt, path, &owner, &error))
        return cli_failed("eval", &error);
    if (owner == WS_LIST_THIS)
        r->read.images = *path;
    if (owner != WS_LIST_OTHERS || !is_list(r->dt))
        return CLI_OK;
    fprintf(stderr,
            "weaksam eval: %s: %s is about other lists; --image-ids FILE says what the ids of this "
            "one mean, --image-ids - that they are those of the ground truth\n",
            r->dt, *path);
    return CLI_FAILED;
}

static int run(int argc, char **argv)
{
    char *images = NULL;
    request r = {.kinds = {WSAM_EVAL_BBOX}, .n_kinds = 1};
    int status;
    wsam_eval_read_options_default(&r.read);
    wsam_eval_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_eval, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (first < argc)
        return cli_usage("eval", "no use for '%s'", argv[first]);
    if (!r.gt || !r.dt)
        return cli_usage("eval", "%s is needed", r.gt ? "--dt" : "--gt");
    for (size_t i = 0; i < r.n_kinds; i++)
        r.read.masks |= r.kinds[i] == WSAM_EVAL_SEGM;
    status = find_images(&r, &images);
    if (!status)
        status = evaluate(&r);
    free(images);
    return status;
}

const cli_command cmd_eval = {
    .name = "eval",
    .summary = "Compare results with ground truth: COCO and VOC AP, CorLoc, recall.",
    .usage = "eval --gt GT --dt RESULTS [--kind KIND[,KIND...]] [OPTION...]",
    .takes = "jtq",
    .run = run,
    .table = &help_eval};
