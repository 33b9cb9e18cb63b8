/* pipeline/tokens/join.c - see join.h. */
#include "pipeline/tokens/join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/output.h"
#include "runtime/load/weight_file.h"
#include "weights/tables.h"

enum { HEAD, NETWORK, FILES, PIECE = 1 << 20 };

typedef struct join {
    ws_file *file[FILES];
    uint64_t data[FILES]; /* where the data of each begin in the joined data */
    ws_sections sections;
    ws_output_file out;
} join;

static const ws_section *data_of(const ws_file *f)
{
    return &f->sections[WS_SECTION_DATA - 1];
}

/* ---- metadata ---- */

static void put_entry(ws_bytes *out, const char *key, const ws_metadata *m)
{
    ws_bytes_put_string(out, key);
    ws_bytes_put_u8(out, m->kind);
    switch (m->kind) {
    case WS_META_STRING:
        ws_bytes_put_long_string(out, m->string);
        break;
    case WS_META_INT:
        ws_bytes_put_u64(out, (uint64_t)m->integer);
        break;
    case WS_META_NUMBERS:
        ws_bytes_put_u32(out, (uint32_t)m->count);
        for (size_t i = 0; i < m->count; i++)
            ws_bytes_put_f64(out, m->numbers[i]);
        break;
    case WS_META_STRINGS:
        ws_bytes_put_u32(out, (uint32_t)m->count);
        for (size_t i = 0; i < m->count; i++)
            ws_bytes_put_string(out, m->strings[i]);
        break;
    }
}

typedef struct entry {
    const char *key;
    const ws_metadata *value;
} entry;

static int by_key(const void *a, const void *b)
{
    const entry *p = a, *q = b;
    return strcmp(p->key, q->key);
}

/* Of both files, sorted; free(). */
static entry *collect(const join *j, size_t *n)
{
    const ws_file *head = j->file[HEAD], *network = j->file[NETWORK];
    entry *all = calloc(head->n_metadata + network->n_metadata + 1, sizeof *all);
    *n = 0;
    for (size_t i = 0; all && i < head->n_metadata; i++)
        all[(*n)++] = (entry){head->metadata[i].key, &head->metadata[i]};
    for (size_t i = 0; all && i < network->n_metadata; i++) {
        const ws_metadata *m = &network->metadata[i];
        if (strcmp(m->key, "model.id") == 0)
            all[(*n)++] = (entry){"clue_head.network", m};
        else if (!ws_weight_file_metadata(head, m->key))
            all[(*n)++] = (entry){m->key, m};
    }
    if (all)
        qsort(all, *n, sizeof *all, by_key);
    return all;
}

static int put_metadata(join *j)
{
    size_t n;
    entry *all = collect(j, &n);
    ws_bytes *out = &j->sections.table[0];
    ws_bytes_put_u32(out, (uint32_t)n);
    for (size_t i = 0; all && i < n; i++)
        put_entry(out, all[i].key, all[i].value);
    free(all);
    return all != NULL;
}

/* ---- tensors and graphs ---- */

static void put_tensors(join *j)
{
    ws_bytes *out = &j->sections.table[1];
    ws_bytes_put_u32(out, (uint32_t)(j->file[HEAD]->n_tensors + j->file[NETWORK]->n_tensors));
    for (int f = 0; f < FILES; f++)
        for (size_t i = 0; i < j->file[f]->n_tensors; i++) {
            ws_tensor_def t = j->file[f]->tensors[i];
            t.offset += j->data[f];
            t.scale_offset += t.scale_bytes ? j->data[f] : 0;
            ws_tables_put_tensor(out, &t);
        }
}

static int is_tensor(uint32_t ref)
{
    return ref != WS_REF_NONE && ref & WS_REF_TENSOR;
}

