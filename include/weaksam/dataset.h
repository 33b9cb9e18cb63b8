/* weaksam/dataset.h - folders of pictures: their labels, and a run over all of them that can be
 * stopped at any moment.
 *
 *   wsam_labels_load   which classes each picture of a folder has: CSV, JSON or VOC annotations
 *   wsam_run           all pictures through a worker, in parallel, into an append-only journal
 *   wsam_run_merge     the journals -> the final files, in the order of the pictures
 *
 * A run's folder: points.jsonl, proposals.jsonl, scores.json with images.json, pgt.json,
 * masks.json, failures.jsonl, timing.json, and state/ (manifest.jsonl and one journal per shard;
 * may be deleted when the run is finished), reviewed.json (a COCO data set with what people
 * decided, where they did: pgt.json and masks.json take it over, see wsam_keep_truth),
 * .status/I-of-N.json (how far a shard is: replaced every ten seconds). Results of a picture are
 * one checksummed record of the journal: a run that was killed goes on with the pictures that have
 * none. The final files are the same for any number of workers, shards and interruptions,
 * timing.json aside.
 *
 * Threads: labels and plans do not change once they are made and may be read by any number of
 * threads. wsam_run starts threads of its own, which call the worker; several processes, and several
 * threads, may run different shards of a folder. */
#ifndef WEAKSAM_DATASET_H
#define WEAKSAM_DATASET_H

#include "weaksam/base.h"
#include "weaksam/clues.h"
#include "weaksam/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- labels ---------------------------------------------------------------------------------- */

/* Images without labels, labels without an image, or names that come again: how many, and the first
 * of them. */
enum { WSAM_LABEL_GAP_NAMES = 5 };
typedef struct wsam_label_gap {
    size_t n;
    char *names[WSAM_LABEL_GAP_NAMES]; /* NULL behind the last */
} wsam_label_gap;

/* Pictures in byte order of their names; classes of picture i, rising and without repeats, are
 * classes[first[i]] .. classes[first[i+1]-1]. */
typedef struct wsam_labels {
    size_t n;
    char **images; /* relative to the folder */
    size_t *first; /* [n + 1] */
    int32_t *classes;
    size_t n_classes;
    char **names;                 /* in the order that was asked for, else by alphabet */
    size_t unlabelled;            /* pictures of the folder without labels: left out */
    size_t missing;               /* labels without a picture: left out, where that was allowed */
    const char *first_unlabelled; /* one of each, for messages; NULL: none */
    const char *first_missing;
    size_t negatives; /* of n: pictures that are known to show none of the classes */
    const char *kind; /* what the labels were taken for: "a table with one row per image" */
    wsam_label_gap unlabelled_images, missing_images;
    wsam_label_gap repeated_members; /* of a tar file or list: another one of that name follows, and
                                        counts */
} wsam_labels;

typedef struct wsam_labels_options {
    const char *const *names; /* the classes that there may be, in order; NULL: those found */
    size_t n_names;
    int allow_missing;    /* 1: labels of pictures that are not in the folder are left out */
    const char *list;     /* a file that names the pictures to take, one per line; NULL: all */
    uint64_t reserved[3]; /* zero */
} wsam_labels_options;

/* `path` is recognised by what it has:
 *
 *   .csv, .tsv   one row per image (image,class[,class...]; also a;b in a cell), one row per class
 *                (images come again), rows of objects (a header names the class's column), or one
 *                column per class (header image,bolt,nut; cells 0 and 1)
 *   .json        {"image": ["class", ...]}, or a COCO data set
 *   a folder     VOC annotations (*.xml, or a subfolder Annotations), a text file per image (a class
 *                per line, or YOLO's boxes with classes.txt), or a folder of images per class
 *
 *   .tar         WebDataset: a member .cls or .txt beside each image, a class per line
 *
 * A picture that is named without a class shows none of them. `folder` has the pictures (PNG,
 * JPEG, WebP, TIFF); it may be a tar file that has them, or a text file (.txt, .lst) with a path per
 * line, from here on wherever a folder of pictures is asked for;
 * names find them with other folders, endings, letter case and slashes, too, as long as one picture
 * fits best.
 *
 * Errors: a folder without pictures; labels of pictures that are not there; a name that fits
 * several; a picture with two rows where a row has all its classes; classes that are not among
 * options->names; no class at all. `options` may be NULL. */
