/* weaksam/regions.h - clues for any classes, learnt from image-level labels.
 *
 *   wsam_region_workers_*  regions of pictures (grid proposals of a segmenter) and what their masks
 *                          say: outline, holes, axes, colours, gradients, and frozen networks' maps
 *                          inside of them; a file per picture
 *   wsam_regions_learn     multiple-instance learning on them: a clue file that wsam_stage_workers
 *                          takes as it takes a clue network, and a judgement per class
 *
 * Or, with `cells`, the tokens of a frozen network (a backbone, a clue network's patches, the
 * segmenter's embedding) in place of regions, and a head on them: a clue network's file.
 *
 * Which sources are looked at is chosen per set, on pictures that are held out. Equal inputs,
 * options and seed give equal bytes with any number of threads. */
#ifndef WEAKSAM_REGIONS_H
#define WEAKSAM_REGIONS_H

#include "weaksam/base.h"
#include "weaksam/dataset.h"
#include "weaksam/stages.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- regions of pictures --------------------------------------------------------------------- */

/* Fill with wsam_region_options_default, then change fields. */
typedef struct wsam_region_options {
    wsam_model *model;   /* the segmenter; open it with the threads that one worker may use */
    wsam_model *network; /* a clue network whose patches are one more source; NULL: none */
    int workers;
    int network_size; /* limit of the long side of its view: 640; with `cells` its long side, 0: 24
                         patches */
    wsam_picture_limits limits;
    wsam_propose_options propose; /* its grid is what counts */
    const char *folder;           /* gets N.regions for picture N of the labels */
    wsam_progress_fn give_up;     /* as in wsam_stage_options */
    void *give_up_user;
    int cells; /* 1: tokens of the network (NULL: of the segmenter) in place of regions, of the image
                  and mirrored */
    uint64_t reserved[7]; /* zero */
} wsam_region_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_region_options_default(wsam_region_options *options);

typedef struct wsam_region_workers wsam_region_workers;
/* Working memory of all workers; the models live longer. The caller frees *workers. */
WSAM_API wsam_status wsam_region_workers_create(const wsam_region_options *options,
                                                wsam_region_workers **workers, wsam_error *error);
WSAM_API void wsam_region_workers_free(wsam_region_workers *workers); /* NULL is allowed */
/* A wsam_run_fn, whose user is a wsam_region_workers. */
WSAM_API wsam_status wsam_region_workers_run(void *workers, int worker, const wsam_run_item *item,
                                             wsam_run_output *output, wsam_error *error);

/* 1: the model is a clue file that wsam_regions_learn wrote. */
WSAM_API int wsam_is_region_clues(const wsam_model *model);

/* ---- the judgement --------------------------------------------------------------------------- */

/* How well a class is told from others, on pictures that were not learnt from. */
typedef struct wsam_class_judgement {
    char *name;
    size_t pictures;      /* that show it, of all */
    size_t judged;        /* of them, those held out */
    double ap, low, high; /* average precision, and its 90 % bootstrap interval; -1: none */
    double roc_area; /* share of pairs in which an image that shows it is above one that does not */
    int confused_with; /* the class that it is most often taken for, or that for it; -1: none */
    size_t confusions;
    char *sentence;  /* what a person should know of it, in plain words */
    size_t n_errors; /* pictures that it errs on, worst first: positions in the labels */
    size_t errors[5];
} wsam_class_judgement;

typedef struct wsam_judgement {
    size_t pictures, judged; /* judged: held out once */
    int folds;               /* of cross-validation; 0: one part was held out */
    double map;              /* mean of the APs that there are; -1: none */
    char *sources;           /* the chosen ones: "shape,look,sam" */
    size_t n_tried;          /* choices that were compared, the chosen one first */
    char *tried[8];
    double tried_map[8];
    size_t n_classes;
    wsam_class_judgement *classes;
} wsam_judgement;

WSAM_API void wsam_judgement_free(wsam_judgement *judgement); /* NULL is allowed */
/* A table and sentences; free with wsam_free. WSAM_ERR_MEMORY or WSAM_OK. */
WSAM_API wsam_status wsam_judgement_text(const wsam_judgement *judgement, char **text);
/* One JSON object; `labels` has the names of the pictures. As above. */
WSAM_API wsam_status wsam_judgement_json(const wsam_judgement *judgement, const wsam_labels *labels,
                                         char **json);

/* ---- learning -------------------------------------------------------------------------------- */

typedef struct wsam_regions_progress {
    int training, trainings; /* from 0; how many there are: candidates, folds, the last on all */
    double fraction;         /* of all of them */
    double seconds_left;
} wsam_regions_progress;

/* Fill with wsam_regions_learn_default, then change fields. */
typedef struct wsam_regions_learn_options {
    const char *folder;    /* with the files N.regions */
    const char *segmenter; /* ids (model.id) of the models that made them */
    const char *network;   /* NULL: none */
    const char *sources;   /* "shape,look,sam": no choice; NULL: the best on held-out pictures */
    int epochs;            /* 0: 40, of cells 30 */
    int keep_holdout;      /* 1: held-out pictures stay out of the last training, too */
    uint64_t seed;         /* 1 */
    int threads;           /* 0: what this process may use */
    const char *isa;
    /* A file by which processes agree who learns: the others wait until `out` is there, and take
     * over when its owner is gone (nothing of it for lease_seconds). NULL: nobody else does. */
    const char *lease;
    /* Called after every batch, and every second while waiting (training: -1). Non-zero:
     * WSAM_ERR_CANCELLED. */
    int (*progress)(void *user, const wsam_regions_progress *progress);
    void *progress_user;
    /* The files hold cells: the weight file of the network that gave them, which becomes part of
     * `out`, and the long side of the images that it looked at (0: 24 patches). NULL: regions. */
    const char *cells_of;
    int cells_side;
    double lease_seconds; /* 0: 120 */
    uint64_t reserved[4]; /* zero */
} wsam_regions_learn_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_regions_learn_default(wsam_regions_learn_options *options);

/* Learns from the regions of all pictures of `labels` that have a file, and writes the clue file
 * `out` (.wsam). Pictures without classes are negatives of all. Of 140 pictures or more, 15 % are
 * held out to judge, fewer are judged by cross-validation; then all are learnt from. Errors:
 * WSAM_ERR_MISMATCH where no picture has a class, or no region was found. `out` without its ending
 * plus .judgement.json and .judgement.txt are written before it; of cells, .curve.jsonl, too (a line
 * per training and epoch), and a training that was stopped goes on where it was. `judgement` may be NULL; it is set
 * to NULL where another process learnt. */
WSAM_API wsam_status wsam_regions_learn(const wsam_labels *labels,
                                        const wsam_regions_learn_options *options, const char *out,
                                        wsam_judgement **judgement, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
