/* cli/profile.c - see profile.h. Steps are grouped by what they compute and by their operators'
 * names without the numbers of layers, so that twelve blocks are one row. */
#include "cli/profile.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_parse.h"

enum { MAX_GROUPS = 128, MASKS = 3 };

typedef struct group {
    char name[96], step[32], kernel[64];
    int steps;
    double ms; /* of all runs together */
} group;

/* One graph at one rate. */
typedef struct profile {
    const char *graph, *rate;
    group groups[MAX_GROUPS];
    int n, runs;
} profile;

/* ---- grouping ---- */

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    return text ? text : "";
}

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(item) ? item->valuedouble : -1.0;
}

/* "layers.2.blocks.0.mlp.fc1" -> "mlp.fc1": without numbers, and what only counts. */
static void short_name(const char *name, char *to, size_t size)
{
    size_t n = 0;
    to[0] = 0;
    while (*name) {
        const size_t length = strcspn(name, ".");
        const int counts =
            isdigit((unsigned char)*name) ||
            (length == 6 && (!strncmp(name, "blocks", 6) || !strncmp(name, "layers", 6)));
        if (!counts && n + length + 2 < size) {
            if (n)
                to[n++] = '.';
            memcpy(to + n, name, length);
            to[n += length] = 0;
        }
        name += length + (name[length] == '.');
    }
}

static void group_name(const char *graph, const cJSON *step, char *to, size_t size)
{
    const double window = number_of(step, "window"); /* of attention alone */
    const char *name = text_of(step, "name");
    const size_t prefix = strlen(graph);
    const int repeats = strncmp(name, graph, prefix) == 0 && name[prefix] == '.';
    short_name(repeats ? name + prefix + 1 : name, to, size);
    const size_t n = strlen(to);
    if (window > 0.0)
        snprintf(to + n, size - n, ", windows of %.0f", window);
    else if (window >= 0.0)
        snprintf(to + n, size - n, ", global");
}

/* The last group takes what finds no place of its own. */
static group *find_group(profile *p, const char *name, const char *step)
{
    int i = 0;
    while (i < p->n &&
           (strcmp(p->groups[i].name, name) != 0 || strcmp(p->groups[i].step, step) != 0))
        i++;
    if (i == MAX_GROUPS)
        return &p->groups[MAX_GROUPS - 1];
    p->n = i == p->n ? i + 1 : p->n;
    return &p->groups[i];
}

static wsam_status add_run(profile *p, const wsam_session *session, wsam_error *error)
{
    char name[96];
    char *text;
    cJSON *steps = NULL;
    const cJSON *step;
    wsam_status status = wsam_session_profile(session, &text, error);
    if (status)
        return status;
    status = ws_json_parse_up_to(SIZE_MAX, "profile", 0, text, strlen(text), &steps, error);
    wsam_free(text);
    if (status)
        return status;
    cJSON_ArrayForEach(step, steps)
    {
        group_name(p->graph, step, name, sizeof name);
        group *g = find_group(p, name, text_of(step, "step"));
        snprintf(g->name, sizeof g->name, "%s", name);
        snprintf(g->step, sizeof g->step, "%s", text_of(step, "step"));
        snprintf(g->kernel, sizeof g->kernel, "%s", text_of(step, "kernel"));
        g->steps += p->runs == 0;
        g->ms += number_of(step, "ms");
    }
    p->runs++;
    cJSON_Delete(steps);
    return WSAM_OK;
}

/* ---- output ---- */

static int by_time(const void *a, const void *b)
{
    const double x = ((const group *)a)->ms, y = ((const group *)b)->ms;
    return (x < y) - (x > y);
}

static void print_text(const profile *p, double total)
{
    const double shown = 0.004; /* of the total; less rounds to nothing */
    double rest = 0.0;
    int left_out = 0;
    printf("%s, once per %s: %.2f ms in steps, mean of %d\n", p->graph, p->rate, total / p->runs,
           p->runs);
    printf("%10s %5s %5s  %-38s %-19s %s\n", "ms", "%", "steps", "operators", "step", "kernel");
    for (int i = 0; i < p->n; i++) {
        const group *g = &p->groups[i];
        if (g->ms < shown * total) {
            rest += g->ms;
            left_out += g->steps;
            continue;
        }
        printf("%10.3f %4.1f%% %5d  %-38.38s %-19s %s\n", g->ms / p->runs, 100.0 * g->ms / total,
               g->steps, g->name, g->step, g->kernel);
    }
    if (left_out)
        printf("%10.3f %4.1f%% %5d  others\n", rest / p->runs, 100.0 * rest / total, left_out);
    printf("\n");
}

static void print_json(const profile *p, double total)
{
    printf("{\"graph\":\"%s\",\"rate\":\"%s\",\"runs\":%d,\"ms\":%.4f,\"groups\":[", p->graph,
           p->rate, p->runs, total / p->runs);
    for (int i = 0; i < p->n; i++) {
        const group *g = &p->groups[i];
        printf("%s{\"operators\":", i ? "," : "");
        cli_print_json_string(g->name);
        printf(",\"step\":\"%s\",\"kernel\":\"%s\",\"steps\":%d,\"ms\":%.4f,\"percent\":%.2f}",
               g->step, g->kernel, g->steps, g->ms / p->runs, 100.0 * g->ms / total);
    }
    printf("]}\n");
}

static void print_profile(profile *p, int json)
{
    double total = 0.0;
    for (int i = 0; i < p->n; i++)
        total += p->groups[i].ms;
    if (!p->runs || total <= 0.0)
        return;
    qsort(p->groups, (size_t)p->n, sizeof p->groups[0], by_time);
    (json ? print_json : print_text)(p, total);
}