WSAM_API wsam_status wsam_labels_load(const char *path, const char *folder,
                                      const wsam_labels_options *options, wsam_labels **labels,
                                      wsam_error *error);
WSAM_API void wsam_labels_free(wsam_labels *labels); /* NULL is allowed */

/* The classes of "voc" (20) or "coco" (80) in their published order; 0 and NULL for others. */
WSAM_API size_t wsam_class_names(const char *set, const char *const **names);

/* ---- running --------------------------------------------------------------------------------- */

typedef enum wsam_run_stage {
    WSAM_RUN_LOAD = 0, /* reading the picture */
    WSAM_RUN_CLUES,
    WSAM_RUN_ENCODE,
    WSAM_RUN_PROPOSE,
    WSAM_RUN_SCORE,
    WSAM_RUN_PGT,
    WSAM_RUN_MASKS,
    WSAM_RUN_STAGES
} wsam_run_stage;

WSAM_API const char *wsam_run_stage_name(wsam_run_stage stage); /* NULL out of range */

typedef struct wsam_run_item {
    size_t index;      /* in the labels */
    const char *image; /* relative */
    const char *path;
    const int32_t *labels;
    size_t n_labels;
    uint64_t key; /* of what the first stages find: the same for the same picture and options */
    const struct wsam_run_output *known; /* what the first stages found before, with boxes and masks
                                            of other late options (ids of `masks` are positions in
                                            `pgt` from 1): pgt and masks alone are wanted, the rest
                                            stays. NULL: nothing is known */
} wsam_run_item;

/* What a worker found; begins as zeros and is freed by the run, also after a failure. Ids of
 * `masks` are positions in `pgt` from 1, those of the others 0. */
typedef struct wsam_run_output {
    int width, height;
    char *points, *proposals; /* one JSON line each, malloc; NULL: none */
    wsam_instances scores, pgt, masks;
    double seconds[WSAM_RUN_STAGES];
    uint64_t prompts;
    wsam_run_stage stage; /* the one that is at work: named when it fails */
} wsam_run_output;

/* Works on one picture. `worker` is from 0 to workers-1: a worker is called from one thread at a
 * time. A failure is recorded, and the others go on; but not WSAM_ERR_CANCELLED, nor what another
 * try may mend: WSAM_ERR_MEMORY, after which the others go on and the run ends with that status,
 * and WSAM_ERR_IO of a stage behind WSAM_RUN_LOAD (a full disk), which ends the run. */
typedef wsam_status (*wsam_run_fn)(void *user, int worker, const wsam_run_item *item,
                                   wsam_run_output *output, wsam_error *error);

typedef struct wsam_run_progress {
    size_t total, done, failed;   /* of this shard; done: failed ones included */
    size_t resumed;               /* of `done`: those that an earlier run finished */
    size_t late;                  /* of those to do: those that want their late stages alone */
    uint64_t instances;           /* masks of this process */
    size_t damaged;               /* places in the journal that are no record: passed over */
    double seconds, seconds_left; /* left: negative while nothing is known */
    size_t given, stolen; /* of `total`: done by other shards, or in their hands; pictures of other
                             shards that are done here */
    int waiting; /* 1: the shard's last process may still be at work; the counts are zero */
} wsam_run_progress;

/* A picture without results. */
typedef struct wsam_run_gap {
    const char *image;
    wsam_run_stage stage; /* that failed */
    const char *reason;   /* NULL: not done yet */
} wsam_run_gap;

typedef void (*wsam_run_gap_fn)(void *user, const wsam_run_gap *gap);

typedef struct wsam_run_summary {
    size_t images, failed, missing;
    size_t damaged; /* places in journals that were passed over; their pictures were done again */
    uint64_t boxes, instances; /* pseudo labels, masks, of machines */
    uint64_t empty;            /* boxes whose mask has no pixel */
    wsam_truth_counts truth;   /* of masks.json */
    size_t reviewed_elsewhere; /* images with decisions that are not among those of the run */
    uint64_t prompts;
    double seconds[WSAM_RUN_STAGES]; /* of all workers together */
} wsam_run_summary;

