/* pipeline/dataset/lease.h - one of several processes, on any machine that sees the folder, does a
 * piece of work; the others wait for it.
 *
 * A lease is a small file with its owner's name and a counter that the owner raises. Clocks of
 * different machines are never compared: whoever waits takes over when the file has not changed for
 * WS_LEASE_SECONDS of its own monotonic clock. Two may then hold it for a moment (an owner that
 * slept and wakes): what is done under a lease ends in renames that give the same file whoever does
 * them. */
#ifndef WS_PIPELINE_DATASET_LEASE_H
#define WS_PIPELINE_DATASET_LEASE_H

#include "base/error.h"

enum { WS_LEASE_SECONDS = 120, WS_LEASE_RAISE_SECONDS = 5, WS_LEASE_TEXT = 160 };

typedef struct ws_lease {
    char *path;
    char owner[96];
    char seen[WS_LEASE_TEXT]; /* the file as it was when it last changed */
    double since;             /* when that was seen, by the monotonic clock */
    double raised;            /* when this process wrote it */
    unsigned long long count;
    double patience; /* WS_LEASE_SECONDS; tests have less */
} ws_lease;

typedef enum ws_lease_state {
    WS_LEASE_OWNED,
    WS_LEASE_OTHERS, /* ask again, in a second or so */
    WS_LEASE_FAILED  /* the folder cannot be written */
} ws_lease_state;

wsam_status ws_lease_create(ws_lease *lease, const char *path, wsam_error *error);
/* Takes the lease if it is free or its owner is gone. */
ws_lease_state ws_lease_ask(ws_lease *lease, wsam_error *error);
/* Every few seconds of work: raises the counter when it is time. 0: another process has taken over;
 * what is under way may go on and will give the same, or stop. */
int ws_lease_keep(ws_lease *lease);
/* Removes the file if it is still this process's; frees the memory. */
void ws_lease_release(ws_lease *lease);

#endif