/* ---- running ---- */

/* A picture-like input: smooth, within the range of normalised pixels. */
static float *make_image(int64_t side)
{
    float *x = malloc((size_t)(side * side * 3) * sizeof *x);
    for (int64_t i = 0; x && i < side * side * 3; i++)
        x[i] = (float)((i * 7 + (i / side) * 13) % 512) / 128.0f - 2.0f;
    return x;
}

/* A graph with what its runs need. */
typedef struct runner {
    wsam_session *session;
    wsam_image *image;
} runner;

static wsam_status open_runner(wsam_model *model, const char *graph, const wsam_dim *dims, size_t n,
                               runner *r, wsam_error *error)
{
    wsam_status status = wsam_session_create(model, graph, &r->session, error);
    if (!status)
        status = wsam_session_reserve(r->session, dims, n, error);
    return status ? status : wsam_image_create(model, graph, dims, n, &r->image, error);
}

static void close_runner(runner *r)
{
    wsam_image_free(r->image);
    wsam_session_free(r->session);
}

/* Binds once to warm up, then `runs` times. */
static wsam_status profile_bind(const runner *r, const wsam_tensor *input, long long runs,
                                profile *p, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (long long i = -1; i < runs && !status; i++) {
        status = wsam_session_bind(r->session, input, 1, r->image, error);
        if (!status && i >= 0)
            status = add_run(p, r->session, error);
    }
    return status;
}

/* The decoder of one click at a time, padded with a point that is none. */
static wsam_status profile_clicks(const runner *r, const wsam_dim dims[4], int64_t side,
                                  long long runs, profile *p, wsam_error *error)
{
    enum { MAX_POINTS = 16 };
    const int64_t n = dims[1].value < MAX_POINTS ? dims[1].value : MAX_POINTS;
    float points[2 * MAX_POINTS] = {0}, iou[MASKS];
    int32_t labels[MAX_POINTS];
    float *low_res = malloc((size_t)(MASKS * side * side) * sizeof *low_res);
    const wsam_tensor inputs[] = {{"points", WSAM_F32, 3, {1, n, 2}, points},
                                  {"labels", WSAM_S32, 2, {1, n}, labels}};
    wsam_tensor outputs[] = {{"low_res", WSAM_F32, 4, {1, MASKS, side, side}, low_res},
                             {"iou", WSAM_F32, 2, {1, MASKS}, iou}};
    wsam_status status = low_res ? WSAM_OK : WSAM_ERR_MEMORY;
    for (int i = 0; i < MAX_POINTS; i++)
        labels[i] = i ? -1 : 1;
    for (long long i = -1; i < runs && !status; i++) {
        points[0] = (float)((i + 1) % 13) / 13.0f;
        points[1] = (float)((i + 1) % 17) / 17.0f;
        status = wsam_session_run(r->session, r->image, dims, 4, inputs, 2, outputs, 2, error);
        if (!status && i >= 0)
            status = add_run(p, r->session, error);
    }
    free(low_res);
    return status;
}

static wsam_status profile_decoder(wsam_model *model, const wsam_tensor *embedding,
                                   const cli_common *common, long long runs, wsam_error *error)
{
    profile image = {.graph = "mask_decoder", .rate = "image"};
    profile prompt = {.graph = "mask_decoder", .rate = "prompt"};
    runner r = {NULL, NULL};
    int64_t points = 0;
    wsam_model_int(model, "prompt.fixed_points", &points);
    const wsam_dim dims[] = {
        {"prompts", 1}, {"points", points ? points : 2}, {"first_mask", 1}, {"masks", MASKS}};
    wsam_status status = open_runner(model, "mask_decoder", dims, 4, &r, error);
    if (!status)
        status = profile_bind(&r, embedding, 3, &image, error);
    if (!status)
        status = profile_clicks(&r, dims, 4 * embedding->shape[0], runs, &prompt, error);
    if (!status) {
        print_profile(&image, common->json);
        print_profile(&prompt, common->json);
    }
    close_runner(&r);
    return status;
}

static wsam_status profile_model(wsam_model *model, const cli_common *common, long long encodes,
                                 long long prompts, wsam_error *error)
{
    profile p = {.graph = "image_encoder", .rate = "image"};
    runner r = {NULL, NULL};
    int64_t side = 1024;
    wsam_tensor embedding;
    wsam_model_int(model, "picture.size", &side);
    float *pixels = make_image(side);
    const wsam_tensor input = {"image", WSAM_F32, 3, {side, side, 3}, pixels};
    wsam_status status = pixels ? WSAM_OK : WSAM_ERR_MEMORY;
    if (!status)
        status = open_runner(model, "image_encoder", NULL, 0, &r, error);
    if (!status)
        status = profile_bind(&r, &input, encodes, &p, error);
    if (!status) {
        print_profile(&p, common->json);
        status = wsam_image_output(r.image, "embedding", &embedding, error);
    }
    if (!status && prompts)
        status = profile_decoder(model, &embedding, common, prompts, error);
    close_runner(&r);
    free(pixels);
    return status;
}

wsam_status cli_profile(const cli_common *common, long long encodes, long long prompts,
                        wsam_error *error)
{
    wsam_model *model = NULL;
    wsam_status status = wsam_model_open(common->model, &common->runtime, &model, error);
    if (!status)
        status = profile_model(model, common, encodes, prompts, error);
    if (status == WSAM_ERR_MEMORY && !error->message[0])
        snprintf(error->message, sizeof error->message, "no memory for the model's inputs");
    wsam_model_close(model);
    return status;
}