/* Fill with wsam_run_options_default, then change fields. */
typedef struct wsam_run_options {
    const char *folder, *output; /* pictures; results (made where there is none) */
    /* The texts of JSON objects with everything that changes results (options, checksums of models).
     * `late`: what changes pseudo labels and masks alone; with other ones the first stages' results
     * stay, and the worker is asked for the rest (wsam_run_item.known). NULL: the worker does all at
     * once. Results are found again by configuration, classes, name, content and labels of their
     * picture: a folder grows, options change and come back, and what is there is not done again.
     */
    const char *config, *late;
    int shard, shards; /* picture j belongs to the shard with j % shards == shard: 0 of 1 */
    int workers;       /* threads that call the worker: 1 */
    int retry_failed;  /* 1: pictures that failed before are tried again */
    int overwrite;     /* 1: all results are thrown away first */
    wsam_run_fn fn;
    void *user;
    /* Called four times a second from the calling thread. Non-zero: the pictures at work are
     * finished, or given up by their worker (WSAM_ERR_CANCELLED: they are not recorded), then
     * WSAM_ERR_CANCELLED is returned. */
    int (*progress)(void *user, const wsam_run_progress *progress);
    void *progress_user;
    /* Called with progress_user when a picture fails, from the thread that worked on it; calls do
     * not overlap. NULL: none. */
    wsam_run_gap_fn failed;
    /* A shard whose process has shown no sign of life for this long is taken over; 0: 120 s. The same
     * for all processes of a run. */
    double lease_seconds;
    int steal;    /* 1: when the shard is through, pictures of others that nobody has begun */
    int prepared; /* 1: pictures that an earlier process has looked at are taken as they were then */
    uint64_t reserved[4]; /* zero */
} wsam_run_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_run_options_default(wsam_run_options *options);

/* What a run would do, of all shards together, and why. */
typedef struct wsam_run_plan {
    size_t images;
    size_t done, late, first; /* nothing to do; late stages alone; all stages */
    size_t failed;            /* of `done`: those that failed, and are not tried again */
    /* of `first`: */
    size_t new_images, new_contents, new_labels, new_options, unfinished;
    size_t removed;    /* images of the last run that are no longer there: they leave the files */
    char options[512]; /* the first option that differs from the last run's; empty: none */
} wsam_run_plan;

/* What wsam_run would do now: counts images by what is there of them, into *plan. Reads journals,
 * manifest and images (their contents are hashed where they may have changed); writes nothing. Errors
 * are those of wsam_run before its first image. */
WSAM_API wsam_status wsam_run_look_ahead(const wsam_labels *labels, const wsam_run_options *options,
                                         wsam_run_plan *plan, wsam_error *error);

/* Does the pictures of a shard that are not done yet. Final files are written by wsam_run_merge.
 * Memory: the labels, 40 bytes per picture, 40 per record of any options, and what is at work.
 * WSAM_ERR_MISMATCH: another process works on the folder with other options, pictures or labels.
 * WSAM_ERR_CANCELLED: another process works on this shard, or has taken it over. */
WSAM_API wsam_status wsam_run(const wsam_labels *labels, const wsam_run_options *options,
                              wsam_error *error);

/* Writes the final files from all journals of `output`. With pictures missing nothing is written:
 * summary->missing tells how many, and the status is WSAM_OK. `summary` may be NULL. */
WSAM_API wsam_status wsam_run_merge(const char *output, wsam_run_summary *summary,
                                    wsam_error *error);

/* The same, and `fn` (may be NULL) hears of every picture that is missing or failed, in order. */
WSAM_API wsam_status wsam_run_merge_gaps(const char *output, wsam_run_gap_fn fn, void *user,
                                         wsam_run_summary *summary, wsam_error *error);

/* ---- how far all shards are ------------------------------------------------------------------ */

typedef struct wsam_shard_status {
    int shard;
    char state[12]; /* running, done, stopped or failed; gone: its process ended without a word;
                       silent: it has shown no sign of life for two minutes */
    char host[64];
    long pid;
    int64_t started;            /* seconds since 1970, by that host's clock */
    size_t done, failed, total; /* of this shard's images; done: failed ones included */
    size_t given, stolen;       /* see wsam_run_progress */
    double images_per_s;        /* of its present process; 0: not known */
    double median_s;            /* per image */
    double seconds_left;        /* negative: not known */
    uint64_t peak_rss_bytes;
    char slowest[256]; /* image; empty: none yet */
    double slowest_s;
} wsam_shard_status;

