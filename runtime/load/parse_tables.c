/* runtime/load/parse_tables.c - the metadata, tensor and graph tables: bytes to structures. Every
 * count is compared with the caps and with the bytes that are left before anything is allocated for
 * it. */
#include <stdlib.h>
#include <string.h>

#include "runtime/load/weight_file.h"

/* A bounded reader. After the first failure it returns zeros. */
typedef struct cursor {
    const ws_file *file;
    const char *what;
    const unsigned char *at, *end;
    wsam_status status;
    wsam_error *error;
} cursor;

static void broken(cursor *c, const char *why)
{
    if (!c->status)
        c->status = ws_fail(c->error, WSAM_ERR_FORMAT, "%s: %s: %s", c->file->path, c->what, why);
}

static uint64_t take(cursor *c, int n)
{
    uint64_t v = 0;
    if (c->status)
        return 0;
    if (c->end - c->at < n) {
        broken(c, "the table ends early");
        return 0;
    }
    for (int i = n - 1; i >= 0; i--)
        v = v << 8 | c->at[i];
    c->at += n;
    return v;
}

static uint32_t take_u32(cursor *c)
{
    return (uint32_t)take(c, 4);
}

static double take_f64(cursor *c)
{
    const uint64_t u = take(c, 8);
    double v;
    memcpy(&v, &u, sizeof v);
    return v;
}

/* A count of items of at least `bytes` each. */
static uint32_t take_count(cursor *c, uint32_t cap, size_t bytes, const char *what)
{
    const uint32_t n = take_u32(c);
    if (c->status)
        return 0;
    if (n > cap || n > (size_t)(c->end - c->at) / bytes) {
        broken(c, what);
        return 0;
    }
    return n;
}

/* A string of n bytes into to[0..n]; no zero byte inside. */
static void take_bytes(cursor *c, char *to, size_t n)
{
    to[0] = 0;
    if (c->status)
        return;
    if ((size_t)(c->end - c->at) < n || memchr(c->at, 0, n)) {
        broken(c, "a bad string");
        return;
    }
    memcpy(to, c->at, n);
    to[n] = 0;
    c->at += n;
}

static void take_string(cursor *c, char *to, size_t size)
{
    const size_t n = (size_t)take(c, 2);
    to[0] = 0;
    if (n >= size)
        broken(c, "a name is too long");
    else
        take_bytes(c, to, n);
}

static void *take_array(cursor *c, size_t n, size_t item)
{
    void *p = c->status ? NULL : calloc(n + 1, item);
    if (!p && !c->status)
        c->status =
            ws_fail(c->error, WSAM_ERR_MEMORY, "%s: no memory for its tables", c->file->path);
    return p;
}

static char *take_new_string(cursor *c, int length_bytes)
{
    const size_t n = (size_t)take(c, length_bytes);
    if (n > WS_CAP_STRING || (!c->status && (size_t)(c->end - c->at) < n)) {
        broken(c, "a string is too long");
        return NULL;
    }
    char *s = take_array(c, n + 1, 1);
    if (s)
        take_bytes(c, s, n);
    return s;
}

static wsam_status finish(cursor *c)
{
    if (!c->status && c->at != c->end)
        broken(c, "bytes after the end of the table");
    return c->status;
}

/* ---- metadata ---- */

static void take_metadata(cursor *c, ws_metadata *m)
{
    m->key = take_new_string(c, 2);
    m->kind = (ws_meta_kind)take(c, 1);
    switch (m->kind) {
    case WS_META_STRING:
        m->string = take_new_string(c, 4);
        return;
    case WS_META_INT:
        m->integer = (int64_t)take(c, 8);
        return;
    case WS_META_NUMBERS:
        m->count = take_count(c, WS_CAP_METADATA_LIST, 8, "a list of numbers is too long");
        m->numbers = take_array(c, m->count, sizeof *m->numbers);
        for (size_t i = 0; i < m->count && !c->status; i++)
            m->numbers[i] = take_f64(c);
        return;
    case WS_META_STRINGS:
        m->count = take_count(c, WS_CAP_METADATA_LIST, 2, "a list of strings is too long");
        m->strings = take_array(c, m->count, sizeof *m->strings);
        for (size_t i = 0; i < m->count && !c->status; i++)
            m->strings[i] = take_new_string(c, 2);
        return;
    }
    broken(c, "an entry of unknown kind");
}

