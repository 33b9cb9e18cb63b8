/* pipeline/dataset/shard.c - see shard.h. */
#include "pipeline/dataset/shard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000L}, NULL);
}

/* ---- the lease ---- */

static int asked_to_stop(const wsam_run_options *o)
{
    const wsam_run_progress p = {.seconds_left = -1, .waiting = 1};
    return o->progress && o->progress(o->progress_user, &p);
}

/* The host in an owner's name. */
static int host_length(const char *text)
{
    return (int)strcspn(text, ": \n");
}

static wsam_status wait_for_lease(ws_shard *s, const wsam_run_options *o, wsam_error *error)
{
    for (;;) {
        const ws_lease_state state = ws_lease_ask(&s->lease, error);
        if (state != WS_LEASE_OTHERS)
            return state == WS_LEASE_OWNED ? WSAM_OK : WSAM_ERR_IO;
        if (asked_to_stop(o))
            return ws_fail(error, WSAM_ERR_CANCELLED,
                           "stopped while waiting for the shard's last process");
        pause_ms(100);
        if (ws_lease_look(&s->lease) == WS_LEASE_ALIVE)
            return ws_fail(error, WSAM_ERR_CANCELLED,
                           "%s: another process works on this shard (on %.*s)", s->lease.path,
                           host_length(s->lease.seen), s->lease.seen);
    }
}

wsam_status ws_shard_take(ws_shard *s, const wsam_run_options *o, wsam_error *error)
{
    char name[64];
    s->fd = -1;
    snprintf(name, sizeof name, "%d-of-%d.lease", o->shard, o->shards);
    char *path = ws_manifest_state_path(o->output, name);
    wsam_status status =
        path ? ws_lease_create(&s->lease, path, error) : ws_no_memory(error, o->output);
    free(path);
    if (status)
        return status;
    if (o->lease_seconds > 0)
        s->lease.patience = o->lease_seconds;
    return wait_for_lease(s, o, error);
}

/* ---- the journal ---- */

/* K of I-of-N.K.journal, 0 of I-of-N.journal, -1 of others. */
static long generation(const char *name, const char *shard)
{
    const size_t n = strlen(shard);
    if (strncmp(name, shard, n) != 0)
        return -1;
    if (strcmp(name + n, ".journal") == 0)
        return 0;
    char *end = NULL;
    const long k = name[n] == '.' ? strtol(name + n + 1, &end, 10) : 0;
    return k > 0 && k < 1000000 && strcmp(end, ".journal") == 0 ? k : -1;
}

static long last_generation(const char *output, const char *shard)
{
    char *path = ws_manifest_state_path(output, "");
    DIR *d = path ? opendir(path) : NULL;
    long last = -1;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        const long k = generation(e->d_name, shard);
        last = k > last ? k : last;
    }
    if (d)
        closedir(d);
    free(path);
    return last;
}

static int open_generation(ws_shard *s, const char *output, const char *shard, long k, int flags)
{
    if (k)
        snprintf(s->journal, sizeof s->journal, "%s.%ld.journal", shard, k);
    else
        snprintf(s->journal, sizeof s->journal, "%s.journal", shard);
    free(s->path);
    s->path = ws_manifest_state_path(output, s->journal);
    return s->path ? open(s->path, O_RDWR | O_APPEND | O_CLOEXEC | flags, 0666) : -1;
}

/* The last journal goes on where its writer cannot write any more. */
wsam_status ws_shard_open_journal(ws_shard *s, const wsam_run_options *o, wsam_error *error)
{
    char shard[64];
    snprintf(shard, sizeof shard, "%d-of-%d", o->shard, o->shards);
    long k = last_generation(o->output, shard);
    const int goes_on = k >= 0 && s->lease.from != WS_LEASE_SILENT;
    if (goes_on)
        s->fd = open_generation(s, o->output, shard, k, 0);
    while (!goes_on && s->fd < 0 && k < 1000000) {
        s->fd = open_generation(s, o->output, shard, ++k, O_CREAT | O_EXCL);
        if (s->fd < 0 && errno != EEXIST)
            break;
    }
    if (!s->path)
        return ws_no_memory(error, o->output);
    return s->fd < 0 ? ws_fail(error, WSAM_ERR_IO, "%s: %s", s->path, strerror(errno)) : WSAM_OK;
}

