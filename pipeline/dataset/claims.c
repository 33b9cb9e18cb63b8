/* pipeline/dataset/claims.c - see claims.h. */
#include "pipeline/dataset/claims.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/dataset/lease.h"

enum { SHARE = 16, SAMPLE = 8, PATH = 96 };

/* ---- blocks ---- */

static size_t block_size(size_t left)
{
    return left < 2 * SHARE ? 1 : left / SHARE;
}

size_t ws_claims_blocks(size_t n)
{
    size_t blocks = 0;
    for (size_t at = 0; at < n; at += block_size(n - at))
        blocks++;
    return blocks;
}

size_t ws_claims_block_begin(size_t n, size_t block)
{
    size_t at = 0;
    for (size_t b = 0; b < block && at < n; b++)
        at += block_size(n - at);
    return at;
}

size_t ws_claims_block_of(size_t n, size_t picture)
{
    size_t block = 0;
    for (size_t at = 0; at + block_size(n - at) <= picture; block++)
        at += block_size(n - at);
    return block;
}

size_t ws_claims_pictures(const ws_claims *c, int shard)
{
    const size_t n = (size_t)c->shards, i = (size_t)shard;
    return c->pictures > i ? (c->pictures - i + n - 1) / n : 0;
}

/* ---- files ---- */

/* state/claims/..., in memory of its own. */
static char *path_of(const ws_claims *c, int shard, const char *rest)
{
    char name[PATH];
    snprintf(name, sizeof name, "claims/%d-of-%d%s", shard, c->shards, rest);
    return ws_manifest_state_path(c->output, name);
}

static char *path_of_block(const ws_claims *c, int shard, size_t block)
{
    char rest[32];
    snprintf(rest, sizeof rest, "/%zu", block);
    return path_of(c, shard, rest);
}

static int make_folder(const char *path)
{
    return path && (mkdir(path, 0777) == 0 || errno == EEXIST);
}

static int put_number(const char *path, int flags, int number)
{
    char text[16];
    const int n = snprintf(text, sizeof text, "%d\n", number);
    const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
    if (fd < 0)
        return 0;
    const int good = write(fd, text, (size_t)n) == n;
    return close(fd) == 0 && good;
}

/* The shard that made a claim; -1: it was not written down. */
static int claimant(const char *path)
{
    char text[16];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    char *end;
    const long shard = strtol(text, &end, 10);
    return end > text && *end == '\n' && shard >= 0 && shard < 1000000 ? (int)shard : -1;
}

/* Whether a shard has no process: that of a process which is silent is left to whoever takes the
 * shard over. */
static int is_without_process(const ws_claims *c, int shard)
{
    char name[64];
    ws_lease l;
    snprintf(name, sizeof name, "%d-of-%d.lease", shard, c->shards);
    char *path = ws_manifest_state_path(c->output, name);
    if (!path || ws_lease_create(&l, path, NULL)) {
        free(path);
        return 0;
    }
    const ws_lease_sight sight = ws_lease_look(&l);
    ws_lease_release(&l);
    free(path);
    return sight == WS_LEASE_FREE || sight == WS_LEASE_DEAD;
}

/* ---- what this shard took before ---- */

static wsam_status read_stolen(ws_claims *c, wsam_error *error)
{
    char *path = path_of(c, c->shard, ".stolen"), *text = NULL;
    size_t size = 0, lines = 1;
    int there;
    if (!path)
        return ws_no_memory(error, c->output);
    wsam_status status = ws_file_there(path, &there, error);
    if (!status && there)
        status = ws_file_read_whole(path, (uint64_t)1 << 28, &text, &size, error);
    if (status && status != WSAM_ERR_FORMAT) { /* an empty one is good */
        free(path);
        return status;
    }
    if (status)
        size = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    c->stolen = calloc(lines, sizeof *c->stolen);
    for (char *at = text, *end; at && c->stolen && (end = strchr(at, '\n')); at = end + 1) {
        struct ws_stolen_block b;
        if (sscanf(at, "%d %zu", &b.shard, &b.block) == 2 && b.shard >= 0 && b.shard < c->shards &&
            b.block < ws_claims_blocks(ws_claims_pictures(c, b.shard)))
            c->stolen[c->n_stolen++] = b;
    }
    free(text);
    free(path);
    return c->stolen ? WSAM_OK : ws_no_memory(error, c->output);
}

/* Said before it is done: after a kill in between, the claim is not there, and is made again. */
static int note_stolen(const ws_claims *c, int shard, size_t block)
{
    char *path = path_of(c, c->shard, ".stolen"), text[48];
    const int n = snprintf(text, sizeof text, "%d %zu\n", shard, block);
    const int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    int good = fd >= 0 && write(fd, text, (size_t)n) == n;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    free(path);
    return good;
}

wsam_status ws_claims_open(ws_claims *c, const wsam_run_options *o, size_t pictures,
                           wsam_error *error)
{
    *c = (ws_claims){.output = o->output,
                     .shard = o->shard,
                     .shards = o->shards,
                     .pictures = pictures,
                     .exhausted = calloc((size_t)o->shards, 1),
                     .random = (uint64_t)o->shard * 0x9E3779B97F4A7C15u + 1};
    char *all = ws_manifest_state_path(o->output, "claims"), *own = path_of(c, o->shard, "");
    wsam_status status = c->exhausted && all && own ? WSAM_OK : ws_no_memory(error, o->output);
    if (!status && (!make_folder(all) || !make_folder(own)))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", own, strerror(errno));
    free(all);
    free(own);
    return status ? status : read_stolen(c, error);
}

void ws_claims_close(ws_claims *c)
{
    free(c->exhausted);
    free(c->stolen);
    *c = (ws_claims){0};
}

