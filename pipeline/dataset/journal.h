/* pipeline/dataset/journal.h - what a run keeps while it runs: manifest and journals.
 *
 * state/manifest.jsonl says what the run is about: configuration, classes, pictures with their keys.
 * A journal, state/I-of-N.journal, is a list of records, each
 *
 *   u32 magic, u32 group, u64 bytes, u64 XXH64 of the payload, u64 key, payload
 *
 * A key is a hash of all that a record follows from: the options of its stages, the classes, the
 * picture's name, content and labels. A picture's first stages and its late ones (pseudo labels and
 * masks) have a record each, so that other options of the latter leave the former as they are; the
 * late ones of a picture share a group, the lower half of the first record's key. Records never
 * depend on which other pictures there are: a run grows by new keys, and old records serve again
 * when their options come back.
 *
 * in the byte order of the machine. Whatever was not written whole fails its checksum: at the end
 * of a journal it is cut off when that is opened again, in the middle it is passed over and
 * counted, and its picture is done again.
 *
 * One file per shard and not one per picture: a picture costs one append and one fsync, not a
 * temporary file, a rename and a folder of 100 000 tiny files, which file systems on a network
 * serve slowly. The guarantees are the same: a checksum and the manifest's hash in every record, at
 * most the pictures at work are lost by a kill, and what is done is not done again. */
#ifndef WS_PIPELINE_DATASET_JOURNAL_H
#define WS_PIPELINE_DATASET_JOURNAL_H

#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/json_writer.h"
#include "weaksam/dataset.h"

/* What the results of a picture follow from. */
typedef struct ws_keys {
    uint64_t first, late; /* the same where there are no late options */
    uint64_t content, labels;
} ws_keys;

typedef struct ws_manifest {
    char *config, *late; /* JSON objects; late: NULL where there are none */
    size_t n, n_classes;
    char **images, **classes;
    ws_keys *keys; /* [n] */
} ws_manifest;

/* The keys of all pictures; free(). `contents`: ws_contents. */
ws_keys *ws_manifest_keys(const wsam_labels *labels, const char *config, const char *late,
                          const uint64_t *contents);
/* The manifest's text. */
wsam_status ws_manifest_text(const wsam_labels *labels, const char *config, const char *late,
                             const ws_keys *keys, ws_text *text, wsam_error *error);
/* Both configurations as one object; free(). */
char *ws_manifest_parameters(const ws_manifest *manifest);
wsam_status ws_manifest_load(const char *output, ws_manifest *manifest, wsam_error *error);
void ws_manifest_free(ws_manifest *manifest);

/* OUTPUT/state/NAME in memory of its own; NULL without memory. */
char *ws_manifest_state_path(const char *output, const char *name);

/* ---- contents.c ---- */

typedef struct ws_contents_options {
    const char *folder, *output;
    int save;               /* 1: state/contents.jsonl is written */
    int prepared;           /* 1: pictures that it knows are not looked at */
    struct ws_lease *lease; /* raised meanwhile; NULL: none */
} ws_contents_options;

/* A hash of every picture's file (0 where it cannot be read), in memory of its own. Size and time of
 * files are kept in state/contents.jsonl: what has not changed is not read again. */
wsam_status ws_contents(const wsam_labels *labels, const ws_contents_options *options,
                        uint64_t **contents, wsam_error *error);

/* ---- journals ---- */

/* Where a record is. */
typedef struct ws_place {
    uint64_t key;
    uint64_t offset; /* of the payload */
    uint64_t bytes;
    uint32_t group;
    int32_t journal; /* number in the order of scanning */
    int32_t failed;
} ws_place;

/* Records of all journals; once sorted, one for each key: the last, but no failure where there is
 * something better. */
typedef struct ws_records_index {
    ws_place *places;
    size_t n, capacity;
} ws_records_index;

void ws_journal_index_sort(ws_records_index *index);
/* NULL: none. */
const ws_place *ws_journal_index_find(const ws_records_index *index, uint64_t key);
void ws_journal_index_free(ws_records_index *index);

/* Adds all whole records of a journal. *end is where the last one ends; *damaged grows by the places
 * before it that are no record. */
wsam_status ws_journal_scan(int fd, const char *path, int journal, ws_records_index *index,
                            uint64_t *end, size_t *damaged, wsam_error *error);

/* ---- journals.c: all journals of a run ---- */

typedef struct ws_journal {
    char *name, *path;
    uint64_t end; /* of its last whole record */
    int fd;       /* -1: closed */
    char *ahead;  /* what was read ahead: [ahead_n] from byte ahead_at on */
    uint64_t ahead_at;
    size_t ahead_n;
} ws_journal;

typedef struct ws_journals {
    ws_journal *list;
    int n;
    int *open; /* [WS_OPEN_JOURNALS]: number + 1 of the one that is open in a slot */
    ws_records_index index;
    size_t damaged;
} ws_journals;

