/* pipeline/regions/network.c - see network.h. */
#include "pipeline/regions/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/train/checkpoint.h"
#include "weaksam/convert.h"

enum { CLASS_BYTES = 16384, MOST_CLASSES = 1000, PATH = 4096, ROWS = 256 };

/* ---- writing ---- */

static wsam_status class_text(size_t n, const char *const *classes, char text[CLASS_BYTES],
                              size_t *size, wsam_error *error)
{
    *size = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(classes[i]);
        if (*size + length + 1 > CLASS_BYTES || strchr(classes[i], '\n') || !length)
            return ws_fail(error, WSAM_ERR_ARGUMENT,
                           "class %zu has no usable name, or they take over %d bytes", i,
                           CLASS_BYTES);
        if (i)
            text[(*size)++] = '\n';
        memcpy(text + *size, classes[i], length);
        *size += length;
    }
    return WSAM_OK;
}

/* The first layer of plain numbers, and its bias: the standardisation becomes part of it. */
static float *fold_first_layer(const ws_learner *l)
{
    const size_t in = l->head.in[0], out = l->head.out[0];
    float *w = malloc((in + 1) * out * sizeof *w), *bias = w + in * out;
    for (size_t o = 0; o < out && w; o++) {
        double shift = 0.0;
        for (size_t k = 0; k < in; k++) {
            const double v = (double)l->head.w[0][o * in + k] * (double)l->scale[k];
            w[o * in + k] = (float)v;
            shift += v * (double)l->mean[k];
        }
        bias[o] = (float)((double)l->head.b[0][o] - shift);
    }
    return w;
}

static void group_names(const ws_region_layout *layout, uint32_t groups, ws_saved_note *note)
{
    size_t used = 0;
    for (size_t g = 0; g < layout->n_groups; g++)
        if (groups >> g & 1)
            used += (size_t)snprintf(note->value + used, sizeof note->value - used, "%s%s",
                                     used ? "," : "", layout->groups[g].name);
}

/* Weights of one learner as they are saved: the first layer's, and the n-th part of the last one's,
 * so that the outputs of n of them add up to their mean. */
typedef struct member {
    float *first, *last; /* each with its bias behind it */
} member;

static void scale_last_layer(const ws_head *h, size_t n, float *to)
{
    const size_t weights = h->in[2] * h->out[2];
    for (size_t i = 0; i < weights; i++)
        to[i] = h->w[2][i] / (float)n;
    for (size_t i = 0; i < h->out[2]; i++)
        to[weights + i] = h->b[2][i] / (float)n;
}

static int make_member(const ws_learner *l, size_t at, size_t n, member *m, ws_saved *tensors)
{
    const ws_head *h = &l->head;
    const size_t first = h->in[0] * h->out[0], last = h->in[2] * h->out[2];
    char prefix[24];
    m->first = fold_first_layer(l);
    m->last = malloc((last + h->out[2]) * sizeof *m->last);
    if (!m->first || !m->last)
        return 0;
    scale_last_layer(h, n, m->last);
    snprintf(prefix, sizeof prefix, at ? "regions%zu." : "regions.", at);
    ws_checkpoint_tensors(h, prefix, tensors);
    tensors[0].data = m->first;
    tensors[1].data = m->first + first;
    tensors[4].data = m->last;
    tensors[5].data = m->last + last;
    return 1;
}

