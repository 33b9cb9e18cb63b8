/* cli/detection_head.c - see detection_head.h. */
#include "cli/detection_head.h"

#include <stdlib.h>
#include <string.h>

/* ---- proposals ---- */

static wsam_status add_boxes(cli_box_list *list, const wsam_proposals *p, wsam_error *error)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 64;
        void *grown = realloc(list->items, capacity * sizeof *list->items);
        if (!grown)
            return cli_error(error, WSAM_ERR_MEMORY, "no memory for the proposals");
        list->items = grown;
        list->capacity = capacity;
    }
    cli_boxes *to = &list->items[list->n];
    *to = (cli_boxes){.image = strdup(p->image), .width = p->width, .height = p->height};
    to->boxes = malloc((p->n + 1) * sizeof *to->boxes);
    if (!to->image || !to->boxes) {
        free(to->image);
        free(to->boxes);
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for the proposals");
    }
    list->n++;
    for (size_t i = 0; i < p->n; i++) {
        const float *b = p->items[i].box;
        const float box[4] = {b[0], b[1], b[2] + 1.0f, b[3] + 1.0f};
        if (box[2] - box[0] >= 2.0f && box[3] - box[1] >= 2.0f)
            memcpy(to->boxes[to->n++], box, sizeof box);
    }
    return WSAM_OK;
}

wsam_status cli_boxes_read(const char *path, cli_box_list *list, wsam_error *error)
{
    wsam_line_reader *reader;
    wsam_proposals *p = NULL;
    *list = (cli_box_list){0};
    wsam_status status = wsam_line_reader_open(path, &reader, error);
    if (status)
        return status;
    do {
        status = wsam_proposals_next(reader, &p, error);
        if (!p)
            break;
        status = add_boxes(list, p, error);
        wsam_proposals_free(p);
    } while (!status);
    wsam_line_reader_close(reader);
    return status;
}

void cli_boxes_free(cli_box_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].image);
        free(list->items[i].boxes);
    }
    free(list->items);
    *list = (cli_box_list){0};
}

/* ---- a head on proposals ---- */

typedef struct work {
    const cli_head_job *job;
    wsam_model *model;
    wsam_head *head;
    wsam_features *features;
    cli_maps maps;
    cli_box_list list;
    wsam_labels *labels;
    wsam_coco_writer *writer;
    wsam_classes classes;
    const char *names[1000];
    size_t boxes, empty;
} work;

/* Images of other sizes give other features: the head's own, unless somebody asks for another. */
static int clue_side(const work *w)
{
    int side = CLI_CLUE_SIZE;
    for (size_t i = 0; wsam_head_source(w->head, i); i++)
        if (strcmp(wsam_head_source(w->head, i), "clues") == 0 && wsam_head_source_side(w->head, i))
            side = wsam_head_source_side(w->head, i);
    if (w->job->clue_size >= 0 && w->job->clue_size != side && !w->job->common->quiet)
        fprintf(stderr, "weaksam %s: --clue-max-side %d, but the head was trained with %d\n",
                w->job->command, w->job->clue_size, side);
    return w->job->clue_size >= 0 ? w->job->clue_size : side;
}

static wsam_status open_all(work *w, wsam_error *error)
{
    const cli_head_job *j = w->job;
    wsam_status status = wsam_model_open(j->head, &j->common->runtime, &w->model, error);
    if (!status)
        status = wsam_head_create(w->model, &w->head, error);
    if (status)
        return status;
    w->classes.n = wsam_head_class_count(w->head);
    w->classes.names = w->names;
    for (size_t i = 0; i < w->classes.n; i++)
        w->names[i] = wsam_head_class_name(w->head, i);
    if (j->features)
        status = wsam_features_open(j->features, &w->features, error);
    if (!status && j->features && j->masks)
        status = cli_load(j->common, &w->maps.loaded, error);
    else if (!status && !j->features)
        status = cli_maps_open(j->common, j->clue_model, clue_side(w), &w->maps, error);
    if (!status && j->labels) {
        const wsam_labels_options o = {
            .names = w->classes.names, .n_names = w->classes.n, .allow_missing = 1};
        status = wsam_labels_load(j->labels, j->images, &o, &w->labels, error);
    }
    if (!status)
        status = cli_boxes_read(j->proposals, &w->list, error);
    return status;
}

static wsam_status run_cached(work *w, const cli_boxes *b, float *scores, float *boxes,
                              wsam_error *error)
{
    const size_t at = wsam_features_find(w->features, b->image);
    if (at == SIZE_MAX)
        return cli_error(error, WSAM_ERR_MISMATCH, "not in the feature cache %.300s",
                         w->job->features);
    return wsam_head_run_cached(w->head, w->features, at, b->n, (const float(*)[4])b->boxes, scores,
                                boxes, error);
}

static wsam_status run_encoded(work *w, const cli_boxes *b, float *scores, float *boxes,
                               wsam_error *error)
{
    wsam_feature_map maps[WSAM_FEATURE_SOURCES];
    char *path;
    wsam_status status = cli_join(w->job->images, b->image, "", &path, error);
    if (!status)
        status = cli_maps_read(&w->maps, path, error);
    for (size_t i = 0; !status && wsam_head_source(w->head, i); i++) {
        const char *source = wsam_head_source(w->head, i);
        const wsam_feature_map *map = cli_maps_find(&w->maps, source);
        if (map)
            maps[i] = *map;
        else
            status = cli_error(error, WSAM_ERR_UNSUPPORTED,
                               "the head looks at the maps '%s': give %s, or --features", source,
                               strcmp(source, "clues") == 0 ? "--clue-model" : "-m");
    }
    if (!status)
        status = wsam_head_run(w->head, maps, b->width, b->height, b->n,
                               (const float(*)[4])b->boxes, scores, boxes, error);
    free(path);
    return status;
}

