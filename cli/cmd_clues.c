/* cli/cmd_clues.c - weaksam clues: where the classes of pictures show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/help_tables.h"
#include "cli/parameters.h"
#include "cli/stages.h"
#include "pipeline/labels/picture_path.h"
#include "weaksam/dataset.h"

enum { OPT_LABELS = CLI_OWN, OPT_MAPS, OPT_HEAT, OPT_KINDS };

static const struct option own_options[] = {
    {"labels", required_argument, NULL, OPT_LABELS},
    {"maps", required_argument, NULL, OPT_MAPS},
    {"heat", required_argument, NULL, OPT_HEAT},
    {"kinds", required_argument, NULL, OPT_KINDS},
    {"least-logit", required_argument, NULL, CLI_VIEW_LOGIT},
    CLI_POINT_OPTIONS(""),
    {"max-pixels", required_argument, NULL, CLI_OPT_MAX_PIXELS},
    {NULL, 0, NULL, 0}};

typedef struct request {
    cli_common common;
    cli_limits limits;
    wsam_clues_params params;
    unsigned kinds; /* of maps that are written */
    const char *labels, *maps, *heat;
} request;

typedef struct work {
    wsam_model *model;
    wsam_clues *clues;
    wsam_lines *lines;
    char *folder;
    size_t pictures, total, failed, points;
    double encode_s, maps_s, points_s;
} work;

/* ---- options ---- */

static int take_kinds(request *r, const char *value)
{
    static const char *const names[] = {"coarse", "fine", "cross"};
    r->kinds = 0;
    for (const char *at = value; at; at = strchr(at, ',')) {
        at += *at == ',';
        const size_t n = strcspn(at, ",");
        const unsigned before = r->kinds;
        for (unsigned i = 0; i < 3; i++)
            if (strlen(names[i]) == n && strncmp(names[i], at, n) == 0)
                r->kinds |= 1u << i; /* WSAM_CLUES_COARSE, _FINE, _CROSS */
        if (r->kinds == before)
            return cli_usage("clues", "--kinds '%s': expected coarse, fine, cross, each once",
                             value);
    }
    return CLI_OK;
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    const cli_parameters to = {.clues = &r->params};
    switch (option) {
    case OPT_LABELS:
        r->labels = value;
        return CLI_OK;
    case OPT_MAPS:
        r->maps = value;
        return CLI_OK;
    case OPT_HEAT:
        r->heat = value;
        return CLI_OK;
    case OPT_KINDS:
        return take_kinds(r, value);
    case CLI_OPT_MAX_PIXELS:
        return cli_picture_take_limit(&r->limits, option, value);
    default:
        return cli_parameters_take("clues", own_options, &to, option, value);
    }
}

/* ---- maps ---- */

/* DIR/NAME + ending for NAME.jpg, with the folders on the way. */
static wsam_status output_path(const char *folder, const char *image, const char *ending,
                               char **path, wsam_error *error)
{
    const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
    const char *dot = strrchr(name, '.');
    char *stem = strndup(image, dot && dot > name ? (size_t)(dot - image) : strlen(image));
    *path = NULL;
    if (!stem)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a path");
    wsam_status status = cli_folder_join(folder, stem, ending, path, error);
    free(stem);
    for (char *at = status ? NULL : *path + strlen(folder); at && !status;) {
        *at = 0;
        status = ws_file_folder_make(*path, error);
        *at = '/';
        at = strchr(at + 1, '/');
    }
    if (status) {
        free(*path);
        *path = NULL;
    }
    return status;
}

