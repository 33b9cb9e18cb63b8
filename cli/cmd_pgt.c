/* cli/cmd_pgt.c - weaksam pgt: pseudo ground-truth boxes from scored ones. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/help_tables.h"
#include "cli/stages.h"

enum {
    OPT_METHOD = CLI_OWN,
    OPT_KEEP,
    OPT_CONTAINED,
    OPT_IMAGE_IDS,
    OPT_POINTS,
    OPT_LABELS,
    OPT_IMAGES,
    OPT_SURER,
    OPT_REVIEWED,
    OPT_RULES
};

static const struct option own_options[] = {
    {"method", required_argument, NULL, OPT_METHOD},
    {"keep", required_argument, NULL, OPT_KEEP},
    {"contained", required_argument, NULL, OPT_CONTAINED},
    {"image-ids", required_argument, NULL, OPT_IMAGE_IDS},
    {"points", required_argument, NULL, OPT_POINTS},
    {"labels", required_argument, NULL, OPT_LABELS},
    {"images", required_argument, NULL, OPT_IMAGES},
    {"contained-by-higher-score", no_argument, NULL, OPT_SURER},
    {"reviewed", required_argument, NULL, OPT_REVIEWED},
    {"rules", required_argument, NULL, OPT_RULES},
    {NULL, 0, NULL, 0}};

static const char *const methods[] = {"adaptive", "top1", "top2", "fixed"};

typedef struct request {
    cli_common common;
    wsam_pgt_options options;
    const char *image_ids, *points, *labels, *folder, *reviewed, *rules, *scores;
} request;

/* Classes per picture, from a label list or a points file; in the document's numbers. */
typedef struct labels {
    int32_t *classes; /* of all pictures, one after another */
    size_t n, capacity;
    size_t *first, *count; /* [n_images] */
    uint8_t *known;        /* [n_images] */
} labels;

static int take(void *user, int option, const char *value)
{
    request *r = user;
    double *number = option == OPT_KEEP ? &r->options.keep : &r->options.contained;
    switch (option) {
    case OPT_IMAGE_IDS:
        r->image_ids = value;
        return CLI_OK;
    case OPT_POINTS:
        r->points = value;
        return CLI_OK;
    case OPT_LABELS:
        r->labels = value;
        return CLI_OK;
    case OPT_IMAGES:
        r->folder = value;
        return CLI_OK;
    case OPT_SURER:
        r->options.surer = 1;
        return CLI_OK;
    case OPT_RULES:
        r->rules = value;
        return CLI_OK;
    case OPT_REVIEWED:
        r->reviewed = value;
        return CLI_OK;
    case OPT_METHOD:
        for (int i = 0; i < 4; i++)
            if (strcmp(methods[i], value) == 0) {
                r->options.method = (wsam_pgt_method)i;
                return CLI_OK;
            }
        return cli_usage("pgt", "--method '%s': expected adaptive, top1, top2 or fixed", value);
    default:
        if (!cli_numbers(value, 1, 1, number) || !(*number >= 0 && *number <= 1e6))
            return cli_usage("pgt", "--%s '%s': expected a number from 0",
                             own_options[option - CLI_OWN].name, value);
        return CLI_OK;
    }
}

/* ---- labels ---- */

static int find(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

/* A class that no box has may be missing among the categories. */
static wsam_status add_label(labels *l, const wsam_coco_document *d, const char *name,
                             wsam_error *error)
{
    const int class_index = find(d->class_names, d->n_classes, name);
    if (class_index < 0)
        return WSAM_OK;
    int32_t *classes = ws_grow(l->classes, l->n, &l->capacity, sizeof *classes);
    if (!classes)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for labels");
    l->classes = classes;
    l->classes[l->n++] = class_index;
    return WSAM_OK;
}

static void end_labels(labels *l, size_t image, size_t first)
{
    l->first[image] = first;
    l->count[image] = l->n - first;
    l->known[image] = 1;
}

static wsam_status add_labels(labels *l, const wsam_coco_document *d, size_t image,
                              const wsam_clue_points *p, wsam_error *error)
{
    const size_t first = l->n;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < p->n_classes && !status; i++)
        status = add_label(l, d, p->classes[i], error);
    end_labels(l, image, first);
    return status;
}

/* Lines of the points file come in the order of the pictures, or nearly: search from the last. */
static wsam_status take_labels(labels *l, const wsam_coco_document *d, const char *path,
                               const wsam_clue_points *p, size_t *from, wsam_error *error)
{
    for (size_t k = 0; k < d->n_images; k++) {
        const size_t i = (*from + k) % d->n_images;
        if (strcmp(d->file_names[i], p->image) != 0)
            continue;
        if (l->known[i])
            return cli_error(error, WSAM_ERR_FORMAT, "%.300s: '%.300s' is there twice", path,
                             p->image);
        *from = i + 1;
        return add_labels(l, d, i, p, error);
    }
    return WSAM_OK; /* a picture without boxes */
}

/* A label list names its pictures in byte order. */
static size_t find_image(const wsam_labels *list, const char *name)
{
    size_t low = 0, high = list->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(list->images[middle], name);
        if (!order)
            return middle;
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return list->n;
}