wsam_status ws_shard_cut_journal(const ws_shard *s, uint64_t end, wsam_error *error)
{
    if (ftruncate(s->fd, (off_t)end) == 0)
        return WSAM_OK;
    return ws_fail(error, WSAM_ERR_IO, "%s: %s", s->path, strerror(errno));
}

void ws_shard_release(ws_shard *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    free(s->path);
    s->path = NULL;
    ws_lease_release(&s->lease);
}

/* ---- all shards ---- */

static int is_lease(const struct dirent *e)
{
    const size_t n = strlen(e->d_name);
    return n > 6 && strcmp(e->d_name + n - 6, ".lease") == 0 && strstr(e->d_name, "-of-");
}

/* Of one lease: 1 in use, 0 not, -1 not known yet. */
static int in_use(ws_lease *l, const char *note)
{
    char there[32];
    const ws_lease_sight sight = ws_lease_look(l);
    if (sight == WS_LEASE_FREE || sight == WS_LEASE_DEAD || sight == WS_LEASE_SILENT)
        return 0;
    ws_lease_note_of(l->seen, there);
    if (strcmp(there, "-") == 0 || (note && strcmp(there, note) == 0))
        return 0; /* it has not begun, or with the same */
    return sight == WS_LEASE_ALIVE ? 1 : -1;
}

/* Until one is in use, or none can be. */
static void watch(ws_lease *leases, int n, const char *note, ws_lease *own, char **busy)
{
    for (int unsure = 1; unsure && !*busy;) {
        unsure = 0;
        for (int i = 0; i < n && !*busy; i++) {
            const int use = leases[i].path ? in_use(&leases[i], note) : 0;
            unsure |= use < 0;
            if (use > 0)
                *busy = strdup(strrchr(leases[i].path, '/') + 1);
        }
        ws_lease_keep(own);
        if (unsure && !*busy)
            pause_ms(100);
    }
}

static wsam_status watch_learner(const char *output, const ws_lease *own, ws_lease *lease,
                                 wsam_error *error)
{
    ws_text path = {0};
    ws_text_printf(&path, "%s/learn/.lease", output);
    const wsam_status status =
        path.failed ? ws_no_memory(error, output) : ws_lease_create(lease, path.text, error);
    lease->patience = own->patience;
    free(path.text);
    return status;
}

wsam_status ws_shards_idle(const char *output, const char *note, ws_lease *own, char **busy,
                           wsam_error *error)
{
    struct dirent **names;
    char *path = ws_manifest_state_path(output, "");
    const int n = path ? scandir(path, &names, is_lease, alphasort) : -1;
    ws_lease *leases = calloc((size_t)(n > 0 ? n : 0) + 1, sizeof *leases);
    wsam_status status = path && leases ? WSAM_OK : ws_no_memory(error, output);
    *busy = NULL;
    for (int i = 0; i < n; i++) {
        char *lease = ws_manifest_state_path(output, names[i]->d_name);
        if (!status && lease && strcmp(lease, own->path) != 0) {
            status = ws_lease_create(&leases[i], lease, error);
            leases[i].patience = own->patience;
        }
        free(lease);
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    const int all = (n > 0 ? n : 0) + 1; /* and whoever learns from the results */
    if (!status)
        status = watch_learner(output, own, &leases[all - 1], error);
    if (!status)
        watch(leases, all, note, own, busy);
    for (int i = 0; i < all && leases; i++)
        ws_lease_release(&leases[i]);
    free(leases);
    free(path);
    return status;
}
