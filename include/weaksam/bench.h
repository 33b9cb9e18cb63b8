/* weaksam/bench.h - measured rates of whole models, and rows of several machines side by side.
 *
 * A row is one figure with what it takes to compare it: device, model, type, resolution, prompts,
 * scenario, batch and the timed region. Rows of this library and of others have the same fields and
 * are stored as JSON lines; wsam_bench_compare refuses to put rows side by side that were measured
 * by different protocols. */
#ifndef WEAKSAM_BENCH_H
#define WEAKSAM_BENCH_H

#include "weaksam/model.h"
#include "weaksam/picture.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- rows ------------------------------------------------------------------------------------ */

/* Text is cut to fit. Numbers that are not known are NaN, whole numbers -1. */
typedef struct wsam_bench_row {
    char device[96];         /* "AMD EPYC, 2 of 64 cores" */
    char runtime[64];        /* what computed: "weaksam", "onnxruntime", "pytorch" */
    char model[64];          /* family: "sam_vit_b" */
    char type[16];           /* f32, bf16, fp16, tf32, int8 */
    char scenario[16];       /* SingleStream: one image after another, as fast as each goes;
                        * Offline: a queue, as many images side by side as pay */
    char timed_region[32];   /* encoder: prepared tensor to embedding; encode: decoded image to
                            * embedding; encode+prompts: decoded image to full-size masks of the
                            * prompts; decoder: embedding and prompts to logits; everything: decoded
                            * image to all masks with NMS and RLE; run, run/STAGE: a folder */
    char level[32];          /* instruction set or precision mode */
    char kind[16];           /* measured or published */
    char date[16];           /* 2026-11-30 */
    char versions[192];      /* of compiler, drivers, runtimes */
    char source[192];        /* the command, or the page a published figure is from */
    int threads;             /* of one session */
    int processes, sessions; /* side by side: processes, and sessions in each */
    int resolution;          /* side of the encoder's square */
    int prompts;             /* per image; 0 without decoder */
    int batch;               /* images in one call */
    int runs;
    double images_per_s;
    double p50_ms, p90_ms, p99_ms, worst_ms; /* of one call */
    double interval_percent; /* width of the 95 % interval of the median, per cent of it */
    double peak_rss_bytes;   /* of all processes */
    double clock_hz;
    double peak_gops;       /* f32 register loop of the same run, all threads */
    double percent_of_peak; /* multiply-adds of the encoder, each at its type's peak, in the time;
                             * NaN too where it would pass 100: something held the loops up */
    double watts, joules_per_image;
    double price_per_hour;
} wsam_bench_row;

/* Rows of a JSON lines file; wsam_free(*rows). Unknown fields are ignored; errors name file, line and
 * field: one of device, model, type, resolution, prompts, scenario, timed_region that is missing or
 * does not fit, a negative number, a fraction where a whole number is wanted. */
WSAM_API wsam_status wsam_bench_load(const char *path, wsam_bench_row **rows, size_t *n,
                                     wsam_error *error);

/* One JSON line with a newline; wsam_free(*json). WSAM_ERR_MEMORY is the only failure. */
WSAM_API wsam_status wsam_bench_json(const wsam_bench_row *row, char **json);

/* *fits: whether a row has this value; `condition` is FIELD=VALUE. An unknown field is
 * WSAM_ERR_ARGUMENT. */
WSAM_API wsam_status wsam_bench_matches(const wsam_bench_row *row, const char *condition, int *fits,
                                        wsam_error *error);

/* ---- measuring ------------------------------------------------------------------------------- */

typedef enum wsam_bench_region {
    WSAM_BENCH_ENCODER = 0,
    WSAM_BENCH_ENCODE,
    WSAM_BENCH_PROMPTS, /* encode+prompts */
    WSAM_BENCH_DECODER,
    WSAM_BENCH_EVERYTHING,
    WSAM_BENCH_REGIONS
} wsam_bench_region;

/* The name in rows; NULL out of range. */
WSAM_API const char *wsam_bench_region_name(int region);

/* Fill with wsam_bench_options_default, then change fields. */
typedef struct wsam_bench_options {
    wsam_options runtime; /* threads: of one session */
    wsam_bench_region region;
    int processes, sessions;     /* 1, 1; each session works on an image of its own */
    int offline;                 /* 1: the row's scenario is Offline */
    int prompts;                 /* per image, single clicks with three masks: 1 */
    int runs;                    /* of each session; 0: until the median is known well enough */
    double interval_percent;     /* width of the median's 95 % interval at which it is: 3 */
    double max_seconds;          /* the limit for that: 60 */
    double watts;                /* power to state where the system does not tell energy; 0: none */
    const char *const *pictures; /* files, taken in turn; NULL: a drawing of 640 x 480 */
    size_t n_pictures;
    wsam_picture_limits limits;
    uint64_t reserved[4]; /* zero */
} wsam_bench_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_bench_options_default(wsam_bench_options *options);

/* Measures one row in child processes (fork), so that peak memory is the measurement's own: call it
 * from a process that has no threads. Every session runs once to warm up, all wait for each other
 * and are timed until the first session's median is known; opening, planning and image files are not
 * in the time. Clock and register-loop peaks are taken right behind it. */
WSAM_API wsam_status wsam_bench_measure(const char *model, const wsam_bench_options *options,
                                        wsam_bench_row *row, wsam_error *error);

/* ---- comparing ------------------------------------------------------------------------------- */

/* Formats of a comparison. */
typedef enum wsam_bench_format {
    WSAM_BENCH_MARKDOWN = 0,
    WSAM_BENCH_CSV,
    WSAM_BENCH_SVG
} wsam_bench_format;

/* Fill with zeros, then change fields. */
typedef struct wsam_bench_compare_options {
    const char *prices; /* file: price per hour, device, source, date, a line each; NULL: none */
    const char *across; /* fields that may differ, separated by commas: "batch"; NULL: none */
    wsam_bench_format format;
    uint64_t reserved[4]; /* zero */
} wsam_bench_compare_options;

/* A table per model: images per second (SingleStream: of the median), per core, per watt, cost per
 * million images, and how many of the first CPU's machines, as its fastest row tells, deliver what each
 * device does. WSAM_ERR_MISMATCH where rows of one
 * model differ in resolution, prompts, scenario, timed_region or batch; the message says in what.
 * wsam_free(*text). */
WSAM_API wsam_status wsam_bench_compare(const wsam_bench_row *rows, size_t n,
                                        const wsam_bench_compare_options *options, char **text,
                                        wsam_error *error);

/* Images per second over threads, sessions and processes of one model, as SVG; wsam_free(*svg). */
WSAM_API wsam_status wsam_bench_scaling_svg(const wsam_bench_row *rows, size_t n, char **svg,
                                            wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
