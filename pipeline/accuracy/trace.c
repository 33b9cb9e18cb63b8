/* pipeline/accuracy/trace.c - wsam_trace: a model operator by operator, beside another lowering,
 * level or file.
 *
 * The model runs once and its values go to a temporary file; then the reference runs, and each of
 * its values is compared with that of the same name as it appears. So neither run's values are in
 * memory at once. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/accuracy/trace.h"
#include "pipeline/segment/segmenter.h"
#include "runtime/model.h"
#include "weights/import/source.h"

enum { ROWS_LEAST = 256 };

/* ---- values of the model ---- */

void ws_trace_name(const ws_graph_def *g, uint32_t op, char name[WS_TRACE_NAME])
{
    int before = 0;
    for (uint32_t i = 0; i < op; i++)
        before += strcmp(g->ops[i].name, g->ops[op].name) == 0 &&
                  strcmp(g->ops[i].kind, g->ops[op].kind) == 0;
    const int n =
        snprintf(name, WS_TRACE_NAME, "%.60s/%s:%s", g->name, g->ops[op].name, g->ops[op].kind);
    if (before && n > 0 && n < WS_TRACE_NAME)
        snprintf(name + n, WS_TRACE_NAME - (size_t)n, ".%d", before);
}

/* The value that the step completes; 0 when it is none of an operator's, or not looked at. */
static int value_of(const ws_exec *x, const ws_step *s, const char *pattern,
                    char name[WS_TRACE_NAME])
{
    const ws_graph_def *g = x->program->graph;
    if (s->value >= WS_REF_TENSOR || s->value < g->n_inputs)
        return 0;
    ws_trace_name(g, s->value - g->n_inputs, name);
    return !pattern || fnmatch(pattern, name, 0) == 0;
}

static void set_range(const float *v, size_t n, wsam_trace_row *row)
{
    row->lowest = n ? (double)v[0] : 0.0;
    row->highest = row->lowest;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)v[i];
        if (isnan(d)) {
            row->lowest = row->highest = d;
            return;
        }
        row->lowest = d < row->lowest ? d : row->lowest;
        row->highest = d > row->highest ? d : row->highest;
    }
}

static ws_trace_value *new_value(ws_trace *t)
{
    if (t->n == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : ROWS_LEAST;
        ws_trace_value *grown = realloc(t->values, capacity * sizeof *grown);
        if (!grown) {
            t->status = ws_fail(t->error, WSAM_ERR_MEMORY, "no memory for a trace");
            return NULL;
        }
        t->values = grown;
        t->capacity = capacity;
    }
    return &t->values[t->n];
}

static wsam_status transfer(ws_trace *t, int write, uint64_t offset, void *data, size_t bytes)
{
    char *at = data;
    while (bytes && !t->status) {
        const ssize_t n = write ? pwrite(t->fd, at, bytes, (off_t)offset)
                                : pread(t->fd, at, bytes, (off_t)offset);
        if (n <= 0)
            t->status = ws_fail(t->error, WSAM_ERR_IO, "%s: cannot %s a trace's values", t->folder,
                                write ? "write" : "read");
        at += n > 0 ? n : 0;
        offset += n > 0 ? (uint64_t)n : 0;
        bytes -= n > 0 ? (size_t)n : 0;
    }
    return t->status;
}

/* Keeps a value of the model. */
static void keep(void *user, const ws_exec *x, const ws_step *s)
{
    ws_trace *t = user;
    char name[WS_TRACE_NAME];
    if (t->status || !value_of(x, s, t->pattern, name))
        return;
    ws_trace_value *v = new_value(t);
    if (!v)
        return;
    const ws_shape *shape = &x->values[s->value].shape;
    *v = (ws_trace_value){.offset = t->bytes, .n = ws_step_buffer_total(x, s->out)};
    memcpy(v->name, name, sizeof name);
    snprintf(v->step, sizeof v->step, "%s", s->kind->name);
    snprintf(v->kernel, sizeof v->kernel, "%s", s->kernel);
    v->row.rank = shape->rank;
    memcpy(v->row.shape, shape->dims, sizeof shape->dims);
    set_range(x->data[s->out], v->n, &v->row);
    t->bytes += v->n * sizeof(float);
    t->n++;
    transfer(t, 1, v->offset, x->data[s->out], v->n * sizeof(float));
}

/* ---- comparison ---- */

void ws_trace_compare(const float *got, const float *want, size_t n, wsam_trace_row *row)
{
    double square = 0.0, norm = 0.0;
    row->compared = 1;
    for (size_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - (double)want[i]);
        const int same = got[i] <= want[i] && got[i] >= want[i]; /* two infinities, too */
        const double by = same ? 0.0 : isnan(d) ? INFINITY : d;
        square += by * by;
        norm += isfinite(want[i]) ? (double)want[i] * (double)want[i] : 0.0;
        if (i == 0 || by > row->largest) {
            row->largest = by;
            row->at = (int64_t)i;
            row->got = got[i];
            row->want = want[i];
        }
    }
    row->relative_l2 = norm > 0.0 ? sqrt(square / norm) : sqrt(square);
}

static ws_trace_value *find(ws_trace *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->values[i].name, name) == 0)
            return &t->values[i];
    return NULL;
}

static float *load(ws_trace *t, const ws_trace_value *v)
{
    float *data = malloc(v->n * sizeof *data + 1);
    if (!data)
        t->status = ws_fail(t->error, WSAM_ERR_MEMORY, "no memory for a trace");
    else if (transfer(t, 0, v->offset, data, v->n * sizeof *data)) {
        free(data);
        data = NULL;
    }
    return data;
}

