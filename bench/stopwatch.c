/* bench/stopwatch.c - an outside stopwatch around the C API: what `weaksam bench --what encode` must agree with.
 *
 * usage: stopwatch MODEL.wsam [RUNS (7)]
 *
 * Prints the median milliseconds of wsam_segmenter_encode on the drawing that bench uses, by the public headers and the
 * system's clock alone. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "weaksam/weaksam.h"

enum { MOST = 1000 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_segmenter *segmenter = NULL;
    wsam_picture picture = {0};
    double ms[MOST];
    const int runs = argc > 2 ? atoi(argv[2]) : 7;
    if (argc < 2 || runs < 1 || runs > MOST) {
        fprintf(stderr, "usage: stopwatch MODEL.wsam [RUNS]\n");
        return 2;
    }
    wsam_status status = wsam_model_open(argv[1], NULL, &model, &error);
    if (!status)
        status = wsam_segmenter_create_encoder(model, &segmenter, &error);
    if (!status)
        status = wsam_picture_draw(480, 640, &picture, &error);
    for (int i = -1; i < runs && !status; i++) {
        wsam_embedding *embedding = NULL;
        const double start = now_ms();
        status = wsam_segmenter_encode(segmenter, &picture, &embedding, &error);
        if (i >= 0)
            ms[i] = now_ms() - start;
        wsam_embedding_free(embedding);
    }
    if (status) {
        fprintf(stderr, "stopwatch: %s\n", error.message);
    } else {
        qsort(ms, (size_t)runs, sizeof *ms, by_value);
        printf("%.3f\n", ms[(runs - 1) / 2]);
    }
    wsam_picture_free(&picture);
    wsam_segmenter_free(segmenter);
    wsam_model_close(model);
    return status != WSAM_OK;
}