/* The name of a class as a part of a file's name. */
static void file_part(const char *name, char part[WSAM_CLUES_NAME])
{
    int n = 0;
    for (const char *c = name; *c && n + 1 < WSAM_CLUES_NAME; c++)
        part[n++] = (char)(strchr("/\\:*?\"<>|. ", *c) || (unsigned char)*c < 0x20 ? '_' : *c);
    part[n] = 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two of n names that are the same; they are sorted. */
static wsam_status refuse_equal(char **names, size_t n, const char *what, const char *files,
                                wsam_error *error)
{
    if (n)
        qsort(names, n, sizeof *names, by_text);
    for (size_t i = 1; i < n; i++)
        if (strcmp(names[i], names[i - 1]) == 0)
            return cli_error(error, WSAM_ERR_FORMAT,
                             "two %s are called '%.300s': their %s would have one name", what,
                             names[i], files);
    return WSAM_OK;
}

/* What would write over each other: maps of a.jpg and a.png, heat maps of classes "a b", "a_b". */
static wsam_status check_stems(const request *r, char *const *images, size_t n, size_t skip,
                               wsam_error *error)
{
    size_t made = 0;
    char **stems = r->maps || r->heat ? calloc(n + 1, sizeof *stems) : NULL;
    if (!r->maps && !r->heat)
        return WSAM_OK;
    for (; stems && made < n; made++) {
        const char *image = images[made] + skip, *slash = strrchr(image, '/');
        const char *dot = strrchr(image, '.');
        const int ends = dot && dot > (slash ? slash + 1 : image);
        stems[made] = strndup(image, ends ? (size_t)(dot - image) : strlen(image));
        if (!stems[made])
            break;
    }
    const wsam_status status = stems && made == n
                                   ? refuse_equal(stems, n, "images", "maps", error)
                                   : cli_error(error, WSAM_ERR_MEMORY, "no memory for names");
    for (size_t i = 0; stems && i < made; i++)
        free(stems[i]);
    free(stems);
    return status;
}

static wsam_status check_classes(const request *r, const work *w, wsam_error *error)
{
    const size_t n = wsam_clues_class_count(w->clues);
    if (!r->heat)
        return WSAM_OK;
    char(*parts)[WSAM_CLUES_NAME] = malloc((n + 1) * sizeof *parts);
    char **names = malloc((n + 1) * sizeof *names);
    for (size_t i = 0; parts && names && i < n; i++) {
        file_part(wsam_clues_class_name(w->clues, i), parts[i]);
        names[i] = parts[i];
    }
    const wsam_status status =
        parts && names
            ? refuse_equal(names, n, "classes, as part of a file's name,", "heat maps", error)
            : cli_error(error, WSAM_ERR_MEMORY, "no memory for names");
    free(parts);
    free(names);
    return status;
}

static wsam_status save_heat(const request *r, const work *w, const char *image, const char *kind,
                             const wsam_clue_map *map, size_t number, const wsam_picture *picture,
                             wsam_error *error)
{
    char ending[WSAM_CLUES_NAME + 64], part[WSAM_CLUES_NAME], *path;
    wsam_picture heat = {0};
    file_part(wsam_clues_class_name(w->clues, (size_t)map->class_index), part);
    int n = snprintf(ending, sizeof ending, "/%s_%s", kind, part);
    if (number)
        n += snprintf(ending + n, sizeof ending - (size_t)n, "_%zu", number - 1);
    snprintf(ending + n, sizeof ending - (size_t)n, ".png");
    wsam_status status = output_path(r->heat, image, ending, &path, error);
    if (!status)
        status = wsam_clues_heat(map, picture, &heat, error);
    if (!status)
        status = wsam_picture_save(&heat, path, error);
    wsam_picture_free(&heat);
    free(path);
    return status;
}

static wsam_status save_maps(const request *r, const work *w, const char *image,
                             const wsam_clues_result *result, const wsam_picture *picture,
                             wsam_error *error)
{
    char *path;
    wsam_status status = WSAM_OK;
    if (r->maps) {
        status = output_path(r->maps, image, ".safetensors", &path, error);
        if (!status)
            status = wsam_clues_save_tensors(w->clues, result, path, error);
        free(path);
    }
    for (size_t k = 0; k < result->n && r->heat && !status; k++) {
        if (result->coarse)
            status = save_heat(r, w, image, "coarse", &result->coarse[k], 0, picture, error);
        if (result->fine && !status)
            status = save_heat(r, w, image, "fine", &result->fine[k], 0, picture, error);
        for (size_t m = 0; result->cross && m < result->n_cross && !status; m++)
            status = save_heat(r, w, image, "cross", &result->cross[k * result->n_cross + m], m + 1,
                               picture, error);
    }
    return status;
}

/* ---- one picture ---- */

static wsam_status put(work *w, wsam_clue_points *points, const char *image, wsam_error *error)
{
    points->image = strdup(image);
    char *text = NULL;
    wsam_status status = WSAM_OK;
    if (!points->image || wsam_points_json(points, &text))
        status = cli_error(error, WSAM_ERR_MEMORY, "no memory for the points");
    else if (w->lines)
        status = wsam_lines_put(w->lines, text, error);
    else if (!cli_print_result(text))
        status = cli_error(error, WSAM_ERR_IO, "standard output: %s", strerror(errno));
    wsam_free(text);
    return status;
}

/* A bad picture is reported, and the others go on. */
static wsam_status do_picture(const request *r, work *w, const char *image, const int32_t *labels,
                              size_t n_labels, wsam_error *error)
{
    static char label[] = "clues";
    wsam_picture picture = {0};
    wsam_clues_result *result = NULL;
    wsam_error inner = {0};
    char *path;
    wsam_status status = ws_picture_path(w->folder, image, &path, &inner);
    if (!status)
        status = wsam_picture_load(path, &r->limits.picture, &picture, &inner);
    if (!status) {
        status = wsam_clues_run(w->clues, &picture, labels, n_labels, &r->params, &result, &inner);
        if (status)
            cli_error_about(path, &inner, &inner);
        if (status == WSAM_ERR_LIMIT)
            strncat(inner.message, "; a smaller --clue-max-side needs less",
                    sizeof inner.message - strlen(inner.message) - 1);
    }
    if (!status)
        status = save_maps(r, w, image, result, &picture, &inner);
    w->pictures++;
    if (status) {
        w->failed++;
        cli_failed("clues", &inner);
        status = WSAM_OK;
    } else {
        w->encode_s += result->encode_s;
        w->maps_s += result->maps_s;
        w->points_s += result->points_s;
        w->points += result->points->n;
        status = put(w, result->points, image, error);
    }
    if (w->total > 1 && cli_wants_progress(&r->common))
        cli_progress(label, (double)w->pictures / (double)w->total);
    wsam_clues_result_free(result);
    wsam_picture_free(&picture);
    free(path);
    return status;
}

/* ---- labels ---- */

/* Class names with commas, for all pictures: at most as many as there are bytes. */
static wsam_status read_names(const work *w, const char *names, int32_t *given, size_t *n_given,
                              wsam_error *error)
{
    char *copy = strdup(names), *rest = copy;
    if (!copy)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for labels");
    wsam_status status = WSAM_OK;
    for (char *name; (name = strsep(&rest, ",")) && !status;) {
        const int32_t index = wsam_clues_class_find(w->clues, name);
        if (index < 0)
            status = cli_error(error, WSAM_ERR_ARGUMENT,
                               "--labels: '%.100s' is no class of the model, nor a file", name);
        else
            given[(*n_given)++] = index;
    }
    free(copy);
    return status;
}

static wsam_status do_labelled(const request *r, work *w, wsam_error *error)
{
    const size_t n = wsam_clues_class_count(w->clues);
    const char **names = malloc((n + 1) * sizeof *names);
    wsam_labels *labels = NULL;
    if (!names)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for labels");
    for (size_t i = 0; i < n; i++)
        names[i] = wsam_clues_class_name(w->clues, i);
    const wsam_labels_options options = {.names = names, .n_names = n};
    wsam_status status = wsam_labels_load(r->labels, w->folder, &options, &labels, error);
    if (!status && !r->common.quiet)
        cli_labels_remarks("clues", labels);
    if (!status)
        status = check_stems(r, labels->images, labels->n, 0, error);
    w->total = status ? 0 : labels->n;
    for (size_t i = 0; !status && i < labels->n; i++)
        status = do_picture(r, w, labels->images[i], labels->classes + labels->first[i],
                            labels->first[i + 1] - labels->first[i], error);
    wsam_labels_free(labels);
    free(names);
    return status;
}

static wsam_status do_folder(const request *r, work *w, const int32_t *given, size_t n_given,
                             wsam_error *error)
{
    char **paths;
    size_t n;
    wsam_status status = cli_folder_pictures(w->folder, &paths, &n, error);
    if (!status && !n)
        status = cli_error(error, WSAM_ERR_FORMAT, "%.300s: no images (JPEG, PNG, WebP, TIFF)",
                           w->folder);
    if (!status)
        status = check_stems(r, paths, n, strlen(w->folder) + 1, error);
    if (!status && given && n_given == 1 && !r->common.quiet)
        cli_labels_one_class("clues", wsam_clues_class_name(w->clues, (size_t)given[0]));
    w->total = n;
    for (size_t i = 0; i < n && !status; i++)
        status = do_picture(r, w, paths[i] + strlen(w->folder) + 1, given, n_given, error);
    cli_folder_free(paths, n);
    return status;
}

/* ---- all ---- */

/* `where` is a folder, or one picture of the folder that it is in. */
static wsam_status do_place(const request *r, work *w, const char *where, wsam_error *error)
{
    struct stat s, labels;
    const char *slash = strrchr(where, '/');
    const int folder = stat(where, &s) == 0 && S_ISDIR(s.st_mode);
    w->folder = folder  ? strdup(where)
                : slash ? strndup(where, slash > where ? (size_t)(slash - where) : 1)
                        : strdup(".");
    if (!w->folder)
        return cli_error(error, WSAM_ERR_MEMORY, "no memory for a path");
    if (r->labels && stat(r->labels, &labels) == 0)
        return folder ? do_labelled(r, w, error)
                      : cli_error(error, WSAM_ERR_ARGUMENT,
                                  "a file of labels needs a folder of images");
    int32_t *given = r->labels ? calloc(strlen(r->labels) + 1, sizeof *given) : NULL;
    size_t n = 0;
    wsam_status status = WSAM_OK;
    if (r->labels)
        status = given ? read_names(w, r->labels, given, &n, error)
                       : cli_error(error, WSAM_ERR_MEMORY, "no memory for labels");
    if (!status)
        status = folder ? do_folder(r, w, given, n, error)
                        : do_picture(r, w, slash ? slash + 1 : where, given, n, error);
    free(given);
    return status;
}

static int do_all(const request *r, const char *where)
{
    work w = {0};
    wsam_error error = {0};
    wsam_status status = wsam_model_open(r->common.model, &r->common.runtime, &w.model, &error);
    if (!status)
        status = wsam_clues_create(w.model, &w.clues, &error);
    if (!status && r->common.output)
        status = wsam_lines_open(r->common.output, &w.lines, &error);
    if (!status)
        status = check_classes(r, &w, &error);
    if (!status)
        status = do_place(r, &w, where, &error);
    cli_progress_end();
    if (w.lines)
        status = wsam_lines_finish(
            w.lines, cli_worth_writing(status, r->common.output, w.pictures, w.failed, &error),
            &error);
    wsam_clues_free(w.clues);
    wsam_model_close(w.model);
    free(w.folder);
    if (status)
        return cli_failed("clues", &error);
    if (!r->common.quiet)
        fprintf(stderr,
                "%zu images, %zu failed, %zu points; network %.2f s, maps %.2f s, "
                "points %.2f s\n",
                w.pictures, w.failed, w.points, w.encode_s, w.maps_s, w.points_s);
    return w.failed ? CLI_FAILED : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {.kinds = WSAM_CLUES_COARSE | WSAM_CLUES_FINE};
    int status;
    wsam_clues_params_default(&r.params);
    const int first =
        cli_options_parse(&cmd_clues, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.model || argc - first != 1)
        return cli_usage("clues", "expected -m MODEL.wsam and a folder of images, or one image");
    r.params.maps = r.maps || r.heat ? r.kinds : 0;
    return do_all(&r, argv[first]);
}

const cli_command cmd_clues = {
    .name = "clues",
    .summary = "Find where classes show in images: maps and points of a clue network.",
    .usage = "clues -m MODEL.wsam FOLDER|PICTURE [--labels LABELS] [-o POINTS.jsonl] [OPTION...]",
    .takes = "morq",
    .run = run,
    .table = &help_clues};