/* Classes of a picture from the labels; an empty list where it has none. */
static void restrict_classes(const work *w, const char *image, wsam_detect_options *o)
{
    static const int32_t none[1];
    size_t low = 0, high = w->labels->n;
    while (low < high) { /* they are sorted */
        const size_t middle = low + (high - low) / 2;
        if (strcmp(w->labels->images[middle], image) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    o->only = none;
    o->n_only = 0;
    if (low < w->labels->n && strcmp(w->labels->images[low], image) == 0) {
        o->only = w->labels->classes + w->labels->first[low];
        o->n_only = w->labels->first[low + 1] - w->labels->first[low];
    }
}

/* Masks of the boxes that were found. The head's own embedding serves, where it was asked for one.
 */
static wsam_status segment(work *w, const cli_boxes *b, wsam_instances *found, wsam_error *error)
{
    const cli_limits limits = {0};
    wsam_instances masks = {0};
    wsam_embedding *own = NULL;
    char *path = NULL;
    wsam_status status = WSAM_OK;
    if (!found->n)
        return WSAM_OK;
    if (w->features)
        status = cli_join(w->job->images, b->image, "", &path, error);
    if (!status && w->features)
        status = cli_encode(&w->maps.loaded, path, &limits, &own, error);
    if (!status)
        status = wsam_masks_run(w->maps.loaded.segmenter, own ? own : w->maps.embedding, found,
                                &masks, error);
    wsam_embedding_free(own);
    free(path);
    if (!status) {
        w->empty += found->n - masks.n;
        wsam_instances_clear(found);
        *found = masks;
    }
    return status;
}

static wsam_status do_picture(work *w, const cli_boxes *b, wsam_error *error)
{
    const size_t c = w->classes.n;
    float *scores = malloc((b->n * c + 1) * sizeof *scores);
    float *boxes = malloc((b->n * c + 1) * 4 * sizeof *boxes);
    wsam_detect_options o = w->job->options;
    wsam_instances found = {0};
    const wsam_coco_image image = {.file_name = b->image, .width = b->width, .height = b->height};
    wsam_status status =
        scores && boxes ? WSAM_OK : cli_error(error, WSAM_ERR_MEMORY, "no memory for the scores");
    if (w->labels)
        restrict_classes(w, b->image, &o);
    if (!status && b->n)
        status = w->features ? run_cached(w, b, scores, boxes, error)
                             : run_encoded(w, b, scores, boxes, error);
    if (!status)
        status = wsam_detect(scores, boxes, b->n, c, &o, &found, error);
    if (!status && w->job->masks)
        status = segment(w, b, &found, error);
    if (!status)
        status = wsam_coco_put(w->writer, &image, &found, error);
    else
        status = cli_about(b->image, error, error);
    w->boxes += found.n;
    wsam_instances_clear(&found);
    free(scores);
    free(boxes);
    return status;
}

static wsam_status run_all(work *w, wsam_error *error)
{
    char label[] = "scoring";
    wsam_status status = open_all(w, error);
    if (!status)
        status = wsam_coco_open(w->job->common->output,
                                w->job->masks ? WSAM_COCO_MASKS : WSAM_COCO_RESULTS, &w->classes,
                                NULL, &w->writer, error);
    if (status)
        return status;
    for (size_t i = 0; i < w->list.n && !status; i++) {
        status = do_picture(w, &w->list.items[i], error);
        if (cli_wants_progress(w->job->common))
            cli_progress(label, (double)(i + 1) / (double)w->list.n);
    }
    cli_progress_end();
    return wsam_coco_finish(w->writer, status, error);
}

/* Decisions of people go into the finished file: their ids and order are known then. */
static wsam_status adopt(const cli_head_job *job, wsam_truth_counts *counts, wsam_error *error)
{
    wsam_coco_document *d = NULL;
    const char *path = job->common->output;
    wsam_status status = job->masks ? wsam_coco_load_masks(path, NULL, &d, error)
                                    : wsam_coco_load(path, NULL, &d, error);
    if (!status)
        status = cli_adopt(job->command, job->reviewed, job->common->quiet, d, counts, error);
    if (!status)
        status =
            wsam_coco_save(d, path, job->masks ? WSAM_COCO_MASKS : WSAM_COCO_RESULTS, NULL, error);
    wsam_coco_free(d);
    return status;
}

int cli_head_run(const cli_head_job *job)
{
    work w = {.job = job};
    wsam_error error = {0};
    wsam_truth_counts counts = {0};
    wsam_status status = run_all(&w, &error);
    if (!status && job->reviewed)
        status = adopt(job, &counts, &error);
    const size_t pictures = w.list.n;
    wsam_labels_free(w.labels);
    cli_boxes_free(&w.list);
    wsam_features_close(w.features);
    wsam_head_free(w.head);
    wsam_model_close(w.model);
    cli_maps_close(&w.maps);
    if (status)
        return cli_failed(job->command, &error);
    if (!job->common->quiet) {
        fprintf(stderr, "%zu pictures, %zu boxes; %zu masks have no pixel", pictures, w.boxes,
                w.empty);
        cli_print_truth(stderr, &counts);
        fputc('\n', stderr);
    }
    return CLI_OK;
}