static wsam_status read_list(labels *l, const wsam_coco_document *d, const request *r,
                             wsam_error *error)
{
    const wsam_labels_options options = {.allow_missing = 1};
    wsam_labels *list;
    wsam_status status = wsam_labels_load(r->labels, r->folder, &options, &list, error);
    if (status)
        return status;
    for (size_t i = 0; i < d->n_images && !status; i++) {
        const size_t first = l->n, k = find_image(list, d->file_names[i]);
        if (k == list->n)
            continue;
        for (size_t c = list->first[k]; c < list->first[k + 1] && !status; c++)
            status = add_label(l, d, list->names[list->classes[c]], error);
        end_labels(l, i, first);
    }
    wsam_labels_free(list);
    return status;
}

static wsam_status make_labels(labels *l, const wsam_coco_document *d, wsam_error *error)
{
    l->first = calloc(d->n_images, sizeof *l->first);
    l->count = calloc(d->n_images, sizeof *l->count);
    l->known = calloc(d->n_images, 1);
    return l->first && l->count && l->known
               ? WSAM_OK
               : cli_error(error, WSAM_ERR_MEMORY, "no memory for labels");
}

static wsam_status read_labels(labels *l, const wsam_coco_document *d, const char *path,
                               wsam_error *error)
{
    wsam_line_reader *reader;
    wsam_clue_points *p = NULL;
    size_t from = 0;
    wsam_status status = wsam_line_reader_open(path, &reader, error);
    if (status)
        return status;
    do {
        status = wsam_points_next(reader, &p, error);
        if (!p)
            break;
        status = take_labels(l, d, path, p, &from, error);
        wsam_clue_points_free(p);
    } while (!status);
    wsam_line_reader_close(reader);
    return status;
}

/* ---- the work ---- */

static void remark_unlabelled(const wsam_coco_document *d, const labels *l)
{
    for (size_t i = 0; i < d->n_images && l->known; i++) {
        if (l->known[i] || d->first[i] == d->first[i + 1])
            continue;
        fputs("weaksam pgt: no labels for ", stderr);
        cli_print_safe(stderr, d->file_names[i]);
        fputs(": its boxes are left out\n", stderr);
    }
}

static void print_summary(const wsam_coco_document *d, size_t scored,
                          const wsam_truth_counts *before, const wsam_rules_counts *rules,
                          wsam_pgt_summary s)
{
    fprintf(stderr,
            "%zu images, %zu scored boxes; %zu pseudo labels; left out: %zu of classes that the "
            "image does not have, %zu not chosen",
            d->n_images, scored, s.written, s.other_class, s.not_chosen);
    s.truth.again += before->again;
    s.truth.refused += before->refused;
    s.truth.complete += before->complete;
    cli_rules_print(stderr, rules);
    cli_truth_print(stderr, &s.truth);
    fputc('\n', stderr);
}

static int do_all(const request *r)
{
    wsam_coco_document *d = NULL;
    wsam_error error = {0};
    labels l = {0};
    wsam_pgt_summary sum = {0};
    wsam_truth_counts before = {0};
    wsam_rules_counts broken = {0};
    wsam_rules *rules = NULL;
    wsam_status status = wsam_coco_load(r->scores, r->image_ids, &d, &error);
    const size_t scored = d ? d->instances.n : 0;
    if (!status && r->reviewed)
        status = cli_truth_adopt("pgt", r->reviewed, r->common.quiet, d, &before, &error);
    if (!status)
        status = cli_rules_load(r->rules, &rules, &error);
    if (!status && rules)
        status = wsam_rules_document(rules, d, &broken, &error);
    if (!status && (r->points || r->labels))
        status = make_labels(&l, d, &error);
    if (!status && r->labels)
        status = read_list(&l, d, r, &error);
    else if (!status && r->points)
        status = read_labels(&l, d, r->points, &error);
    if (!status && !r->common.quiet)
        remark_unlabelled(d, &l);
    const wsam_document_labels list = {l.classes, l.first, l.count, l.known};
    if (!status)
        status = wsam_pgt_document(d, l.known ? &list : NULL, &r->options, r->common.output, &sum,
                                   &error);
    if (!status && !r->common.quiet)
        print_summary(d, scored, &before, &broken, sum);
    free(l.classes), free(l.first), free(l.count), free(l.known);
    wsam_rules_free(rules);
    wsam_coco_free(d);
    return status ? cli_failed("pgt", &error) : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {0};
    int status;
    wsam_pgt_options_default(&r.options);
    const int first =
        cli_options_parse(&cmd_pgt, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.output || argc - first != 1)
        return cli_usage("pgt", "expected SCORES.json and -o LABELS.json");
    if (!r.labels != !r.folder || (r.labels && r.points))
        return cli_usage("pgt",
                         "--labels needs --images, the folder they describe, and no --points");
    r.scores = argv[first];
    return do_all(&r);
}

const cli_command cmd_pgt = {.name = "pgt",
                             .summary = "Choose pseudo ground-truth boxes from scored boxes.",
                             .usage = "pgt SCORES.json -o LABELS.json [OPTION...]",
                             .takes = "oq",
                             .run = run,
                             .table = &help_pgt};
