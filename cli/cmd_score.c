/* cli/cmd_score.c - weaksam score: class scores of proposals, or those of another detector. */
#include <stdlib.h>
#include <string.h>

#include "cli/detection_head.h"
#include "cli/help_tables.h"
#include "cli/parameters.h"
#include "weaksam/detector.h"

enum {
    OPT_MAPS = CLI_OWN,
    OPT_KIND,
    OPT_CLASSES,
    OPT_IMPORT,
    OPT_IMAGE_IDS,
    OPT_HEAD,
    OPT_FEATURES,
    OPT_IMAGES,
    OPT_LABELS,
    OPT_CLUES,
    OPT_CLUE_SIZE,
    OPT_SCALES,
    OPT_NO_MIRROR,
    OPT_DUMP
};

static const struct option own_options[] = {
    {"maps", required_argument, NULL, OPT_MAPS},
    {"kind", required_argument, NULL, OPT_KIND},
    {"classes", required_argument, NULL, OPT_CLASSES},
    {"import", required_argument, NULL, OPT_IMPORT},
    {"image-ids", required_argument, NULL, OPT_IMAGE_IDS},
    CLI_SCORE_OPTIONS("", "min-score"),
    {"head", required_argument, NULL, OPT_HEAD},
    {"features", required_argument, NULL, OPT_FEATURES},
    {"images", required_argument, NULL, OPT_IMAGES},
    {"labels", required_argument, NULL, OPT_LABELS},
    {"clue-model", required_argument, NULL, OPT_CLUES},
    {"clue-max-side", required_argument, NULL, OPT_CLUE_SIZE},
    {"scales", required_argument, NULL, OPT_SCALES},
    {"no-mirror", no_argument, NULL, OPT_NO_MIRROR},
    {"dump", required_argument, NULL, OPT_DUMP},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    const char *maps, *kind, *classes, *import, *image_ids, *proposals;
    const char *head, *features, *images, *labels, *clue_model; /* of a trained head */
    int clue_size;
    wsam_score_options options;
    wsam_evidence_options evidence;
    wsam_mist_params mist;
} request;

typedef struct work {
    cli_classes classes;
    wsam_coco_writer *writer;
    wsam_scorer scorer;
    size_t pictures, failed, boxes;
} work;

/* ---- options ---- */

static int take_scales(request *r, const char *value)
{
    double v[WSAM_MIST_SCALES];
    const int n = cli_numbers(value, 1, WSAM_MIST_SCALES, v);
    for (int i = 0; i < n; i++) {
        if (!(v[i] >= 32 && v[i] <= 8192))
            return cli_usage("score", "--scales '%s': expected sides of 32 to 8192", value);
        r->mist.scales[i] = (int)v[i];
    }
    r->mist.n_scales = n;
    return n ? CLI_OK
             : cli_usage("score", "--scales '%s': expected 1 to %d numbers", value,
                         WSAM_MIST_SCALES);
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    const cli_parameters to = {.score = &r->options, .evidence = &r->evidence};
    switch (option) {
    case OPT_MAPS:
        r->maps = value;
        return CLI_OK;
    case OPT_KIND:
        r->kind = value;
        return CLI_OK;
    case OPT_CLASSES:
        r->classes = value;
        return CLI_OK;
    case OPT_IMPORT:
        r->import = value;
        return CLI_OK;
    case OPT_IMAGE_IDS:
        r->image_ids = value;
        return CLI_OK;
    case OPT_HEAD:
        r->head = value;
        return CLI_OK;
    case OPT_FEATURES:
        r->features = value;
        return CLI_OK;
    case OPT_IMAGES:
        r->images = value;
        return CLI_OK;
    case OPT_LABELS:
        r->labels = value;
        return CLI_OK;
    case OPT_CLUES:
        r->clue_model = value;
        return CLI_OK;
    case OPT_CLUE_SIZE:
        return cli_head_take_clue_size("score", value, &r->clue_size);
    case OPT_SCALES:
        return take_scales(r, value);
    case OPT_NO_MIRROR:
        r->mist.mirror = 0;
        return CLI_OK;
    case OPT_DUMP:
        r->mist.dump = value;
        return CLI_OK;
    default:
        return cli_parameters_take("score", own_options, &to, option, value);
    }
}

