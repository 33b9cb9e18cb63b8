/* weaksam/scale.h - how a run in shards behaves on more machines than there are: a simulation that
 * starts from measured figures.
 *
 * Events are blocks of images: computing on a node, and reading from a file server that all share,
 * first come first served. Given the same options and seed the result is the same everywhere.
 * Thread-safe. */
#ifndef WEAKSAM_SCALE_H
#define WEAKSAM_SCALE_H

#include "weaksam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fill with wsam_scale_options_default, then change fields. Seconds and bytes are of one image, node
 * or process, as their names say. */
typedef struct wsam_scale_options {
    uint64_t images;
    int machines;
    int processes; /* shards at work on a machine at once: 1 */
    int cores;     /* of a machine: processes beyond them share; 0: one for each process */
    int shards;    /* 0: one for each process */
    int steal;     /* 1: `run --steal` */
    int prepared;  /* 1: `run --prepared`: one process looks at all images, the others do not */
    /* compute, measured */
    double image_s;                 /* of one process alone */
    double image_spread;            /* standard deviation of its logarithm (log-normal): 0.4 */
    double start_s;                 /* a process, to its first image, without what is below: 0.2 */
    double load_s;                  /* opening the models */
    double slow_share, slow_factor; /* machines that take longer, and how much: 0.02, 1.5 */
    double launches_per_s;          /* tasks that the scheduler starts: 50 */
    /* storage */
    double server_bytes_per_s, machine_bytes_per_s; /* 2e9, 1e9 */
    double server_ops_per_s;                        /* stat, open, create, fsync: 20000 */
    uint64_t model_bytes, image_bytes;
    uint64_t record_bytes; /* of the journal: 4000 */
    /* what every process and merge take, measured with synthetic runs */
    uint64_t manifest_bytes;       /* of an image: 150 */
    double manifest_s;             /* to read and write it: 2e-6 */
    uint64_t process_memory_bytes; /* of an image, in every process: 300 */
    double merge_s;                /* 6e-5 */
    uint64_t merge_memory_bytes;   /* 500 */
    uint64_t seed;
    uint64_t reserved[8]; /* zero */
} wsam_scale_options;

typedef struct wsam_scale_result {
    double total_s;
    double begin_s; /* when the last process begins its first image */
    double first_s; /* when the first process is through */
    double work_s;  /* when the last one is */
    double merge_s; /* of total_s */
    double images_per_s;
    double efficiency;  /* compute that was needed / machines, their cores and the whole time */
    double server_busy; /* share of the time that the file server transfers, until work_s */
    double process_memory_bytes, merge_memory_bytes;
    uint64_t stolen;   /* images that were done by another shard */
    const char *limit; /* what most of the lost time went to */
} wsam_scale_result;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_scale_options_default(wsam_scale_options *options);
/* Simulates the run from its start to the last shard's end, into *result. WSAM_ERR_ARGUMENT: a count
 * or rate that is not positive. WSAM_ERR_MEMORY. */
WSAM_API wsam_status wsam_scale_simulate(const wsam_scale_options *options,
                                         wsam_scale_result *result, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
