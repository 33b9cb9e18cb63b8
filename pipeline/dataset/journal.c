/* pipeline/dataset/journal.c - see journal.h. */
#include "pipeline/dataset/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/read_at.h"
#include "pipeline/stages/lines.h"

enum { MAGIC = 0x324a5357 /* "WSJ2" */ };

typedef struct header {
    uint32_t magic, group;
    uint64_t bytes, hash, key;
} header;

/* More than any picture's results: what a length may ask to read. */
static const uint64_t max_record = (uint64_t)1 << 32;

/* ---- journals ---- */

/* Whether the payload is whole; `failed` is its first number. */
static int payload_good(int fd, const header *h, uint64_t offset, int32_t *failed)
{
    char bytes[1 << 14];
    XXH64_state_t state;
    XXH64_reset(&state, h->key);
    for (uint64_t done = 0; done < h->bytes;) {
        const uint64_t left = h->bytes - done;
        const size_t n = left < sizeof bytes ? (size_t)left : sizeof bytes;
        if (!ws_read_at(fd, bytes, n, offset + done))
            return 0;
        if (!done)
            memcpy(failed, bytes, sizeof *failed);
        XXH64_update(&state, bytes, n);
        done += n;
    }
    return XXH64_digest(&state) == h->hash;
}

/* Whether a whole record begins at `offset`. */
static int record_good(int fd, const header *h, uint64_t offset, int32_t *failed)
{
    return h->magic == MAGIC && h->bytes >= sizeof *failed && h->bytes <= max_record &&
           payload_good(fd, h, offset + sizeof *h, failed);
}

/* The first whole record from `offset` on, wherever it begins; 0: none. */
static int find_record(int fd, uint64_t *offset)
{
    static const uint32_t magic = MAGIC;
    char bytes[1 << 14];
    for (uint64_t at = *offset;;) {
        const ssize_t got = pread(fd, bytes, sizeof bytes, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < (ssize_t)sizeof(header))
            return 0;
        const size_t last = (size_t)got - sizeof magic;
        for (size_t i = 0; i <= last; i++) {
            header h;
            int32_t failed;
            if (memcmp(bytes + i, &magic, sizeof magic) == 0 &&
                ws_read_at(fd, &h, sizeof h, at + i) && record_good(fd, &h, at + i, &failed)) {
                *offset = at + i;
                return 1;
            }
        }
        at += last + 1;
    }
}

static int add_place(ws_records_index *x, const ws_place *place)
{
    if (x->n == x->capacity) {
        const size_t capacity = x->capacity ? 2 * x->capacity : 256;
        ws_place *places = realloc(x->places, capacity * sizeof *places);
        if (!places)
            return 0;
        x->places = places;
        x->capacity = capacity;
    }
    x->places[x->n++] = *place;
    return 1;
}

wsam_status ws_journal_scan(int fd, const char *path, int journal, ws_records_index *index,
                            uint64_t *end, size_t *damaged, wsam_error *error)
{
    header h;
    int32_t failed;
    *end = 0;
    while (ws_read_at(fd, &h, sizeof h, *end)) {
        if (!record_good(fd, &h, *end, &failed)) {
            uint64_t next = *end + 1;
            if (!find_record(fd, &next))
                break;
            *end = next;
            ++*damaged;
            continue;
        }
        const ws_place place = {h.key, *end + sizeof h, h.bytes, h.group, journal, failed};
        if (!add_place(index, &place))
            return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory for its records", path);
        *end += sizeof h + h.bytes;
    }
    return WSAM_OK;
}

/* ---- the index ---- */

static int by_key(const void *a, const void *b)
{
    const ws_place *p = a, *q = b;
    if (p->key != q->key)
        return p->key < q->key ? -1 : 1;
    if (p->failed != q->failed) /* the best first, then the last */
        return p->failed ? 1 : -1;
    if (p->journal != q->journal)
        return p->journal > q->journal ? -1 : 1;
    return (p->offset < q->offset) - (p->offset > q->offset);
}

void ws_journal_index_sort(ws_records_index *x)
{
    size_t n = 0;
    if (x->n)
        qsort(x->places, x->n, sizeof *x->places, by_key);
    for (size_t i = 0; i < x->n; i++)
        if (!n || x->places[n - 1].key != x->places[i].key)
            x->places[n++] = x->places[i];
    x->n = n;
}

const ws_place *ws_journal_index_find(const ws_records_index *x, uint64_t key)
{
    size_t low = 0;
    for (size_t high = x->n; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (x->places[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < x->n && x->places[low].key == key ? &x->places[low] : NULL;
}

void ws_journal_index_free(ws_records_index *x)
{
    free(x->places);
    *x = (ws_records_index){0};
}

/* ---- writing and reading ---- */

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n) {
        const ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return 0;
        bytes += done;
        n -= (size_t)done;
    }
    return 1;
}

wsam_status ws_journal_append(int fd, const char *path, const ws_new_record *records, size_t n,
                              wsam_error *error)
{
    ws_text t = {0};
    for (size_t i = 0; i < n; i++) {
        const ws_text *p = records[i].payload;
        const header h = {MAGIC, records[i].group, p->n, XXH64(p->text, p->n, records[i].key),
                          records[i].key};
        t.failed |= p->failed;
        ws_text_put(&t, (const char *)&h, sizeof h);
        ws_text_put(&t, p->text, p->n);
    }
    const int failed = t.failed;
    const int good = !failed && write_all(fd, t.text, t.n) && fdatasync(fd) == 0;
    const int why = errno;
    free(t.text);
    if (failed)
        return ws_no_memory(error, path);
    return good ? WSAM_OK : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(why));
}

wsam_status ws_journal_read(int fd, const char *path, const ws_place *place, char **bytes,
                            wsam_error *error)
{
    *bytes = malloc((size_t)place->bytes);
    if (!*bytes)
        return ws_no_memory(error, path);
    return ws_read_at(fd, *bytes, (size_t)place->bytes, place->offset)
               ? WSAM_OK
               : ws_fail(error, WSAM_ERR_IO, "%s: reading failed", path);
}
