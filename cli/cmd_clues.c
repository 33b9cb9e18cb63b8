/* cli/cmd_clues.c - weaksam clues: where the classes of pictures show. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/stages.h"
#include "weaksam/dataset.h"

enum {
    OPT_LABELS = CLI_OWN,
    OPT_SIZE,
    OPT_SCALES,
    OPT_NO_MIRROR,
    OPT_LAYERS,
    OPT_LOGIT,
    OPT_THRESHOLD,
    OPT_WINDOW,
    OPT_CROSS_WINDOW,
    OPT_MOST,
    OPT_SPACING,
    OPT_CLUSTER,
    OPT_SEED,
    OPT_MAPS,
    OPT_HEAT,
    OPT_KINDS
};

static const struct option own_options[] = {
    {"labels", required_argument, NULL, OPT_LABELS},
    {"clue-size", required_argument, NULL, OPT_SIZE},
    {"scales", required_argument, NULL, OPT_SCALES},
    {"no-mirror", no_argument, NULL, OPT_NO_MIRROR},
    {"layers", required_argument, NULL, OPT_LAYERS},
    {"least-logit", required_argument, NULL, OPT_LOGIT},
    {"threshold", required_argument, NULL, OPT_THRESHOLD},
    {"window", required_argument, NULL, OPT_WINDOW},
    {"cross-window", required_argument, NULL, OPT_CROSS_WINDOW},
    {"most", required_argument, NULL, OPT_MOST},
    {"spacing", required_argument, NULL, OPT_SPACING},
    {"points-per-cluster", required_argument, NULL, OPT_CLUSTER},
    {"seed", required_argument, NULL, OPT_SEED},
    {"maps", required_argument, NULL, OPT_MAPS},
    {"heat", required_argument, NULL, OPT_HEAT},
    {"kinds", required_argument, NULL, OPT_KINDS},
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

static int take_int(int option, const char *value, long long low, long long high, long long *out)
{
    if (!cli_int(value, low, high, out))
        return cli_usage("clues", "--%s '%s': wants a whole number from %lld to %lld",
                         own_options[option - CLI_OWN].name, value, low, high);
    return CLI_OK;
}

static int take_number(int option, const char *value, double low, double high, double *out)
{
    if (!cli_numbers(value, 1, 1, out) || !(*out >= low && *out <= high))
        return cli_usage("clues", "--%s '%s': wants a number from %g to %g",
                         own_options[option - CLI_OWN].name, value, low, high);
    return CLI_OK;
}

static int take_layers(request *r, const char *value)
{
    double layers[WSAM_CLUES_MAX_LAYERS];
    const int n = cli_numbers(value, 1, WSAM_CLUES_MAX_LAYERS, layers);
    for (int i = 0; i < n; i++) {
        if (!(layers[i] >= 0.0 && layers[i] < 1e6) || layers[i] > (double)(int)layers[i])
            return cli_usage("clues", "--layers '%s': wants layers from 0, with commas", value);
        r->params.layers[i] = (int)layers[i];
    }
    r->params.n_layers = n;
    return n ? CLI_OK : cli_usage("clues", "--layers '%s': wants layers, with commas", value);
}

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
            return cli_usage("clues", "--kinds '%s': wants coarse, fine, cross, each once", value);
    }
    return CLI_OK;
}

static void for_all_peaks(wsam_clues_params *p, int option, double number)
{
    wsam_peak_params *const peaks[] = {&p->coarse, &p->fine, &p->cross};
    for (int i = 0; i < 3; i++)
        if (option == OPT_THRESHOLD)
            peaks[i]->threshold = number;
        else if (option == OPT_MOST)
            peaks[i]->most = (int)number;
        else
            peaks[i]->spacing = (int)number;
}

static int take_window(wsam_clues_params *p, int option, const char *value)
{
    long long n;
    const int status = take_int(option, value, 1, 65535, &n);
    if (status)
        return status;
    if (n % 2 == 0)
        return cli_usage("clues", "--%s '%s': wants an odd number",
                         own_options[option - CLI_OWN].name, value);
    if (option == OPT_CROSS_WINDOW)
        p->cross.window = (int)n;
    else
        p->coarse.window = p->fine.window = (int)n;
    return CLI_OK;
}

/* Options of the points. */
static int take_points(request *r, int option, const char *value)
{
    wsam_clues_params *p = &r->params;
    long long n = 0;
    double number = 0.0;
    int status = CLI_OK;
    switch (option) {
    case OPT_THRESHOLD:
        status = take_number(option, value, 0.0, 1.0, &number);
        for_all_peaks(p, option, number);
        return status;
    case OPT_MOST:
    case OPT_SPACING:
        status =
            take_int(option, value, option == OPT_MOST, option == OPT_MOST ? 65536 : 1 << 20, &n);
        for_all_peaks(p, option, (double)n);
        return status;
    case OPT_CLUSTER:
        status = take_int(option, value, 0, 1 << 20, &n);
        p->points_per_cluster = (int)n;
        return status;
    case OPT_SEED:
        status = take_int(option, value, 0, INT64_MAX, &n);
        p->seed = (uint64_t)n;
        return status;
    default:
        return take_window(p, option, value);
    }
}

