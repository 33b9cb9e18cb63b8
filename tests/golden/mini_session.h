/* tests/golden/mini_session.h - running the small models of the mini goldens, and what a line of output
 * says. */
#ifndef WS_TESTS_GOLDEN_MINI_SESSION_H
#define WS_TESTS_GOLDEN_MINI_SESSION_H

#include "tests/golden/mini_values.h"
#include "weaksam/model.h"

/* What one line of output says. */
typedef struct mini_verdict {
    const char *id, *isa;
    double worst;
    char why[1100]; /* empty: no failure so far */
} mini_verdict;

extern int mini_failures; /* reported so far */

void mini_compare(mini_verdict *v, const char *what, double want, double got);
void mini_compare_values(mini_verdict *v, const float *data, size_t n, double mean,
                         double abs_mean);
/* Sets the relative L2 distance of two lists; beyond the limit it is a failure. */
void mini_compare_embeddings(mini_verdict *v, const float *want, const float *got, size_t n,
                             double limit);
void mini_fail(mini_verdict *v, const char *what, const wsam_error *error);
void mini_report(const mini_verdict *v);

/* Zeros; ends the program where there is no memory. */
void *mini_allocate(size_t bytes);

/* ---- running a graph ---- */

typedef struct mini_runner {
    wsam_model *model;
    wsam_session *session;
    wsam_image *image;
} mini_runner;

wsam_options mini_options_for(const char *isa, int threads, wsam_lowering lowering);

/* Opens DIR/file.wsam and binds one image-rate input to a graph. */
int mini_runner_open(mini_runner *r, const char *folder, const char *file, const char *graph,
                     const wsam_options *options, const wsam_dim *dims, size_t n_dims,
                     const wsam_tensor *input, mini_verdict *v);
void mini_runner_close(mini_runner *r);

/* The embedding of file on the golden image, [16*16*WIDTH]; 1 on success. */
int mini_encode(const char *folder, const char *file, const wsam_options *options, float *out,
                mini_verdict *v);

/* ---- decoders ---- */

typedef struct mini_prompts {
    int n;
    float *points;   /* [n][n_points][2], normalised */
    int32_t *labels; /* [n][n_points] */
    float *mask;     /* [n][LOGITS][LOGITS][1] */
    float *iou, *low_res;
} mini_prompts;

mini_prompts mini_prompts_new(const decoder_golden *g, int n);
void mini_prompts_free(mini_prompts *p);
/* The golden's prompt at place `at`; a missing point keeps the coordinates (-1,-1). */
void mini_prompts_set(mini_prompts *p, const decoder_golden *g, int at);
/* Another prompt of the same kind, to stand beside the golden's. */
void mini_prompts_set_other(mini_prompts *p, const decoder_golden *g, int at);

int mini_decoder_open(mini_runner *r, const char *folder, const decoder_golden *g,
                      const wsam_options *options, int n, mini_verdict *v);
int mini_run_prompts(mini_runner *r, const decoder_golden *g, const mini_prompts *p,
                     wsam_tensor *outputs, size_t n_outputs, mini_verdict *v);
int mini_decode(mini_runner *r, const decoder_golden *g, const mini_prompts *p, mini_verdict *v);

#endif
