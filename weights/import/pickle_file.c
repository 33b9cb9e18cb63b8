/* weights/import/pickle_file.c - a pickle without a container around it (detectron2's .pkl): numpy's
 * arrays stand in the file itself. */
#include <stdlib.h>

#include "weights/import/pickle_machine.h"

/* Text of UTF-8 whose characters are bytes, decoded behind what the source holds already. */
static wsam_status decode_latin(ws_source *s, ws_node *storage, wsam_error *error)
{
    unsigned char *grown = realloc(s->extra, s->n_extra + storage->length + 1);
    if (!grown)
        return ws_no_memory(error, s->path);
    s->extra = grown;
    const size_t begin = s->n_extra;
    int good;
    s->n_extra += ws_pickle_decode_latin(storage, s->extra + begin, &good);
    if (!good)
        return ws_fail(error, WSAM_ERR_FORMAT,
                       "%s: an array's text has characters that are no bytes", s->path);
    storage->begin = s->size + begin;
    storage->end = s->size + s->n_extra;
    storage->number = (int64_t)(s->n_extra - begin) / storage->bytes;
    return WSAM_OK;
}

/* Every storage gets its place: in the file, or behind it. */
static wsam_status place_storages(ws_pickle *p, ws_source *s, const unsigned char *bytes,
                                  wsam_error *error)
{
    wsam_status status = WSAM_OK;
    for (size_t i = 1; i < p->n_nodes && !status; i++) {
        ws_node *n = &p->nodes[i];
        if (n->kind != WS_NODE_BUFFER || !n->text)
            continue;
        n->begin = (uint64_t)((const unsigned char *)n->text - bytes);
        n->end = n->begin + n->length;
        if (n->latin)
            status = decode_latin(s, n, error);
    }
    return status;
}

static int locate(void *user, const ws_node *storage, uint64_t *begin, uint64_t *end)
{
    (void)user;
    *begin = storage->begin;
    *end = storage->end;
    return storage->text != NULL;
}

static wsam_status read_pickle(ws_source *s, const unsigned char *bytes, wsam_error *error)
{
    ws_pickle p = {0};
    uint32_t top;
    size_t used;
    wsam_status status = ws_unpickle(&p, s->path, bytes, (size_t)s->size, &top, &used, error);
    if (!status && p.nodes[top].kind == WS_NODE_DICT && ws_pickle_lookup(&p, top, "blobs"))
        status = ws_fail(error, WSAM_ERR_UNSUPPORTED,
                         "%s: weights of Caffe2 or Detectron; convert them with detectron2 first",
                         s->path);
    p.arrays = 1;
    if (!status)
        status = place_storages(&p, s, bytes, error);
    if (!status)
        status = ws_state_dict_tensors(&p, top, s, locate, NULL, error);
    ws_pickle_free(&p);
    return status;
}

wsam_status ws_read_pickle(ws_source *s, wsam_error *error)
{
    if (s->size > WS_PICKLE_FILE_CAP)
        return ws_fail(error, WSAM_ERR_LIMIT, "%s: a pickle of more than %d MB", s->path,
                       WS_PICKLE_FILE_CAP >> 20);
    unsigned char *bytes = malloc((size_t)s->size);
    wsam_status status =
        bytes ? ws_source_bytes(s, 0, bytes, (size_t)s->size, error) : ws_no_memory(error, s->path);
    if (!status)
        status = read_pickle(s, bytes, error);
    free(bytes);
    return status;
}