/* ---- one picture ---- */

/* DIR/NAME.safetensors for NAME.jpg. */
static wsam_status maps_path(const char *folder, const char *image, char **path, wsam_error *error)
{
    const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
    const char *dot = strrchr(name, '.');
    const size_t n = dot && dot > name ? (size_t)(dot - image) : strlen(image);
    char *stem = malloc(n + 1);
    *path = NULL;
    if (!stem)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a path");
    memcpy(stem, image, n);
    stem[n] = 0;
    const wsam_status status = cli_folder_join(folder, stem, ".safetensors", path, error);
    free(stem);
    return status;
}

static wsam_status score_picture(const request *r, work *w, const wsam_proposals *p,
                                 wsam_instances *out, wsam_error *error)
{
    wsam_clue_maps *maps = NULL;
    char *path;
    wsam_status status = maps_path(r->maps, p->image, &path, error);
    if (!status)
        status = wsam_clue_maps_load(path, r->kind, &maps, error);
    for (size_t i = 0; !status && i < maps->n; i++)
        status = cli_classes_find(&w->classes, maps->names[i], &maps->maps[i].class_index, error);
    if (!status) {
        const wsam_score_input input = {.proposals = p, .maps = maps->maps, .n_maps = maps->n};
        status = wsam_score_proposals(&w->scorer, &input, &r->options, out, error);
    }
    wsam_clue_maps_free(maps);
    free(path);
    return status;
}

/* A picture that fails is reported, and the others go on. */
static wsam_status do_picture(const request *r, work *w, const wsam_proposals *p, wsam_error *error)
{
    wsam_instances found = {0};
    wsam_error inner = {0};
    const wsam_coco_image image = {.file_name = p->image, .width = p->width, .height = p->height};
    wsam_status status = score_picture(r, w, p, &found, &inner);
    w->pictures++;
    if (status) {
        w->failed++;
        cli_error_about(p->image, &inner, &inner);
        cli_failed("score", &inner);
        return WSAM_OK;
    }
    w->boxes += found.n;
    status = wsam_coco_put(w->writer, &image, &found, error);
    wsam_instances_clear(&found);
    return status;
}

static wsam_status do_proposals(const request *r, work *w, wsam_error *error)
{
    wsam_line_reader *reader;
    wsam_proposals *p = NULL;
    wsam_status status = wsam_line_reader_open(r->proposals, &reader, error);
    if (status)
        return status;
    do {
        status = wsam_proposals_next(reader, &p, error);
        if (!p)
            break;
        status = do_picture(r, w, p, error);
        wsam_proposals_free(p);
    } while (!status);
    wsam_line_reader_close(reader);
    return status;
}

/* ---- import ---- */

static wsam_status do_import(const request *r, work *w, wsam_error *error)
{
    wsam_coco_document *d;
    wsam_status status = wsam_coco_load(r->import, r->image_ids, &d, error);
    if (status)
        return status;
    for (size_t i = 0; i < d->n_classes && !status; i++) {
        int32_t index;
        status = cli_classes_find(&w->classes, d->class_names[i], &index, error);
    }
    w->classes.list.ids = d->class_ids;
    w->classes.list.id_texts = d->id_texts;
    status = status ? status
                    : wsam_coco_open(r->common.output, WSAM_COCO_RESULTS, &w->classes.list, NULL,
                                     &w->writer, error);
    for (size_t i = 0; i < d->n_images && !status; i++) {
        const wsam_coco_image image = {d->image_ids[i],     d->file_names[i], d->sizes[2 * i],
                                       d->sizes[2 * i + 1], d->reviews[i],    d->more[i]};
        const wsam_instances some = {d->first[i + 1] - d->first[i],
                                     d->instances.items + d->first[i]};
        status = wsam_coco_put(w->writer, &image, &some, error);
        w->pictures++;
        w->boxes += some.n;
    }
    status = wsam_coco_finish(w->writer, status, error);
    w->writer = NULL;
    w->classes.list.ids = NULL;
    w->classes.list.id_texts = NULL;
    wsam_coco_free(d);
    return status;
}