/* References to tensors count from the file's first one in the joined table. */
static void put_graphs(join *j)
{
    ws_bytes *out = &j->sections.table[2];
    ws_bytes_put_u32(out, (uint32_t)(j->file[HEAD]->n_graphs + j->file[NETWORK]->n_graphs));
    for (int f = 0; f < FILES; f++)
        for (size_t i = 0; i < j->file[f]->n_graphs; i++) {
            ws_graph_def *g = &j->file[f]->graphs[i];
            const uint32_t first = f == HEAD ? 0 : (uint32_t)j->file[HEAD]->n_tensors;
            for (uint32_t k = 0; k < g->n_ops; k++)
                for (uint32_t in = 0; in < g->ops[k].n_inputs; in++)
                    g->ops[k].inputs[in] += is_tensor(g->ops[k].inputs[in]) ? first : 0;
            for (uint32_t k = 0; k < g->n_outputs; k++)
                g->outputs[k].ref += is_tensor(g->outputs[k].ref) ? first : 0;
            ws_tables_put_graph(out, g);
        }
}

/* ---- the file ---- */

static wsam_status copy_data(const join *j, int f, wsam_error *error)
{
    const ws_section *from = data_of(j->file[f]);
    char *piece = malloc(PIECE);
    wsam_status status = piece ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory to copy");
    for (uint64_t at = 0; at < from->size && !status; at += PIECE) {
        const size_t n = from->size - at < PIECE ? (size_t)(from->size - at) : PIECE;
        status = ws_weight_file_read(j->file[f], from->offset + at, piece, n, error);
        if (!status)
            status = ws_output_write_at(&j->out, j->sections.offset[3] + j->data[f] + at, piece, n,
                                        error);
    }
    free(piece);
    return status;
}

static wsam_status write_all(join *j, wsam_error *error)
{
    ws_bytes header = {0};
    ws_sections *s = &j->sections;
    const uint64_t end = s->offset[3] + s->size[3];
    wsam_status status = WSAM_OK;
    ws_tables_put_header(&header, s);
    if (header.failed)
        status = ws_fail(error, WSAM_ERR_MEMORY, "no memory for the tables");
    else if (ftruncate(j->out.fd, (off_t)end) != 0)
        status = ws_fail(error, WSAM_ERR_IO, "%.500s: %s", j->out.path, strerror(errno));
    if (!status)
        status = ws_output_write_at(&j->out, 0, header.data, header.size, error);
    for (int i = 0; i < 3 && !status; i++)
        status =
            ws_output_write_at(&j->out, s->offset[i], s->table[i].data, s->table[i].size, error);
    for (int f = 0; f < FILES && !status; f++)
        status = copy_data(j, f, error);
    free(header.data);
    return status;
}

static wsam_status make_tables(join *j, wsam_error *error)
{
    j->data[NETWORK] = ws_align64((size_t)data_of(j->file[HEAD])->size);
    const int good = put_metadata(j);
    put_tensors(j);
    put_graphs(j);
    ws_tables_place(&j->sections, j->data[NETWORK] + data_of(j->file[NETWORK])->size);
    return good && !j->sections.table[0].failed && !j->sections.table[1].failed &&
                   !j->sections.table[2].failed
               ? WSAM_OK
               : ws_fail(error, WSAM_ERR_MEMORY, "no memory for the tables");
}

wsam_status ws_join_clue_head(const char *head, const char *network, const char *out,
                              wsam_error *error)
{
    join j = {.data = {0}};
    wsam_status status = ws_weight_file_open(head, &j.file[HEAD], error);
    if (!status)
        status = ws_weight_file_open(network, &j.file[NETWORK], error);
    if (!status && ws_weight_file_graph(j.file[NETWORK], "clue_head"))
        status = ws_fail(error, WSAM_ERR_MISMATCH,
                         "%s: clues that were learnt: give the network that they were learnt on",
                         network);
    if (!status)
        status = make_tables(&j, error);
    if (!status)
        status = ws_output_open(&j.out, out, 1, error);
    if (!status)
        status = ws_output_finish(&j.out, write_all(&j, error), error);
    for (int i = 0; i < 3; i++)
        free(j.sections.table[i].data);
    ws_weight_file_close(j.file[HEAD]);
    ws_weight_file_close(j.file[NETWORK]);
    return status;
}