static int take(void *user, int option, const char *value)
{
    request *r = user;
    wsam_clues_params *p = &r->params;
    long long n = 0;
    int status;
    switch (option) {
    case OPT_LABELS:
        r->labels = value;
        return CLI_OK;
    case OPT_SIZE:
        status = take_int(option, value, 0, 16384, &n);
        p->size = (int)n;
        return status;
    case OPT_SCALES:
        p->n_scales = cli_numbers(value, 1, WSAM_CLUES_MAX_SCALES, p->scales);
        return p->n_scales ? CLI_OK
                           : cli_usage("clues", "--scales '%s': wants up to %d numbers", value,
                                       WSAM_CLUES_MAX_SCALES);
    case OPT_NO_MIRROR:
        p->mirror = 0;
        return CLI_OK;
    case OPT_LAYERS:
        return take_layers(r, value);
    case OPT_LOGIT:
        return take_number(option, value, -1e30, 1e30, &p->least_logit);
    case OPT_MAPS:
        r->maps = value;
        return CLI_OK;
    case OPT_HEAT:
        r->heat = value;
        return CLI_OK;
    case OPT_KINDS:
        return take_kinds(r, value);
    case CLI_OPT_MAX_PIXELS:
        return cli_take_limit(&r->limits, option, value);
    default:
        return take_points(r, option, value);
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
    wsam_status status = cli_join(folder, stem, ending, path, error);
    free(stem);
    for (char *at = status ? NULL : *path + strlen(folder); at && !status;) {
        *at = 0;
        if (mkdir(*path, 0777) != 0 && errno != EEXIST)
            status = cli_error(error, WSAM_ERR_IO, "%.300s: %s", *path, strerror(errno));
        *at = '/';
        at = strchr(at + 1, '/');
    }
    if (status) {
        free(*path);
        *path = NULL;
    }
    return status;
}

static wsam_status save_heat(const request *r, const work *w, const char *image, const char *kind,
                             const wsam_clue_map *map, size_t number, const wsam_picture *picture,
                             wsam_error *error)
{
    char ending[WSAM_CLUES_NAME + 64], *path;
    wsam_picture heat = {0};
    int n = snprintf(ending, sizeof ending, "/%s_", kind);
    for (const char *c = wsam_clues_class_name(w->clues, (size_t)map->class_index); *c; c++)
        ending[n++] = (char)(strchr("/\\:*?\"<>|. ", *c) || (unsigned char)*c < 0x20 ? '_' : *c);
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
    char *text = points->image ? wsam_points_json(points) : NULL;
    wsam_status status = WSAM_OK;
    if (!text)
        status = cli_error(error, WSAM_ERR_MEMORY, "no memory for the points");
    else if (w->lines)
        status = wsam_lines_put(w->lines, text, error);
    else if (!cli_print_result(text))
        status = cli_error(error, WSAM_ERR_IO, "standard output: writing failed");
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
    wsam_status status = cli_join(w->folder, image, "", &path, &inner);
    if (!status)
        status = wsam_picture_load(path, &r->limits.picture, &picture, &inner);
    if (!status) {
        status = wsam_clues_run(w->clues, &picture, labels, n_labels, &r->params, &result, &inner);
        if (status)
            cli_about(path, &inner, &inner);
        if (status == WSAM_ERR_LIMIT)
            strncat(inner.message, "; a smaller --clue-size needs less",
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
    if (!status && labels->unlabelled && !r->common.quiet) {
        fprintf(stderr, "%zu pictures without labels are left out, '", labels->unlabelled);
        cli_print_safe(stderr, labels->first_unlabelled ? labels->first_unlabelled : "");
        fprintf(stderr, "' first\n");
    }
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
    wsam_status status = cli_pictures(w->folder, &paths, &n, error);
    if (!status && !n)
        status = cli_error(error, WSAM_ERR_FORMAT, "%.300s: no pictures (PNG, JPEG)", w->folder);
    w->total = n;
    for (size_t i = 0; i < n && !status; i++)
        status = do_picture(r, w, paths[i] + strlen(w->folder) + 1, given, n_given, error);
    cli_free_paths(paths, n);
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
                                  "a file of labels wants a folder of pictures");
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
        status = do_place(r, &w, where, &error);
    cli_progress_end();
    if (w.lines)
        status = wsam_lines_finish(w.lines, status, &error);
    wsam_clues_free(w.clues);
    wsam_model_close(w.model);
    free(w.folder);
    if (status)
        return cli_failed("clues", &error);
    if (!r->common.quiet)
        fprintf(stderr,
                "%zu pictures, %zu failed, %zu points; network %.2f s, maps %.2f s, "
                "points %.2f s\n",
                w.pictures, w.failed, w.points, w.encode_s, w.maps_s, w.points_s);
    return w.failed ? CLI_FAILED : CLI_OK;
}

static int run(int argc, char **argv)
{
    request r = {.kinds = WSAM_CLUES_COARSE | WSAM_CLUES_FINE};
    int status;
    wsam_clues_params_default(&r.params);
    const int first = cli_parse(&cmd_clues, argc, argv, &r.common, own_options, take, &r, &status);
    if (first < 0)
        return status;
    if (!r.common.model || argc - first != 1)
        return cli_usage("clues", "wants -m MODEL.wsam and a folder of pictures, or one picture");
    r.params.maps = r.maps || r.heat ? r.kinds : 0;
    return do_all(&r, argv[first]);
}

const cli_command cmd_clues = {
    .name = "clues",
    .summary = "Where the classes of pictures show: maps and points of a clue network.",
    .usage = "clues -m MODEL.wsam FOLDER|PICTURE [--labels LABELS] [-o POINTS.jsonl] [OPTION...]",
    .help =
        "      --labels LABELS      classes of the pictures: a CSV or JSON file, a VOC folder, or\n"
        "                           names with commas for all; without: those that logits show\n"
        "      --maps DIR           NAME.safetensors per picture: logits and maps\n"
        "      --heat DIR           NAME/KIND_CLASS.png: maps laid over the picture\n"
        "      --kinds LIST         of the maps: coarse,fine,cross (coarse,fine)\n"
        "      --clue-size N        limit of the longer side (640); 0: none\n"
        "      --scales LIST        views (1,0.8,1.2), each also mirrored (--no-mirror: not)\n"
        "      --layers LIST        of the cross maps, from 0 (the model's choice)\n"
        "      --least-logit F      classes above it count without labels (-0.5)\n"
        "      --threshold F        lowest point, of 1 (0.9)\n"
        "      --window N           of coarse and fine peaks (17)\n"
        "      --cross-window N     of cross peaks (129)\n"
        "      --most N             candidates per map (25)\n"
        "      --spacing N          least distance |dx|+|dy| of points (half the window)\n"
        "      --points-per-cluster N  cross points per k-means cluster (5); 0: no clusters\n"
        "      --seed N             of the clusters (0)\n" CLI_LIMIT_HELP,
    .takes = "morq",
    .run = run};
