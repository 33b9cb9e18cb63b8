/* pipeline/dataset/journal.h - what a run keeps while it runs: manifest and journals.
 *
 * state/manifest.jsonl says what the run is about: configuration, classes, pictures. A journal,
 * state/I-of-N.journal, is a list of records, each one write(2) of
 *
 *   u32 magic, u32 picture, u64 bytes, u64 XXH64 of the payload, u64 XXH64 of the manifest, payload
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

typedef struct ws_manifest {
    uint64_t hash;
    char *config; /* JSON */
    size_t n, n_classes;
    char **images, **classes;
} ws_manifest;

/* The manifest's text. */
wsam_status ws_manifest_text(const wsam_labels *labels, const char *config, ws_text *text,
                             wsam_error *error);
wsam_status ws_manifest_load(const char *output, ws_manifest *manifest, wsam_error *error);
void ws_manifest_free(ws_manifest *manifest);

/* OUTPUT/state/NAME in memory of its own; NULL without memory. */
char *ws_state_path(const char *output, const char *name);

/* Where the record of a picture is. */
typedef struct ws_place {
    uint64_t offset; /* of the payload; 0: none */
    uint64_t bytes;
    int32_t journal;
    int32_t failed;
} ws_place;

/* Reads all whole records of a manifest; later ones replace earlier ones unless they are failures
 * and the earlier is not. *end is where the last whole record ends; *damaged grows by the places
 * before it that are no record. */
wsam_status ws_journal_scan(int fd, const char *path, uint64_t manifest, int journal, size_t n,
                            ws_place *places, uint64_t *end, size_t *damaged, wsam_error *error);
/* One record at the end, and to the disk. */
wsam_status ws_journal_append(int fd, const char *path, uint64_t manifest, size_t picture,
                              const ws_text *payload, wsam_error *error);
/* A payload; free(*bytes). */
wsam_status ws_journal_read(int fd, const char *path, const ws_place *place, char **bytes,
                            wsam_error *error);

/* ---- run_manifest.c: the folder of a run ---- */

/* Names of the final files; NULL at the end. */
extern const char *const ws_run_files[];

/* Removes what a killed process left of these files in a folder: NAME.PID-COUNT.tmp. For whoever
 * alone may write them now. */
void ws_remove_stale(const char *folder, const char *const *names);
/* Makes folders and the manifest, or compares with the manifest that is there; loads it. */
wsam_status ws_run_settle(const wsam_labels *labels, const wsam_run_options *options,
                          ws_manifest *manifest, wsam_error *error);
/* Removes what a killed process of the same shard left; the shard's journal is locked. */
void ws_run_begin_telling(const wsam_run_options *options);
/* OUTPUT/.status/I-of-N.json, for whoever watches many shards. What cannot be written is left out:
 * the journal is what counts. */
void ws_run_tell(const wsam_run_options *options, const wsam_run_progress *progress,
                 double median_s, time_t started);

/* ---- run_truth.c: OUTPUT/reviewed.json ---- */

/* What people decided; NULL where there is no such file. */
wsam_status ws_run_truth_load(const char *output, wsam_coco_document **truth, wsam_error *error);
/* The highest id of their annotations: those of machines come after it. */
int64_t ws_run_truth_last_id(const wsam_coco_document *truth);
/* Takes it into pgt.json and masks.json, and counts in the summary. */
wsam_status ws_run_truth_adopt(const char *output, const wsam_coco_document *truth,
                               const char *config, wsam_run_summary *sum, wsam_error *error);

/* ---- picture_record.c: payloads ---- */

void ws_record_put(ws_text *text, const wsam_run_output *output, const char *failure);
/* *failure is malloc'd text, or NULL for a picture that worked. ws_output_free in any case. */
wsam_status ws_record_get(const char *bytes, size_t n, wsam_run_output *output, char **failure,
                          wsam_error *error);
void ws_output_free(wsam_run_output *output);

#endif