wsam_status ws_parse_tables_metadata(ws_file *f, const unsigned char *bytes, size_t n,
                                     wsam_error *error)
{
    cursor c = {f, "metadata", bytes, bytes + n, WSAM_OK, error};
    const uint32_t count = take_count(&c, WS_CAP_METADATA, 4, "too many entries");
    f->metadata = take_array(&c, count, sizeof *f->metadata);
    for (uint32_t i = 0; i < count && !c.status; i++) {
        f->n_metadata = i + 1;
        take_metadata(&c, &f->metadata[i]);
        if (!c.status && i && strcmp(f->metadata[i - 1].key, f->metadata[i].key) >= 0)
            broken(&c, "keys are not sorted");
    }
    return finish(&c);
}

/* ---- tensors ---- */

static size_t type_bytes(wsam_type type)
{
    return type == WSAM_F32 ? 4 : (type == WSAM_BF16 ? 2 : 1);
}

/* Shape, size, place: `end` is where the tensor before ends. */
static void check_tensor(cursor *c, const ws_tensor_def *t, uint64_t *end)
{
    const uint64_t data = c->file->sections[3].size;
    uint64_t elements = 1;
    for (int d = 0; d < t->rank; d++) {
        if (t->dims[d] < 1 || t->dims[d] > WS_CAP_DIM) {
            broken(c, "a dimension is out of range");
            return;
        }
        if (elements > data / t->dims[d]) {
            broken(c, "a size does not fit its shape");
            return;
        }
        elements *= t->dims[d];
    }
    if (t->bytes != elements * type_bytes(t->type))
        broken(c, "a size does not fit its shape");
    else if (t->offset % 64 || t->offset < *end || t->offset > data || t->bytes > data - t->offset)
        broken(c, "data is misplaced, outside the file or overlaps");
    *end = t->offset + t->bytes;
    if (c->status)
        return;
    const int s8 = t->type == WSAM_S8;
    if (s8 ? t->scale_bytes != (uint64_t)t->dims[0] * sizeof(float)
           : t->scale_bytes != 0 || t->scale_offset != 0) {
        broken(c, "scales do not fit the type");
    } else if (s8) {
        if (t->scale_offset % 64 || t->scale_offset < *end || t->scale_offset > data ||
            t->scale_bytes > data - t->scale_offset)
            broken(c, "scales are misplaced, outside the file or overlap");
        *end = t->scale_offset + t->scale_bytes;
    }
}