wsam_status ws_region_network_save(const ws_learner *l, size_t n, const ws_region_layout *layout,
                                   const char *const *classes, const char *parts,
                                   const char *segmenter, const char *network, const char *out,
                                   wsam_error *error)
{
    ws_saved tensors[WS_REGION_MEMBERS * WS_HEAD_TENSORS + 2];
    member members[WS_REGION_MEMBERS] = {{0}};
    ws_saved_note notes[] = {
        {.key = "weaksam.groups"}, {.key = "weaksam.segmenter"}, {.key = "weaksam.network"}};
    char text[CLASS_BYTES], path[PATH];
    size_t size, stem = strlen(out), made = 0;
    wsam_status status = class_text(l->classes, classes, text, &size, error);
    if (status)
        return status;
    if (stem > 5 && strcmp(out + stem - 5, ".wsam") == 0)
        stem -= 5;
    if (snprintf(path, sizeof path, "%.*s.safetensors", (int)stem, out) >= (int)sizeof path)
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", out);
    for (; made < n && !status; made++)
        if (!make_member(&l[made], made, n, &members[made], tensors + made * WS_HEAD_TENSORS))
            status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for region clues");
    tensors[made * WS_HEAD_TENSORS] = (ws_saved){
        .name = "classes", .dtype = "U8", .rank = 1, .shape = {size}, .data = text, .bytes = size};
    tensors[made * WS_HEAD_TENSORS + 1] = (ws_saved){.name = "parts",
                                                     .dtype = "U8",
                                                     .rank = 1,
                                                     .shape = {l->classes},
                                                     .data = parts,
                                                     .bytes = l->classes};
    group_names(layout, l->columns.groups, &notes[0]);
    snprintf(notes[1].value, sizeof notes[1].value, "%s", segmenter);
    snprintf(notes[2].value, sizeof notes[2].value, "%s", network);
    if (!status)
        status = ws_checkpoint_save_tensors(path, tensors, n * WS_HEAD_TENSORS + 2, notes,
                                            sizeof notes / sizeof *notes, error);
    for (size_t i = 0; i < made; i++) {
        free(members[i].first);
        free(members[i].last);
    }
    return status ? status : wsam_convert(path, out, NULL, error);
}

/* ---- opening ---- */

int ws_is_region_network(const wsam_model *model)
{
    return wsam_model_has_graph(model, "regions");
}

static wsam_status split_names(ws_region_network *net, const char *text, wsam_error *error)
{
    net->names = calloc(MOST_CLASSES, sizeof *net->names);
    for (const char *at = text; net->names && at && net->n_classes < MOST_CLASSES;) {
        const size_t n = strcspn(at, "\n");
        net->names[net->n_classes] = strndup(at, n);
        if (!net->names[net->n_classes])
            break;
        net->n_classes++;
        at = at[n] ? at + n + 1 : NULL;
        if (!at)
            return WSAM_OK;
    }
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the classes, or over %d of them",
                   MOST_CLASSES);
}

static wsam_status check_model(const wsam_model *clues, const char *key, const wsam_model *given,
                               const char *what, wsam_error *error)
{
    const char *wants = wsam_model_string(clues, key);
    const char *is = given ? wsam_model_string(given, "model.id") : "";
    if (!wants || strcmp(wants, is ? is : "") == 0)
        return WSAM_OK;
    if (!*wants)
        return WSAM_OK; /* another network may be there; it is not looked at */
    return ws_fail(error, WSAM_ERR_MISMATCH,
                   "these clues were learnt with another %s (id %.12s...): give that one", what,
                   wants);
}

void ws_region_network_free(ws_region_network *net)
{
    for (size_t i = 0; i < net->n_classes; i++)
        free(net->names[i]);
    free(net->names);
    free(net->outputs);
    wsam_session_free(net->session);
    memset(net, 0, sizeof *net);
}

wsam_status ws_region_network_create(ws_region_network *net, wsam_model *model,
                                     const wsam_model *segmenter, const wsam_model *network,
                                     wsam_error *error)
{
    const wsam_dim dims[1] = {{"rois", ROWS}};
    const char *classes = wsam_model_string(model, "regions.classes");
    *net =
        (ws_region_network){.model = model, .groups = wsam_model_string(model, "regions.groups")};
    if (!ws_is_region_network(model) || !classes || !net->groups)
        return ws_fail(error, WSAM_ERR_MISMATCH, "the model is no learnt region clues");
    wsam_status status = check_model(model, "regions.segmenter", segmenter, "segmenter", error);
    if (!status)
        status = check_model(model, "regions.network", network, "backbone", error);
    if (!status)
        status = split_names(net, classes, error);
    net->parts = wsam_model_string(model, "regions.parts");
    if (!status && net->parts && strlen(net->parts) != net->n_classes)
        status = ws_fail(error, WSAM_ERR_MISMATCH, "region clues with parts of other classes");
    if (!status)
        status = wsam_session_create(model, "regions", &net->session, error);
    if (!status)
        status = wsam_session_reserve(net->session, dims, 1, error);
    if (status)
        ws_region_network_free(net);
    return status;
}

