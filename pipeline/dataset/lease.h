/* pipeline/dataset/lease.h - one of several processes, on any machine that sees the folder, does a
 * piece of work; the others wait for it, or turn to something else.
 *
 * A lease is a small file: its owner's name, a counter that the owner raises, a note. Clocks of
 * different machines are never compared: whoever waits takes over when the file has not changed for
 * WS_LEASE_SECONDS of its own monotonic clock, or at once where the owner ran on this machine and is
 * gone (its boot, PID namespace, process and start time are in the name). Two may then hold it for a
 * moment (an owner that slept and wakes): what is done under a lease ends in files of the owner's
 * own, or in renames that give the same file whoever does them. Needed of the file system: link or
 * rename that is atomic, and open that sees a rename. No locks. */
#ifndef WS_PIPELINE_DATASET_LEASE_H
#define WS_PIPELINE_DATASET_LEASE_H

#include <pthread.h>

#include "base/error.h"

enum { WS_LEASE_SECONDS = 120, WS_LEASE_RAISE_SECONDS = 5, WS_LEASE_TEXT = 256 };

/* What a look at the file says of whoever has it. */
typedef enum ws_lease_sight {
    WS_LEASE_FREE,
    WS_LEASE_MINE,
    WS_LEASE_ALIVE,  /* it has changed since the last look */
    WS_LEASE_UNSURE, /* it has not, so far */
    WS_LEASE_DEAD,   /* a process of this machine that is gone */
    WS_LEASE_SILENT  /* it has not changed for `patience` */
} ws_lease_sight;

typedef struct ws_lease {
    char *path;
    char owner[128];
    char note[32];            /* a word that goes into the file */
    char seen[WS_LEASE_TEXT]; /* the file as it was when it last changed */
    double since;             /* when that was seen, by the monotonic clock */
    double raised;            /* when this process wrote it */
    unsigned long long count;
    double patience;     /* WS_LEASE_SECONDS */
    ws_lease_sight from; /* how it was when this process took it */
} ws_lease;

typedef enum ws_lease_state {
    WS_LEASE_OWNED,
    WS_LEASE_OTHERS, /* ask again, in a second or so */
    WS_LEASE_FAILED  /* the folder cannot be written */
} ws_lease_state;

wsam_status ws_lease_create(ws_lease *lease, const char *path, wsam_error *error);
/* Takes nothing. `seen` has the file's text. */
ws_lease_sight ws_lease_look(ws_lease *lease);
/* Takes the lease if it is free or its owner is gone. */
ws_lease_state ws_lease_ask(ws_lease *lease, wsam_error *error);
/* Every few seconds of work: raises the counter when it is time. 0: another process has taken over;
 * what is under way may go on and will give the same, or stop. */
int ws_lease_keep(ws_lease *lease);
/* Another note, in the file at once. 0 as above. */
int ws_lease_set_note(ws_lease *lease, const char *note);
/* The note in the text of a lease; empty where it has none. */
void ws_lease_note_of(const char *text, char note[32]);
/* Removes the file if it is still this process's; frees the memory. */
void ws_lease_release(ws_lease *lease);

/* Removes the temporary files of leases in a folder whose processes ran here and are gone. */
void ws_lease_remove_stale(const char *folder);

/* Until it is this process's. `stop` (may be NULL) is asked in between; non-zero ends the wait. */
wsam_status ws_lease_wait(ws_lease *lease, int (*stop)(void *user), void *user, wsam_error *error);

/* A thread that raises the counter while the work gives no occasion to. */
typedef struct ws_lease_keeper {
    ws_lease *lease;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int stop, started;
} ws_lease_keeper;

/* Without a thread the lease is raised by nobody, and may be lost. */
void ws_lease_keeper_start(ws_lease_keeper *keeper, ws_lease *lease);
/* 1: another process has taken over. */
int ws_lease_keeper_lost(ws_lease_keeper *keeper);
void ws_lease_keeper_stop(ws_lease_keeper *keeper);

#endif
