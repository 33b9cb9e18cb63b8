/* pipeline/dataset/picker.c - see picker.h. */
#include "pipeline/dataset/picker.h"

static ws_progress progress_in(const ws_picker *p, const ws_journals *j, size_t i, int *failed)
{
    const ws_progress at = ws_journals_progress(j, &p->manifest->keys[i], failed);
    return *failed && p->o->retry_failed ? WS_NOTHING : at;
}

ws_progress ws_picker_progress(const ws_picker *p, size_t i, int *failed)
{
    return progress_in(p, p->journals, i, failed);
}

static int is_done(const ws_picker *p, size_t i)
{
    int failed;
    return progress_in(p, p->journals, i, &failed) == WS_DONE ||
           (p->fresh.n && progress_in(p, &p->fresh, i, &failed) == WS_DONE);
}

int ws_picker_is_own(const ws_picker *p, size_t i)
{
    return i % (size_t)p->o->shards == (size_t)p->o->shard;
}

wsam_status ws_picker_open(ws_picker *p, const wsam_run_options *o, const ws_manifest *manifest,
                           const ws_journals *journals, wsam_error *error)
{
    *p = (ws_picker){.o = o,
                     .manifest = manifest,
                     .journals = journals,
                     .next = (size_t)o->shard,
                     .steals = o->steal && o->shards > 1};
    pthread_mutex_init(&p->lock, NULL);
    return p->steals ? ws_claims_open(&p->claims, o, manifest->n, error) : WSAM_OK;
}

void ws_picker_close(ws_picker *p)
{
    if (!p->o)
        return;
    pthread_mutex_destroy(&p->lock);
    ws_claims_close(&p->claims);
    ws_journals_close(&p->fresh);
    *p = (ws_picker){0};
}

/* ---- own pictures ---- */

static size_t undone(const ws_picker *p, int shard, size_t from, size_t to)
{
    size_t n = 0;
    for (size_t k = from; k < to; k++)
        n += !is_done(p, k * (size_t)p->o->shards + (size_t)shard);
    return n;
}

/* The block of own picture `k`: 1 where it is this shard's to do; else it is passed over. */
static int have_block(ws_picker *p, size_t k, wsam_status *status, wsam_error *error)
{
    const size_t n = ws_claims_pictures(&p->claims, p->o->shard);
    const size_t block = ws_claims_block_of(n, k), end = ws_claims_block_begin(n, block + 1);
    switch (ws_claims_own(&p->claims, block, error)) {
    case WS_CLAIM_MINE:
        p->block_end = end;
        return 1;
    case WS_CLAIM_OTHERS:
        p->given += undone(p, p->o->shard, k, end);
        p->next = end * (size_t)p->o->shards + (size_t)p->o->shard;
        return 0;
    case WS_CLAIM_ABANDONED: /* some of it may be done since this process began */
        ws_journals_close(&p->fresh);
        *status = ws_journals_open(&p->fresh, p->o->output, error);
        if (!*status)
            *status = ws_claims_take_back(&p->claims, block, error);
        p->block_end = *status ? p->block_end : end;
        return 0;
    case WS_CLAIM_FAILED:
    default:
        *status = WSAM_ERR_IO;
        return 0;
    }
}

static int next_own(ws_picker *p, size_t *i, wsam_status *status, wsam_error *error)
{
    const size_t shards = (size_t)p->o->shards;
    while (p->next < p->manifest->n && !*status) {
        if (is_done(p, p->next)) {
            p->next += shards;
            continue;
        }
        const size_t k = p->next / shards;
        if (p->steals && k >= p->block_end && !have_block(p, k, status, error))
            continue;
        *i = p->next;
        p->next += shards;
        return 1;
    }
    return 0;
}

/* ---- pictures of others ---- */

static int is_wanted(void *user, int shard, size_t block)
{
    const ws_picker *p = user;
    const size_t n = ws_claims_pictures(&p->claims, shard);
    return undone(p, shard, ws_claims_block_begin(n, block), ws_claims_block_begin(n, block + 1)) >
           0;
}

static int next_stolen(ws_picker *p, size_t *i)
{
    const size_t shards = (size_t)p->o->shards;
    for (;;) {
        int shard;
        size_t block;
        while (p->theft < p->theft_end) {
            *i = p->theft;
            p->theft += shards;
            if (!is_done(p, *i))
                return 1;
        }
        if (!ws_claims_steal(&p->claims, is_wanted, p, &shard, &block))
            return 0;
        const size_t n = ws_claims_pictures(&p->claims, shard);
        p->theft = ws_claims_block_begin(n, block) * shards + (size_t)shard;
        p->theft_end = ws_claims_block_begin(n, block + 1) * shards + (size_t)shard;
    }
}

int ws_picker_next(ws_picker *p, size_t *i, wsam_status *status, wsam_error *error)
{
    pthread_mutex_lock(&p->lock);
    int there = next_own(p, i, status, error);
    if (!there && !*status && p->steals)
        there = next_stolen(p, i);
    pthread_mutex_unlock(&p->lock);
    return there;
}