/* ---- use ---- */

static int wanted(const char *groups, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = groups; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || !at[n]))
            return 1;
    }
    return 0;
}

/* The chosen numbers of regions [from, from + m), and zeros up to ROWS. Returns how many a region
 * has. */
static size_t choose_numbers(const ws_region_network *net, const ws_region_layout *l, size_t m,
                             const float *rows, float *to, size_t most)
{
    size_t count = 0, at = 0;
    for (size_t g = 0; g < l->n_groups; g++)
        count += wanted(net->groups, l->groups[g].name) ? l->groups[g].count : 0;
    if (count != most)
        return count;
    for (size_t i = 0; i < m; i++)
        for (size_t g = 0; g < l->n_groups; g++) {
            if (!wanted(net->groups, l->groups[g].name))
                continue;
            memcpy(to + at, rows + i * l->count + l->groups[g].first,
                   l->groups[g].count * sizeof *to);
            at += l->groups[g].count;
        }
    memset(to + at, 0, (ROWS * count - at) * sizeof *to);
    return count;
}

static wsam_status run_rows(ws_region_network *net, wsam_image *image, const float *rows,
                            size_t count, size_t m, float *outputs, wsam_error *error)
{
    wsam_tensor view;
    const wsam_tensor input = {.name = "rois",
                               .type = WSAM_F32,
                               .rank = 2,
                               .shape = {ROWS, (int64_t)count},
                               .data = (void *)(uintptr_t)rows};
    wsam_status status = wsam_session_bind(net->session, &input, 1, image, error);
    if (!status)
        status = wsam_image_output(image, "predictions", &view, error);
    if (!status && (size_t)view.shape[1] != 2 * net->n_classes)
        status = ws_fail(error, WSAM_ERR_MISMATCH, "region clues of %lld outputs for %zu classes",
                         (long long)view.shape[1], net->n_classes);
    if (!status)
        memcpy(outputs, view.data, m * 2 * net->n_classes * sizeof *outputs);
    return status;
}

static size_t input_numbers(const ws_region_network *net)
{
    const char *text = wsam_model_string(net->model, "regions.features");
    return text ? strtoull(text, NULL, 10) : 0;
}

wsam_status ws_region_network_run(ws_region_network *net, const ws_region_layout *layout, size_t n,
                                  const float *rows, float *regions, double *picture,
                                  wsam_error *error)
{
    const wsam_dim dims[1] = {{"rois", ROWS}};
    const size_t count = input_numbers(net), outputs = 2 * net->n_classes;
    wsam_image *image = NULL;
    if (n > net->room) {
        free(net->outputs);
        net->room = n;
        net->outputs = malloc(n * outputs * sizeof *net->outputs);
    }
    float *input = ws_alloc64(ROWS * count * sizeof *input);
    wsam_status status = input && (net->outputs || !n)
                             ? wsam_image_create(net->model, "regions", dims, 1, &image, error)
                             : ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu regions", n);
    if (!net->outputs)
        net->room = 0;
    for (size_t at = 0; at < n && !status; at += ROWS) {
        const size_t m = n - at < ROWS ? n - at : ROWS;
        const size_t has = choose_numbers(net, layout, m, rows + at * layout->count, input, count);
        if (has != count)
            status = ws_fail(error, WSAM_ERR_MISMATCH,
                             "these clues want %zu numbers of a region ('%.100s'), and there are "
                             "%zu: another backbone?",
                             count, net->groups, has);
        else
            status = run_rows(net, image, input, count, m, net->outputs + at * outputs, error);
    }
    if (!status)
        ws_learner_probabilities(n, net->n_classes, net->outputs, regions, picture);
    wsam_image_free(image);
    free(input);
    return status;
}
