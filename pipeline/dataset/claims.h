/* pipeline/dataset/claims.h - who does which pictures of a run whose shards help each other.
 *
 * The pictures of a shard are cut into blocks: each is a sixteenth of what is left, so that the last
 * sixteen are one picture each. Whoever begins a block makes the file state/claims/V-of-N/B, which
 * must not be there (O_EXCL), with the number of its own shard in it. The shard itself takes its
 * blocks from the front, others from the end. A shard that takes a block of another says so first in
 * state/claims/S-of-N.stolen, where it finds it again after a restart.
 *
 * A claim is the shard's, not the process's: whoever has the shard's lease goes on with it. Where the
 * shard has no process any more, the owner of the pictures takes the block back. Two may do the same
 * block when that goes wrong, and find the same. */
#ifndef WS_PIPELINE_DATASET_CLAIMS_H
#define WS_PIPELINE_DATASET_CLAIMS_H

#include "pipeline/dataset/journal.h"

typedef struct ws_claims {
    const char *output;
    int shard, shards;
    size_t pictures;          /* of all shards */
    unsigned char *exhausted; /* [shards] nothing is left to take there */
    uint64_t random;
    struct ws_stolen_block {
        int shard;
        size_t block;
    } * stolen; /* of earlier processes of this shard */
    size_t n_stolen, at_stolen;
} ws_claims;

/* Blocks of `n` pictures: their number, and where block `block` begins (n for the one after the
 * last). */
size_t ws_claims_blocks(size_t n);
size_t ws_claims_block_begin(size_t n, size_t block);
size_t ws_claims_block_of(size_t n, size_t picture);

wsam_status ws_claims_open(ws_claims *claims, const wsam_run_options *options, size_t pictures,
                           wsam_error *error);
void ws_claims_close(ws_claims *claims);

/* How many pictures a shard has. */
size_t ws_claims_pictures(const ws_claims *claims, int shard);

typedef enum ws_claim {
    WS_CLAIM_MINE,      /* this shard's, from now on or from before */
    WS_CLAIM_OTHERS,    /* another shard works on it */
    WS_CLAIM_ABANDONED, /* another shard claimed it, and has no process */
    WS_CLAIM_FAILED
} ws_claim;

/* A block of this shard's own pictures. */
ws_claim ws_claims_own(ws_claims *claims, size_t block, wsam_error *error);
/* Takes back what is abandoned. */
wsam_status ws_claims_take_back(const ws_claims *claims, size_t block, wsam_error *error);

/* A block of another shard that nobody has begun, or that this shard took before; 0: there is none.
 * `wanted`: whether there is anything to do in it. */
int ws_claims_steal(ws_claims *claims, int (*wanted)(void *user, int shard, size_t block),
                    void *user, int *shard, size_t *block);

/* Removes all claims: those of another manifest would keep images from being done. */
wsam_status ws_claims_remove(const char *output, wsam_error *error);

#endif
