/* weights/import/torch_legacy.c - PyTorch's container from before 1.6: pickles one after another
 * (magic number, protocol, system information, the object, storage keys), then each storage as a
 * count and its elements. */
#include <stdlib.h>
#include <string.h>

#include "weights/import/pickle.h"

enum { HEAD_CAP = 16 << 20 }; /* all pickles together; SAM ViT-H needs 60 kB */

typedef struct storage {
    const char *key;
    uint32_t length, bytes; /* of the key; of an element */
    uint64_t begin, end;    /* in the file; 0 until it is found there */
} storage;

typedef struct stream {
    ws_source *s;
    unsigned char *head;
    size_t size, at;
    ws_pickle object, keys;
    storage *storages;
    size_t n;
} stream;

static wsam_status next(stream *f, ws_pickle *p, uint32_t *top, wsam_error *error)
{
    size_t used;
    const wsam_status status =
        ws_unpickle(p, f->s->path, f->head + f->at, f->size - f->at, top, &used, error);
    f->at += used;
    return status;
}

/* Magic number, protocol and system information: little-endian is all that has ever been written.
 */
static wsam_status skip_preamble(stream *f, wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (int i = 0; i < 3 && !status; i++) {
        ws_pickle p;
        uint32_t top;
        status = next(f, &p, &top, error);
        if (!status && i == 1 && (p.nodes[top].kind != WS_NODE_INT || p.nodes[top].number != 1001))
            status =
                ws_fail(error, WSAM_ERR_UNSUPPORTED, "%s: an unknown legacy protocol", f->s->path);
        ws_pickle_free(&p);
    }
    return status;
}

static int by_key(const void *x, const void *y)
{
    const storage *a = x, *b = y;
    const int order = memcmp(a->key, b->key, a->length < b->length ? a->length : b->length);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static storage *find(const stream *f, const char *key, uint32_t length)
{
    const storage wanted = {.key = key, .length = length};
    return f->n ? bsearch(&wanted, f->storages, f->n, sizeof *f->storages, by_key) : NULL;
}

/* The storages that the object names, sorted by key, each once; their place is not known yet. */
static wsam_status index_storages(stream *f, wsam_error *error)
{
    const ws_pickle *p = &f->object;
    size_t n = 0, kept = 0;
    f->storages = calloc(p->n_nodes + 1, sizeof *f->storages);
    if (!f->storages)
        return ws_no_memory(error, f->s->path);
    for (size_t i = 1; i < p->n_nodes; i++)
        if (p->nodes[i].kind == WS_NODE_STORAGE)
            f->storages[n++] = (storage){
                .key = p->nodes[i].text, .length = p->nodes[i].length, .bytes = p->nodes[i].bytes};
    if (n)
        qsort(f->storages, n, sizeof *f->storages, by_key);
    for (size_t i = 0; i < n; i++) {
        if (!kept || by_key(&f->storages[kept - 1], &f->storages[i]) != 0)
            f->storages[kept++] = f->storages[i];
        else if (f->storages[kept - 1].bytes != f->storages[i].bytes)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: a storage of two types", f->s->path);
    }
    f->n = kept;
    return WSAM_OK;
}

/* Walks the storages behind the pickles in the order of the key list: a count, then the elements.
 */
static wsam_status place_storages(stream *f, uint32_t list, wsam_error *error)
{
    const ws_pickle *p = &f->keys;
    uint64_t at = f->at;
    for (uint32_t c = p->nodes[list].first; c; c = p->cells[c].next) {
        const ws_node *key = &p->nodes[p->cells[c].node];
        storage *found = key->kind == WS_NODE_STRING ? find(f, key->text, key->length) : NULL;
        unsigned char count[8];
        const wsam_status status = ws_source_bytes(f->s, at, count, 8, error);
        if (status)
            return status;
        uint64_t n = 0;
        for (int i = 7; i >= 0; i--)
            n = n << 8 | count[i];
        at += 8;
        if (!found || found->begin || n > (f->s->size - at) / found->bytes)
            return ws_fail(error, WSAM_ERR_FORMAT,
                           "%s: a storage is unknown, there twice, or truncated", f->s->path);
        found->begin = at;
        found->end = at + n * found->bytes;
        at = found->end;
    }
    return WSAM_OK;
}

static int locate(void *user, const ws_node *node, uint64_t *begin, uint64_t *end)
{
    const storage *found = find(user, node->text, node->length);
    if (!found || !found->begin)
        return 0;
    *begin = found->begin;
    *end = found->end;
    return 1;
}

static wsam_status read_stream(stream *f, wsam_error *error)
{
    uint32_t top, list;
    wsam_status status = ws_source_bytes(f->s, 0, f->head, f->size, error);
    if (!status)
        status = skip_preamble(f, error);
    if (!status)
        status = next(f, &f->object, &top, error);
    if (!status)
        status = next(f, &f->keys, &list, error);
    if (!status && f->keys.nodes[list].kind != WS_NODE_TUPLE)
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no list of storages", f->s->path);
    if (!status)
        status = index_storages(f, error);
    if (!status)
        status = place_storages(f, list, error);
    if (!status)
        status = ws_state_dict_tensors(&f->object, top, f->s, locate, f, error);
    return status;
}

wsam_status ws_torch_legacy_read(ws_source *s, wsam_error *error)
{
    stream f = {.s = s, .size = s->size < HEAD_CAP ? (size_t)s->size : HEAD_CAP};
    f.head = malloc(f.size);
    const wsam_status status = f.head ? read_stream(&f, error) : ws_no_memory(error, s->path);
    ws_pickle_free(&f.object);
    ws_pickle_free(&f.keys);
    free(f.storages);
    free(f.head);
    return status;
}