/* ---- own blocks ---- */

ws_claim ws_claims_own(ws_claims *c, size_t block, wsam_error *error)
{
    char *path = path_of_block(c, c->shard, block);
    ws_claim claim = WS_CLAIM_MINE;
    if (!path || !put_number(path, O_EXCL, c->shard)) {
        const int why = errno, by = path && why == EEXIST ? claimant(path) : -1;
        if (!path || why != EEXIST) {
            ws_fail(error, WSAM_ERR_IO, "%s: %s", path ? path : c->output, strerror(why));
            claim = WS_CLAIM_FAILED;
        } else if (by != c->shard) {
            claim = by < 0 || by >= c->shards || is_without_process(c, by) ? WS_CLAIM_ABANDONED
                                                                           : WS_CLAIM_OTHERS;
        }
    }
    free(path);
    return claim;
}

wsam_status ws_claims_take_back(const ws_claims *c, size_t block, wsam_error *error)
{
    char rest[48];
    char *path = path_of_block(c, c->shard, block);
    snprintf(rest, sizeof rest, "/%zu.%ld.tmp", block, (long)getpid());
    char *temporary = path_of(c, c->shard, rest);
    wsam_status status = path && temporary ? WSAM_OK : ws_no_memory(error, c->output);
    if (!status && (!put_number(temporary, O_TRUNC, c->shard) || rename(temporary, path)))
        status = ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    free(path);
    free(temporary);
    return status;
}

/* ---- blocks of others ---- */

static uint64_t draw(ws_claims *c, uint64_t n)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random % n;
}

typedef struct wish {
    int (*wanted)(void *user, int shard, size_t block);
    void *user;
} wish;

/* The last block of a shard that is wanted and not claimed; returns how many pictures such blocks
 * have, 0: there is none. */
static size_t find_unclaimed(const ws_claims *c, const wish *w, int shard, size_t *block)
{
    const size_t n = ws_claims_pictures(c, shard), blocks = ws_claims_blocks(n);
    char *path = path_of(c, shard, "");
    unsigned char *taken = calloc(blocks + 1, 1);
    DIR *d = path && taken ? opendir(path) : NULL;
    size_t pictures = 0;
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char *end;
        const unsigned long long b = strtoull(e->d_name, &end, 10);
        if (end > e->d_name && !*end && b < blocks)
            taken[b] = 1;
    }
    if (d)
        closedir(d);
    for (size_t b = blocks; taken && b-- > 0;)
        if (!taken[b] && w->wanted(w->user, shard, b)) {
            if (!pictures)
                *block = b;
            pictures += ws_claims_block_begin(n, b + 1) - ws_claims_block_begin(n, b);
        }
    free(taken);
    free(path);
    return pictures;
}

/* The shard of a sample that has most to give; of all, when the sample has nothing. */
static int find_victim(ws_claims *c, const wish *w, size_t *block)
{
    int best = -1;
    size_t most = 0, at;
    for (int i = 0; i < SAMPLE; i++) {
        const int v = (int)draw(c, (uint64_t)c->shards);
        const size_t left = v == c->shard || c->exhausted[v] ? 0 : find_unclaimed(c, w, v, &at);
        if (left > most) {
            most = left;
            best = v;
            *block = at;
        }
    }
    const int from = (int)draw(c, (uint64_t)c->shards);
    for (int i = 0; i < c->shards && best < 0; i++) {
        const int v = (from + i) % c->shards;
        if (v == c->shard || c->exhausted[v])
            continue;
        if (find_unclaimed(c, w, v, block))
            best = v;
        else
            c->exhausted[v] = 1;
    }
    return best;
}

/* 0: another was faster; -1: it cannot be done. */
static int claim_block(const ws_claims *c, int shard, size_t block)
{
    char *folder = path_of(c, shard, ""), *path = path_of_block(c, shard, block);
    int got = -1;
    if (make_folder(folder) && path && note_stolen(c, shard, block))
        got = put_number(path, O_EXCL, c->shard) ? 1 : errno == EEXIST ? 0 : -1;
    free(folder);
    free(path);
    return got;
}

/* Whether what was noted was claimed, too: the claim may have gone to another, or to nobody. */
static int is_still_mine(const ws_claims *c, const struct ws_stolen_block *b)
{
    char *path = path_of_block(c, b->shard, b->block);
    const int mine = path && claimant(path) == c->shard;
    free(path);
    return mine;
}

int ws_claims_steal(ws_claims *c, int (*wanted)(void *user, int shard, size_t block), void *user,
                    int *shard, size_t *block)
{
    while (c->at_stolen < c->n_stolen) {
        const struct ws_stolen_block *b = &c->stolen[c->at_stolen++];
        *shard = b->shard;
        *block = b->block;
        if (wanted(user, b->shard, b->block) && is_still_mine(c, b))
            return 1;
    }
    const wish w = {wanted, user};
    for (int got = 0; !got;) {
        *shard = find_victim(c, &w, block);
        got = *shard < 0 ? -1 : claim_block(c, *shard, *block);
        if (got > 0)
            return 1;
    }
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path) && errno != ENOENT ? errno : 0;
}

wsam_status ws_claims_remove(const char *output, wsam_error *error)
{
    char *path = ws_manifest_state_path(output, "claims");
    if (!path)
        return ws_no_memory(error, output);
    const int got = nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    const int why = got < 0 ? errno : got;
    const wsam_status status =
        !got || why == ENOENT ? WSAM_OK
        : why == ENOMEM
            ? ws_no_memory(error, path)
            : ws_fail(error, WSAM_ERR_IO, "%s: cannot be removed: %s", path, strerror(why));
    free(path);
    return status;
}