/* Compares a value of the reference. */
static void compare(void *user, const ws_exec *x, const ws_step *s)
{
    ws_trace *t = user;
    char name[WS_TRACE_NAME];
    if (t->status || !value_of(x, s, t->pattern, name))
        return;
    ws_trace_value *v = find(t, name);
    if (!v || v->n != ws_step_buffer_total(x, s->out))
        return;
    float *got = load(t, v);
    if (got)
        ws_trace_compare(got, x->data[s->out], v->n, &v->row);
    free(got);
}

static wsam_status compare_file(ws_trace *t, const char *path)
{
    ws_source *source = NULL;
    size_t found = 0;
    if ((t->status = ws_source_open(path, &source, t->error)))
        return t->status;
    for (size_t i = 0; i < t->n && !t->status; i++) {
        ws_trace_value *v = &t->values[i];
        const ws_source_tensor *tensor = ws_source_find(source, v->name);
        if (!tensor || ws_source_elements(tensor) != v->n)
            continue;
        float *got = load(t, v), *want = malloc(v->n * sizeof *want + 1);
        if (!want)
            t->status = ws_fail(t->error, WSAM_ERR_MEMORY, "no memory for a trace");
        if (got && want && !(t->status = ws_source_read(source, tensor, want, t->error)))
            ws_trace_compare(got, want, v->n, &v->row);
        free(got);
        free(want);
        found++;
    }
    ws_source_close(source);
    if (!t->status && !found)
        t->status =
            ws_fail(t->error, WSAM_ERR_MISMATCH,
                    "%.300s: no tensor with the name and size of a value of this model", path);
    return t->status;
}

/* ---- runs ---- */

static wsam_status run_prompt(wsam_segmenter *s, const wsam_picture *picture,
                              const wsam_embedding *e, const wsam_prompt *prompt, wsam_error *error)
{
    const wsam_point middle = {picture->width / 2.0, picture->height / 2.0, 1};
    const wsam_prompt click = {.points = &middle, .n_points = 1, .multimask = 1};
    wsam_result *result = NULL;
    const wsam_status status =
        wsam_segmenter_run(s, e, prompt ? prompt : &click, 1, 0, &result, error);
    wsam_result_free(result);
    return status;
}

/* Encodes and runs the prompt, each step of both seen by `observe`. */
static wsam_status run_model(ws_trace *t, const char *path, const wsam_options *options,
                             const wsam_picture *picture, const wsam_prompt *prompt,
                             ws_observe_fn *observe)
{
    wsam_model *model = NULL;
    wsam_segmenter *s = NULL;
    wsam_embedding *embedding = NULL;
    wsam_status status = wsam_model_open(path, options, &model, t->error);
    if (!status && !wsam_model_has_graph(model, "mask_decoder"))
        status = ws_fail(t->error, WSAM_ERR_UNSUPPORTED,
                         "%.300s: only segmentation models can be traced", path);
    if (!status)
        status = wsam_segmenter_create(model, &s, t->error);
    if (!status)
        status = ws_segmenter_encoder_ready(s, t->error);
    if (!status) {
        ws_session_observe(s->encoder, observe, t);
        ws_session_observe(s->decoders[0].session, observe, t);
        status = wsam_segmenter_encode(s, picture, &embedding, t->error);
    }
    if (!status)
        status = run_prompt(s, picture, embedding, prompt, t->error);
    wsam_embedding_free(embedding);
    wsam_segmenter_free(s);
    wsam_model_close(model);
    if (status && !t->status)
        t->status = status;
    return t->status;
}

static int is_level(const char *name)
{
    for (int i = 0; wsam_isa_name(i); i++)
        if (strcmp(wsam_isa_name(i), name) == 0)
            return 1;
    return 0;
}

static wsam_status run_reference(ws_trace *t, const char *path, const wsam_options *options,
                                 const wsam_picture *picture, const wsam_trace_options *o)
{
    wsam_options other = *options;
    if (strcmp(o->reference, "plain") == 0)
        other.lowering = WSAM_LOWERING_PLAIN;
    else if (is_level(o->reference))
        other.isa = o->reference;
    else
        return compare_file(t, o->reference);
    return run_model(t, path, &other, picture, o->prompt, compare);
}

static void tell(const ws_trace *t, wsam_trace_fn fn, void *user)
{
    for (size_t i = 0; i < t->n; i++) {
        ws_trace_value *v = &t->values[i];
        v->row.name = v->name;
        v->row.step = v->step;
        v->row.kernel = v->kernel;
        if (fn(user, &v->row))
            return;
    }
}

wsam_status wsam_trace(const char *path, const wsam_options *options, const wsam_picture *picture,
                       const wsam_trace_options *o, wsam_trace_fn fn, void *user, wsam_error *error)
{
    static const wsam_trace_options none;
    wsam_options run;
    ws_trace t = {.fd = -1, .error = error};
    char name[1024];
    wsam_options_default(&run);
    run = options ? *options : run;
    run.max_memory = 0; /* the decoder is opened with the model */
    o = o ? o : &none;
    t.pattern = o->pattern;
    t.folder = getenv("TMPDIR") && *getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    snprintf(name, sizeof name, "%.900s/weaksam-trace-XXXXXX", t.folder);
    t.fd = mkstemp(name);
    if (t.fd < 0)
        return ws_fail(error, WSAM_ERR_IO, "%.900s: no temporary file can be made", t.folder);
    unlink(name);
    run_model(&t, path, &run, picture, o->prompt, keep);
    if (!t.status && o->reference)
        run_reference(&t, path, &run, picture, o);
    if (!t.status && o->save)
        t.status = ws_trace_save(&t, o->save);
    if (!t.status && fn)
        tell(&t, fn, user);
    close(t.fd);
    free(t.values);
    return t.status;
}