static void take_tensor(cursor *c, ws_tensor_def *t, uint64_t *end)
{
    static const char *const what = "tensor table";
    take_string(c, t->name, sizeof t->name);
    c->what = c->status || !t->name[0] ? what : t->name;
    const uint64_t type = take(c, 1), rank = take(c, 1);
    if (!c->status && (type > WSAM_S8 || rank < 1 || rank > WSAM_MAX_RANK)) {
        broken(c, "unknown type or rank");
        return;
    }
    t->type = (wsam_type)type;
    t->rank = (int)rank;
    for (int d = 0; d < t->rank; d++)
        t->dims[d] = take_u32(c);
    t->offset = take(c, 8);
    t->bytes = take(c, 8);
    t->scale_offset = take(c, 8);
    t->scale_bytes = take(c, 8);
    t->hash = take(c, 8);
    if (!c->status)
        check_tensor(c, t, end);
    if (!c->status)
        c->what = what;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_unique(cursor *c, const ws_file *f)
{
    const char **names = take_array(c, f->n_tensors, sizeof *names);
    for (size_t i = 0; names && i < f->n_tensors; i++)
        names[i] = f->tensors[i].name;
    if (names && f->n_tensors)
        qsort(names, f->n_tensors, sizeof *names, by_name);
    for (size_t i = 1; names && i < f->n_tensors; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            broken(c, "two tensors have the same name");
    free(names);
}

wsam_status ws_parse_tables_tensors(ws_file *f, const unsigned char *bytes, size_t n,
                                    wsam_error *error)
{
    cursor c = {f, "tensor table", bytes, bytes + n, WSAM_OK, error};
    const uint32_t count = take_count(&c, WS_CAP_TENSORS, 48, "too many tensors");
    uint64_t end = 0;
    f->tensors = take_array(&c, count, sizeof *f->tensors);
    for (uint32_t i = 0; i < count && !c.status; i++) {
        f->n_tensors = i + 1;
        take_tensor(&c, &f->tensors[i], &end);
    }
    if (!c.status)
        check_unique(&c, f);
    return finish(&c);
}

/* ---- graphs ---- */

static void take_attr(cursor *c, const ws_graph_def *g, ws_attr_def *a)
{
    take_string(c, a->name, sizeof a->name);
    a->kind = (ws_attr_kind)take(c, 1);
    switch (a->kind) {
    case WS_ATTR_INT:
        a->i = (int64_t)take(c, 8);
        return;
    case WS_ATTR_FLOAT:
        a->f = take_f64(c);
        return;
    case WS_ATTR_STRING:
        take_string(c, a->s, sizeof a->s);
        return;
    case WS_ATTR_SYMBOL:
        a->i = take_u32(c);
        if (!c->status && a->i >= g->n_symbols)
            broken(c, "an attribute names a symbol that is not there");
        return;
    }
    broken(c, "an attribute of unknown kind");
}

/* Values before operator i: the graph's inputs and the operators before it. */
static void check_ref(cursor *c, const ws_graph_def *g, uint32_t ref, uint32_t i, int optional)
{
    if (c->status || (optional && ref == WS_REF_NONE))
        return;
    if (ref >= WS_REF_TENSOR) {
        if (ref == WS_REF_NONE || ref - WS_REF_TENSOR >= c->file->n_tensors)
            broken(c, "a reference to a tensor that is not there");
    } else if (ref >= g->n_inputs + g->n_ops) {
        broken(c, "a reference to a value that is not there");
    } else if (ref >= g->n_inputs + i) {
        broken(c, "an operator uses a value that comes later (a cycle)");
    }
}

static void take_op(cursor *c, const ws_graph_def *g, uint32_t i)
{
    ws_op_def *op = &g->ops[i];
    take_string(c, op->kind, sizeof op->kind);
    take_string(c, op->name, sizeof op->name);
    op->n_inputs = take_count(c, WS_CAP_OP_INPUTS, 4, "an operator has too many inputs");
    for (uint32_t j = 0; j < op->n_inputs && !c->status; j++) {
        op->inputs[j] = take_u32(c);
        check_ref(c, g, op->inputs[j], i, 1);
    }
    const uint32_t attrs = take_count(c, WS_CAP_ATTRS, 3, "an operator has too many attributes");
    op->attrs = take_array(c, attrs, sizeof *op->attrs);
    op->n_attrs = c->status ? 0 : attrs;
    for (uint32_t j = 0; j < op->n_attrs && !c->status; j++)
        take_attr(c, g, &op->attrs[j]);
}

static void take_symbols(cursor *c, ws_graph_def *g)
{
    g->n_symbols = take_count(c, WS_CAP_SYMBOLS, 14, "too many symbols");
    g->symbols = take_array(c, g->n_symbols, sizeof *g->symbols);
    for (uint32_t i = 0; i < g->n_symbols && !c->status; i++) {
        ws_symbol_def *s = &g->symbols[i];
        take_string(c, s->name, sizeof s->name);
        s->min = take_u32(c);
        s->max = take_u32(c);
        s->multiple = take_u32(c);
        if (!c->status && (s->min > s->max || s->max > WS_CAP_DIM || s->multiple < 1 ||
                           s->min % s->multiple || strcmp(s->name, "prompts") == 0))
            broken(c, "a symbol's range makes no sense");
    }
}

static void take_inputs(cursor *c, ws_graph_def *g)
{
    g->n_inputs = take_count(c, WS_CAP_INPUTS, 5, "too many inputs");
    g->inputs = take_array(c, g->n_inputs, sizeof *g->inputs);
    for (uint32_t i = 0; i < g->n_inputs && !c->status; i++) {
        ws_input_def *in = &g->inputs[i];
        take_string(c, in->name, sizeof in->name);
        const uint64_t type = take(c, 1), rate = take(c, 1), rank = take(c, 1);
        if (!c->status && ((type != WSAM_F32 && type != WSAM_S32) ||
                           (rate != WSAM_RATE_IMAGE && rate != WSAM_RATE_PROMPT) || rank < 1 ||
                           rank > WSAM_MAX_RANK))
            broken(c, "an input has an unknown type, rate or rank");
        in->type = (wsam_type)type;
        in->rate = (wsam_rate)rate;
        in->rank = (int)rank;
        for (int d = 0; d < in->rank && !c->status; d++) {
            in->dims[d] = (int32_t)take_u32(c);
            if (in->dims[d] > WS_CAP_DIM || in->dims[d] < -(int32_t)g->n_symbols)
                broken(c, "an input dimension is out of range");
        }
    }
}

static void take_graph(cursor *c, ws_graph_def *g)
{
    take_string(c, g->name, sizeof g->name);
    take_symbols(c, g);
    take_inputs(c, g);
    const uint32_t ops = take_count(c, WS_CAP_OPS, 12, "too many operators");
    g->ops = take_array(c, ops, sizeof *g->ops);
    g->n_ops = c->status ? 0 : ops;
    for (uint32_t i = 0; i < g->n_ops && !c->status; i++)
        take_op(c, g, i);
    g->n_outputs = take_count(c, WS_CAP_OUTPUTS, 6, "too many outputs");
    g->outputs = take_array(c, g->n_outputs, sizeof *g->outputs);
    for (uint32_t i = 0; i < g->n_outputs && !c->status; i++) {
        take_string(c, g->outputs[i].name, sizeof g->outputs[i].name);
        g->outputs[i].ref = take_u32(c);
        check_ref(c, g, g->outputs[i].ref, g->n_ops, 0);
        if (!c->status && g->outputs[i].ref >= WS_REF_TENSOR)
            broken(c, "an output that is no computed value");
    }
}

wsam_status ws_parse_tables_graphs(ws_file *f, const unsigned char *bytes, size_t n,
                                   wsam_error *error)
{
    cursor c = {f, "graph table", bytes, bytes + n, WSAM_OK, error};
    const uint32_t count = take_count(&c, WS_CAP_GRAPHS, 18, "too many graphs");
    f->graphs = take_array(&c, count, sizeof *f->graphs);
    for (uint32_t i = 0; i < count && !c.status; i++) {
        f->n_graphs = i + 1;
        take_graph(&c, &f->graphs[i]);
        for (uint32_t j = 0; j < i && !c.status; j++)
            if (strcmp(f->graphs[j].name, f->graphs[i].name) == 0)
                broken(&c, "two graphs have the same name");
    }
    return finish(&c);
}

/* ---- */

static void free_graph(ws_graph_def *g)
{
    for (uint32_t i = 0; g->ops && i < g->n_ops; i++)
        free(g->ops[i].attrs);
    free(g->ops);
    free(g->symbols);
    free(g->inputs);
    free(g->outputs);
}

void ws_parse_tables_free(ws_file *f)
{
    for (size_t i = 0; i < f->n_metadata; i++) {
        ws_metadata *m = &f->metadata[i];
        for (size_t j = 0; m->strings && j < m->count; j++)
            free(m->strings[j]);
        free(m->strings);
        free(m->numbers);
        free(m->string);
        free(m->key);
    }
    for (size_t i = 0; i < f->n_graphs; i++)
        free_graph(&f->graphs[i]);
    free(f->metadata);
    free(f->tensors);
    free(f->graphs);
}