typedef enum ws_progress { WS_NOTHING, WS_FIRST, WS_DONE } ws_progress;

/* Scans all of them. */
wsam_status ws_journals_open(ws_journals *journals, const char *output, wsam_error *error);
void ws_journals_close(ws_journals *journals);
/* Where the records of one of them end; 0 where it is not among them. */
wsam_status ws_journals_end(const ws_journals *journals, const char *name, uint64_t *end,
                            wsam_error *error);
/* What there is of a picture. *failed: it is a failure. */
ws_progress ws_journals_progress(const ws_journals *journals, const ws_keys *keys, int *failed);
/* The journal that has the results of a picture; NULL: none. */
const ws_journal *ws_journals_where(const ws_journals *journals, const ws_keys *keys);
/* The results of a picture, or why it failed (free it). ws_picture_record_free in any case. Not for several
 * threads at once. */
wsam_status ws_journals_read(ws_journals *journals, const ws_keys *keys, wsam_run_output *output,
                             char **failure, wsam_error *error);
/* For wsam_run_item.known. From any thread. */
wsam_status ws_journals_known(const ws_journals *journals, const ws_keys *keys,
                              wsam_run_output *known, wsam_error *error);

typedef struct ws_new_record {
    uint64_t key;
    uint32_t group;
    const ws_text *payload;
} ws_new_record;

/* Records at the end, in one write, and to the disk. */
wsam_status ws_journal_append(int fd, const char *path, const ws_new_record *records, size_t n,
                              wsam_error *error);
/* A payload; free(*bytes). */
wsam_status ws_journal_read(int fd, const char *path, const ws_place *place, char **bytes,
                            wsam_error *error);

/* ---- run_manifest.c: the folder of a run ---- */

/* Names of the final files; NULL at the end. */
extern const char *const ws_run_files[];

/* Removes what a killed process left of these files in a folder: NAME.PID-COUNT.tmp. For whoever
 * alone may write them now. */
void ws_run_manifest_remove_stale(const char *folder, const char *const *names);
/* Makes folders and the manifest, or replaces one of other options or pictures where no other
 * process works on it; loads it. Takes the shard first. */
struct ws_shard;
wsam_status ws_run_manifest_settle(const wsam_labels *labels, const wsam_run_options *options,
                                   ws_manifest *manifest, struct ws_shard *shard,
                                   wsam_error *error);
/* Others are at work with the manifest that is there. */
wsam_status ws_run_manifest_refuse(const wsam_run_options *options, wsam_error *error);
/* state/NAME, for one process at a time. `patience` 0: that of leases. */
wsam_status ws_run_manifest_lock(const char *output, const char *name, double patience,
                                 struct ws_lease *lock, wsam_error *error);
/* The first option that differs between two objects (NULL: an empty one), as a text for people in
 * memory of its own; NULL: none. */
/* The note of those who work with the manifest of a run; "-" where there is none. */
wsam_status ws_run_manifest_note(const char *output, char note[32], wsam_error *error);
char *ws_run_manifest_difference(const char *old, const char *new);
/* Removes what a killed process of the same shard left; the shard's journal is locked. */
void ws_run_status_begin(const wsam_run_options *options);
typedef struct ws_run_state {
    const wsam_run_progress *progress;
    const char *state;   /* running, done, stopped or failed */
    const char *slowest; /* image; NULL: none was done */
    double slowest_s, median_s;
    size_t fresh; /* pictures that this process has done */
    uint64_t peak_rss_bytes;
    const char *manifest; /* note of the lease */
    time_t started;
} ws_run_state;

/* OUTPUT/.status/I-of-N.json, for whoever watches many shards. What cannot be written is left out:
 * the journal is what counts. */
void ws_run_status_write(const wsam_run_options *options, const ws_run_state *state);

/* ---- run_truth.c: OUTPUT/reviewed.json ---- */

/* What people decided; NULL where there is no such file. */
wsam_status ws_run_truth_load(const char *output, wsam_coco_document **truth, wsam_error *error);
/* The highest id of their annotations: those of machines come after it. */
int64_t ws_run_truth_last_id(const wsam_coco_document *truth);
/* Takes it into pgt.json and masks.json, and counts in the summary. */
wsam_status ws_run_truth_adopt(const char *output, const wsam_coco_document *truth,
                               const char *config, wsam_run_summary *sum, wsam_error *error);

/* ---- picture_record.c: payloads ---- */

void ws_picture_record_put(ws_text *text, const wsam_run_output *output, const char *failure);
/* *failure is malloc'd text, or NULL for a picture that worked. ws_picture_record_free in any case. */
wsam_status ws_picture_record_get(const char *bytes, size_t n, wsam_run_output *output,
                                  char **failure, wsam_error *error);
void ws_picture_record_free(wsam_run_output *output);

#endif