typedef struct wsam_run_status {
    size_t images, done, failed;
    int shards; /* 0: none has begun */
    int running, finished, stopped, gone, begun;
    double images_per_s;           /* of those that run, together */
    double seconds_left;           /* negative: not known */
    uint64_t peak_rss_bytes;       /* the largest of any process */
    const wsam_shard_status *list; /* [begun], by number */
    int damaged;                   /* status files that cannot be read: their images do not count */
    char first_damaged[64];        /* one of them, below `output`; empty: none */
    int unknown; /* shards with such a file that do not run: nobody will write it anew */
} wsam_run_status;

/* Looks at the status files and leases of a run again and again, which is how it finds out who is
 * silent: no clocks of other machines are involved. One thread. */
typedef struct wsam_run_watch wsam_run_watch;

/* `output`: folder of a run. WSAM_ERR_IO: there is none. The caller closes *watch. */
WSAM_API wsam_status wsam_run_watch_open(const char *output, wsam_run_watch **watch,
                                         wsam_error *error);
/* *status lives until the next look. Bounded memory: 1 MB for 1000 shards. */
WSAM_API wsam_status wsam_run_watch_look(wsam_run_watch *watch, const wsam_run_status **status,
                                         wsam_error *error);
WSAM_API void wsam_run_watch_close(wsam_run_watch *watch); /* NULL is allowed */

/* ---- the stages as a worker ------------------------------------------------------------------ */

/* Fill with wsam_stage_options_default, then change fields. */
typedef struct wsam_stage_options {
    wsam_model *model, *clue_model; /* open them with the threads that one worker may use */
    int workers;
    wsam_picture_limits limits;
    wsam_clues_params clues;
    wsam_propose_options propose;
    wsam_evidence_options evidence;
    wsam_score_options score;
    wsam_pgt_options pgt;
    int keep_masks;   /* 1: proposals.jsonl has their masks, too */
    int keep_tokens;  /* 1: the clue network's patches among the maps; 2: nothing else */
    const char *maps; /* folder that gets wsam_feature_maps_path of every picture; NULL */
    /* Asked between pieces of work of all stages, from the workers' threads. Non-zero: the picture
     * is given up (WSAM_ERR_CANCELLED). NULL: never. */
    wsam_progress_fn give_up;
    void *give_up_user;
    /* A frozen network whose patches describe regions, too, or NULL; for clues that were learnt
     * with it (train.h). */
    wsam_model *network;
    /* Where wsam_region_workers kept the regions of these pictures with the same models and grid:
     * they are not looked for again. NULL: there is none. */
    const char *regions;
    /* MIST, whose scores and boxes take the place of the clues' (detector.h), or NULL; its classes
     * have the names of the run's. */
    wsam_model *scorer;
    uint64_t reserved[10]; /* zero */
} wsam_stage_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_stage_options_default(wsam_stage_options *options);

/* Working memory of all workers. */
typedef struct wsam_stage_workers wsam_stage_workers;

/* The caller frees *workers, before the models. Labels must be in the classes of the clue model:
 * pass wsam_stage_workers_classes to wsam_labels_load. */
WSAM_API wsam_status wsam_stage_workers_create(const wsam_stage_options *options,
                                               wsam_stage_workers **workers, wsam_error *error);
WSAM_API void wsam_stage_workers_free(wsam_stage_workers *workers); /* NULL is allowed */

/* The classes of the clue model: their number, and *names, which live as long as the workers. */
WSAM_API size_t wsam_stage_workers_classes(const wsam_stage_workers *workers,
                                           const char *const **names);

/* Clues, proposals, scores, pseudo boxes and masks of one picture: a wsam_run_fn, whose user is a
 * wsam_stage_workers. */
WSAM_API wsam_status wsam_stage_workers_run(void *workers, int worker, const wsam_run_item *item,
                                            wsam_run_output *output, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
