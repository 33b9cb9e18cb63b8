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
#include "base/read_at.h"
#include "kernels/vector.h"
#include "pipeline/accuracy/trace.h"
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

/* The values of a step's buffer as f32; `own` gets those that were stored in bf16. */
static const float *read_values(ws_trace *t, const ws_exec *x, const ws_step *s, size_t n,
                                float **own)
{
    const void *at = x->data[s->out];
    const uint16_t *narrow = at;
    *own = NULL;
    if (!x->program->buffers[s->out].narrow)
        return x->data[s->out];
    *own = malloc(n * sizeof **own + 1);
    if (!*own)
        t->status = ws_fail(t->error, WSAM_ERR_MEMORY, "no memory for a trace");
    for (size_t i = 0; *own && i < n; i++)
        (*own)[i] = ws_f32_from_bf16(narrow[i]);
    return *own;
}

/* With the prompts in front, where there are several (boxes of a detector). */
static void set_shape(const ws_exec *x, const ws_value *v, wsam_trace_row *row)
{
    const int lead =
        v->rate == WSAM_RATE_PROMPT && x->dims->prompts > 1 && v->shape.rank < WSAM_MAX_RANK;
    if (lead)
        row->shape[0] = x->dims->prompts;
    row->rank = v->shape.rank + lead;
    memcpy(row->shape + lead, v->shape.dims, (size_t)v->shape.rank * sizeof *row->shape);
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

static wsam_status transfer_failed(ws_trace *t, const char *verb)
{
    return t->status =
               ws_fail(t->error, WSAM_ERR_IO, "%s: cannot %s a trace's values", t->folder, verb);
}

static void write_values(ws_trace *t, uint64_t offset, const void *data, size_t bytes)
{
    for (const char *at = data; bytes;) {
        const ssize_t n = pwrite(t->fd, at, bytes, (off_t)offset);
        if (n <= 0) {
            transfer_failed(t, "write");
            return;
        }
        at += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
}

static ws_trace_value *find(ws_trace *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->values[i].name, name) == 0)
            return &t->values[i];
    return NULL;
}

/* Keeps a value of the model, the first of its name: heads of detectors run several times. */
static void keep(void *user, const ws_exec *x, const ws_step *s)
{
    ws_trace *t = user;
    char name[WS_TRACE_NAME];
    if (t->status || !value_of(x, s, t->pattern, name) || find(t, name))
        return;
    ws_trace_value *v = new_value(t);
    if (!v)
        return;
    float *own;
    *v = (ws_trace_value){.offset = t->bytes, .n = ws_step_buffer_total(x, s->out)};
    const float *values = read_values(t, x, s, v->n, &own);
    if (!values)
        return;
    memcpy(v->name, name, sizeof name);
    snprintf(v->step, sizeof v->step, "%s", s->kind->name);
    snprintf(v->kernel, sizeof v->kernel, "%s", s->kernel);
    set_shape(x, &x->values[s->value], &v->row);
    set_range(values, v->n, &v->row);
    t->bytes += v->n * sizeof(float);
    t->n++;
    write_values(t, v->offset, values, v->n * sizeof(float));
    free(own);
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

static float *load(ws_trace *t, const ws_trace_value *v)
{
    float *data = malloc(v->n * sizeof *data + 1);
    if (!data)
        t->status = ws_fail(t->error, WSAM_ERR_MEMORY, "no memory for a trace");
    else if (!ws_read_at(t->fd, data, v->n * sizeof *data, v->offset)) {
        transfer_failed(t, "read");
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
    if (!v || v->row.compared || v->n != ws_step_buffer_total(x, s->out))
        return;
    float *own = NULL, *got = load(t, v);
    const float *want = got ? read_values(t, x, s, v->n, &own) : NULL;
    if (want)
        ws_trace_compare(got, want, v->n, &v->row);
    free(own);
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

/* ---- the whole ---- */

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
    return ws_trace_run(t, path, &other, picture, o->prompt, compare);
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
    ws_trace_run(&t, path, &run, picture, o->prompt, keep);
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