static wsam_status do_scores(const request *r, work *w, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    wsam_evidence_scorer(&r->evidence, &w->scorer);
    if (r->classes)
        status = cli_classes_read(r->classes, &w->classes, error);
    if (!status)
        status = wsam_coco_open(r->common.output, WSAM_COCO_RESULTS, &w->classes.list, NULL,
                                &w->writer, error);
    if (!status)
        status = do_proposals(r, w, error);
    status = cli_worth_writing(status, r->common.output, w->pictures, w->failed, error);
    return wsam_coco_finish(w->writer, status, error);
}

static int do_all(const request *r)
{
    work w = {0};
    wsam_error error = {0};
    const wsam_status status = r->import ? do_import(r, &w, &error) : do_scores(r, &w, &error);
    const size_t classes = w.classes.list.n;
    cli_classes_free(&w.classes);
    if (status)
        return cli_failed("score", &error);
    if (!r->common.quiet)
        fprintf(stderr, "%zu images, %zu failed; %zu classes, %zu boxes\n", w.pictures, w.failed,
                classes, w.boxes);
    return w.failed ? CLI_FAILED : CLI_OK;
}

/* Scores of a trained head in place of the clue maps'. */
static int do_head(const request *r)
{
    cli_head_job job = {.command = "score", .common = &r->common};
    wsam_detect_files_options_default(&job.options);
    job.options.head = r->head;
    job.options.features = r->features;
    job.options.proposals = r->proposals;
    job.options.images = r->images;
    job.options.labels = r->labels;
    job.options.models.clue_model = r->clue_model;
    job.options.models.clue_size = r->clue_size;
    job.options.detect.min_score = r->options.min_score;
    job.options.detect.nms = r->options.nms;
    job.options.detect.most = r->options.most;
    if (!r->features && !((r->common.model || r->clue_model) && r->images))
        return cli_usage("score", "--head needs --features CACHE, or its models and "
                                  "--images DIR");
    if (r->labels && !r->images)
        return cli_usage("score", "--labels needs --images, the folder they describe");
    return cli_head_run(&job);
}

/* Scores and boxes of MIST, whose model stands alone. */
static int do_mist(request *r)
{
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_detector_files_summary sum = {0};
    if (!r->images)
        return cli_usage("score", "MIST needs its images: --images DIR");
    r->mist.nms = r->options.nms;
    r->mist.most = r->options.most;
    r->mist.min_score = r->options.min_score;
    wsam_status status = wsam_model_open(r->common.model, &r->common.runtime, &model, &error);
    if (!status)
        status = wsam_mist_files(model, r->proposals, r->images, &r->mist, r->common.output, &sum,
                                 &error);
    wsam_model_close(model);
    if (status)
        return cli_failed("score", &error);
    if (!r->common.quiet)
        fprintf(stderr, "%zu images, %zu boxes\n", sum.images, sum.boxes);
    return CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {.kind = "fine", .clue_size = -1};
    int status;
    wsam_score_options_default(&r.options);
    wsam_evidence_options_default(&r.evidence);
    wsam_mist_params_default(&r.mist);
    const int first =
        cli_options_parse(&cmd_score, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    const int alone = r.common.model && !r.import && !r.maps && !r.head;
    if (!r.common.output || argc - first != (r.import ? 0 : 1) ||
        (!r.import && !r.maps && !r.head && !alone))
        return cli_usage("score", "expected -o SCORES.json, and PROPOSALS.jsonl with --maps DIR, "
                                  "--head HEAD.wsam or -m MIST.wsam, or --import RESULTS.json");
    r.proposals = r.import ? NULL : argv[first];
    if (alone)
        return do_mist(&r);
    return r.head ? do_head(&r) : do_all(&r);
}

const cli_command cmd_score = {
    .name = "score",
    .summary = "Score proposals for classes, with clue maps, a trained head or MIST.",
    .usage =
        "score PROPOSALS.jsonl --maps DIR -o SCORES.json [OPTION...]\n"
        "       weaksam score PROPOSALS.jsonl --head HEAD.wsam --features CACHE -o SCORES.json\n"
        "       weaksam score PROPOSALS.jsonl -m MIST.wsam --images DIR -o SCORES.json\n"
        "       weaksam score --import RESULTS.json [--image-ids IMAGES.json] -o SCORES.json",
    .takes = "morq",
    .run = run,
    .table = &help_score};
