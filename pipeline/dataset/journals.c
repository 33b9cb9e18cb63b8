/* pipeline/dataset/journals.c - all journals of a run as one store of results by their keys. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/dataset/journal.h"

/* Journals that are open at once: a process may have 1024 files, and there may be more shards. */
enum { OPEN = 256 };

static wsam_status no_memory(wsam_error *error)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "no memory for the journals of a run");
}

/* ---- opening ---- */

/* Opens journal `number` where it is not open, in place of another one of its slot. */
static wsam_status open_one(ws_journals *all, int number, wsam_error *error)
{
    ws_journal *j = &all->list[number];
    int *slot = &all->open[number % OPEN];
    if (j->fd >= 0)
        return WSAM_OK;
    if (*slot) {
        close(all->list[*slot - 1].fd);
        all->list[*slot - 1].fd = -1;
    }
    *slot = 0;
    j->fd = open(j->path, O_RDONLY | O_CLOEXEC);
    if (j->fd < 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", j->path, strerror(errno));
    *slot = number + 1;
    return WSAM_OK;
}

static wsam_status scan_one(ws_journals *all, const char *output, const char *name,
                            wsam_error *error)
{
    const int number = all->n++;
    ws_journal *j = &all->list[number];
    *j = (ws_journal){.name = strdup(name), .path = ws_manifest_state_path(output, name), .fd = -1};
    wsam_status status = j->path && j->name ? open_one(all, number, error) : no_memory(error);
    return status ? status
                  : ws_journal_scan(j->fd, j->path, number, &all->index, &j->end, &all->damaged,
                                    error);
}

static int is_journal(const struct dirent *e)
{
    const size_t n = strlen(e->d_name);
    return n > 8 && strcmp(e->d_name + n - 8, ".journal") == 0;
}

wsam_status ws_journals_open(ws_journals *all, const char *output, wsam_error *error)
{
    struct dirent **names;
    char *path = ws_manifest_state_path(output, "");
    *all = (ws_journals){.open = calloc(OPEN, sizeof *all->open)};
    const int n = path && all->open ? scandir(path, &names, is_journal, alphasort) : -1;
    wsam_status status = WSAM_OK;
    if (n < 0 && (!path || !all->open || errno == ENOMEM))
        status = no_memory(error);
    else if (n < 0)
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path,
                         errno == ENOENT ? "no state of a run" : strerror(errno));
    all->list = n < 0 ? NULL : calloc((size_t)n + 1, sizeof *all->list);
    if (!status && !all->list)
        status = no_memory(error);
    for (int i = 0; i < n; i++) {
        if (!status)
            status = scan_one(all, output, names[i]->d_name, error);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    free(path);
    ws_journal_index_sort(&all->index);
    return status;
}

void ws_journals_close(ws_journals *all)
{
    for (int i = 0; i < all->n; i++) {
        if (all->list[i].fd >= 0)
            close(all->list[i].fd);
        free(all->list[i].name);
        free(all->list[i].path);
        free(all->list[i].ahead);
    }
    ws_journal_index_free(&all->index);
    free(all->list);
    free(all->open);
    *all = (ws_journals){0};
}

wsam_status ws_journals_end(const ws_journals *all, const char *name, uint64_t *end,
                            wsam_error *error)
{
    for (int i = 0; i < all->n; i++)
        if (strcmp(all->list[i].name, name) == 0) {
            *end = all->list[i].end;
            return WSAM_OK;
        }
    *end = 0;
    return ws_fail(error, WSAM_ERR_IO, "%s: the journal is gone", name);
}

/* ---- asking ---- */

ws_progress ws_journals_progress(const ws_journals *all, const ws_keys *k, int *failed)
{
    const ws_place *first = ws_journal_index_find(&all->index, k->first);
    const ws_place *late = first ? ws_journal_index_find(&all->index, k->late) : NULL;
    *failed = first && (first->failed || (late && late->failed));
    if (!first)
        return WS_NOTHING;
    return first->failed || late ? WS_DONE : WS_FIRST;
}

const ws_journal *ws_journals_where(const ws_journals *all, const ws_keys *k)
{
    const ws_place *place = ws_journal_index_find(&all->index, k->late);
    if (!place)
        place = ws_journal_index_find(&all->index, k->first);
    return place ? &all->list[place->journal] : NULL;
}

/* Images go round all journals, so that each is read in pieces of some kilobytes, between which
 * a thousand others are read: a disk or a file server wants larger ones. Memory for all together. */
static size_t ahead_size(const ws_journals *all)
{
    const size_t each = ((size_t)128 << 20) / (size_t)(all->n ? all->n : 1);
    return each < 1 << 14 ? 1 << 14 : each > 1 << 20 ? 1 << 20 : each;
}

static int is_ahead(const ws_journal *j, const ws_place *p)
{
    return j->ahead && p->offset >= j->ahead_at && p->bytes <= j->ahead_n &&
           p->offset - j->ahead_at <= j->ahead_n - p->bytes;
}

/* The payload of a place, in memory of its own. */
static wsam_status read_ahead(ws_journals *all, const ws_place *p, char **bytes, wsam_error *error)
{
    ws_journal *j = &all->list[p->journal];
    const size_t room = ahead_size(all);
    *bytes = NULL;
    if (!is_ahead(j, p)) {
        const wsam_status status = open_one(all, p->journal, error);
        if (status)
            return status;
        if (p->bytes > room)
            return ws_journal_read(j->fd, j->path, p, bytes, error);
        if (!j->ahead && !(j->ahead = malloc(room)))
            return no_memory(error);
        const ssize_t n = pread(j->fd, j->ahead, room, (off_t)p->offset);
        j->ahead_at = p->offset;
        j->ahead_n = n > 0 ? (size_t)n : 0;
        if (!is_ahead(j, p)) /* a short read */
            return ws_journal_read(j->fd, j->path, p, bytes, error);
    }
    *bytes = malloc((size_t)p->bytes);
    if (!*bytes)
        return no_memory(error);
    memcpy(*bytes, j->ahead + (p->offset - j->ahead_at), (size_t)p->bytes);
    return WSAM_OK;
}

static wsam_status read_place(int fd, const char *path, const ws_place *place, wsam_run_output *o,
                              char **failure, wsam_error *error)
{
    char *bytes = NULL;
    wsam_status status = ws_journal_read(fd, path, place, &bytes, error);
    if (!status)
        status = ws_picture_record_get(bytes, (size_t)place->bytes, o, failure, error);
    free(bytes);
    return status;
}

/* Boxes and masks of a late record, in place of those of the first; times are added. */
static void add_late(wsam_run_output *o, wsam_run_output *late)
{
    wsam_instances_clear(&o->pgt);
    wsam_instances_clear(&o->masks);
    o->pgt = late->pgt;
    o->masks = late->masks;
    late->pgt = late->masks = (wsam_instances){0};
    for (int s = 0; s < WSAM_RUN_STAGES; s++)
        o->seconds[s] += late->seconds[s];
    o->stage = late->stage;
}

wsam_status ws_journals_read(ws_journals *all, const ws_keys *k, wsam_run_output *o, char **failure,
                             wsam_error *error)
{
    const ws_place *places[2] = {ws_journal_index_find(&all->index, k->first),
                                 k->late == k->first ? NULL
                                                     : ws_journal_index_find(&all->index, k->late)};
    wsam_status status = WSAM_OK;
    for (int i = 0; i < 2 && places[i] && !status && !*failure; i++) {
        wsam_run_output part = {0};
        char *bytes;
        status = read_ahead(all, places[i], &bytes, error);
        if (!status)
            status = ws_picture_record_get(bytes, (size_t)places[i]->bytes, i ? &part : o, failure,
                                           error);
        free(bytes);
        if (!status && i)
            add_late(o, &part);
        ws_picture_record_free(&part);
    }
    return status;
}

/* ---- what is known ---- */

static int append(wsam_instances *to, wsam_instances *from, int64_t ids)
{
    wsam_instance *items = realloc(to->items, (to->n + from->n + 1) * sizeof *items);
    if (!items)
        return 0;
    to->items = items;
    for (size_t i = 0; i < from->n; i++) {
        to->items[to->n] = from->items[i];
        to->items[to->n++].id += ids;
    }
    free(from->items); /* the items moved */
    *from = (wsam_instances){0};
    return 1;
}

static wsam_status read_from(const ws_journals *all, const ws_place *place, wsam_run_output *o,
                             char **failure, wsam_error *error)
{
    const ws_journal *j = &all->list[place->journal];
    const int fd = open(j->path, O_RDONLY | O_CLOEXEC); /* of this thread's own */
    if (fd < 0)
        return ws_fail(error, WSAM_ERR_IO, "%s: %s", j->path, strerror(errno));
    const wsam_status status = read_place(fd, j->path, place, o, failure, error);
    close(fd);
    return status;
}

static wsam_status add_known(const ws_journals *all, const ws_place *place, wsam_run_output *known,
                             wsam_error *error)
{
    wsam_run_output part = {0};
    char *failure = NULL;
    const int64_t ids = (int64_t)known->pgt.n;
    wsam_status status = read_from(all, place, &part, &failure, error);
    if (!status && (!append(&known->pgt, &part.pgt, 0) || !append(&known->masks, &part.masks, ids)))
        status = no_memory(error);
    ws_picture_record_free(&part);
    free(failure);
    return status;
}

wsam_status ws_journals_known(const ws_journals *all, const ws_keys *k, wsam_run_output *known,
                              wsam_error *error)
{
    const ws_place *first = ws_journal_index_find(&all->index, k->first);
    const uint32_t group = (uint32_t)k->first;
    char *failure = NULL;
    wsam_status status = first ? read_from(all, first, known, &failure, error)
                               : ws_fail(error, WSAM_ERR_MISMATCH, "nothing is known of an image");
    free(failure);
    for (size_t i = 0; i < all->index.n && !status; i++) {
        const ws_place *p = &all->index.places[i];
        if (p->group == group && group && p->key != k->first && !p->failed)
            status = add_known(all, p, known, error);
    }
    return status;
}
