/* cli/detector.c - see detector.h. */
#include "cli/detector.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "cli/stages.h"

/* The paths of the images: the one that was given, or those of a folder. */
static wsam_status list_images(const char *input, char ***paths, size_t *n, wsam_error *error)
{
    struct stat s;
    if (stat(input, &s) == 0 && S_ISDIR(s.st_mode)) {
        const wsam_status status = cli_folder_pictures(input, paths, n, error);
        if (!status && !*n)
            return cli_error(error, WSAM_ERR_ARGUMENT, "%.300s: no image in it", input);
        return status;
    }
    *n = 0;
    *paths = malloc(sizeof **paths);
    if (*paths && (**paths = strdup(input)))
        *n = 1;
    return *n ? WSAM_OK : cli_error(error, WSAM_ERR_MEMORY, "no memory");
}

static wsam_status open_detector(const cli_common *common, wsam_model **model, wsam_error *error)
{
    const wsam_status status = wsam_model_open(common->model, &common->runtime, model, error);
    if (status || wsam_model_has_graph(*model, "detector"))
        return status;
    return cli_error(error, WSAM_ERR_MISMATCH,
                     wsam_model_has_graph(*model, "image_encoder")
                         ? "%.300s: a segmenter detects with a head: give --head HEAD.wsam"
                         : "%.300s: no detector; weaksam convert makes one from a checkpoint of "
                           "Faster R-CNN or Mask R-CNN",
                     common->model);
}

/* ---- --dump ---- */

static wsam_status dump(const cli_detector_job *j, wsam_model *model, wsam_error *error)
{
    wsam_detector *detector = NULL;
    wsam_picture picture = {0};
    float(*rois)[4] = NULL;
    size_t n = 0;
    wsam_status status = j->rois ? wsam_rois_load(j->rois, &rois, &n, error) : WSAM_OK;
    if (!status)
        status = wsam_picture_load(j->input, &j->limits, &picture, error);
    if (!status)
        status = wsam_detector_create(model, &detector, error);
    if (!status)
        status = wsam_detector_dump(detector, &picture, &j->params, (const float(*)[4])rois, n,
                                    j->dump, error);
    wsam_detector_free(detector);
    wsam_picture_free(&picture);
    wsam_free(rois);
    return status;
}

/* ---- detections ---- */

static void print_failed(void *user, const char *path, const wsam_error *error)
{
    (void)user;
    (void)path;
    cli_failed("detect", error);
}

static wsam_status detect(const cli_detector_job *j, wsam_model *model, double load_ms,
                          size_t *failed, wsam_error *error)
{
    static char label[] = "detect";
    wsam_detector_files_options o;
    wsam_detector_files_summary sum = {0};
    char **paths = NULL;
    wsam_detector_files_options_default(&o);
    o.params = j->params;
    o.limits = j->limits;
    o.overlays = j->overlays;
    wsam_status status = list_images(j->input, &paths, &o.n_paths, error);
    o.paths = (const char *const *)paths;
    if (o.n_paths > 1)
        o.failed = print_failed;
    if (cli_wants_progress(j->common)) {
        o.progress = cli_progress;
        o.progress_user = label;
    }
    if (!status && j->segmenter)
        status = wsam_model_open(j->segmenter, &j->common->runtime, &o.segmenter, error);
    const double start = ws_clock_ms();
    if (!status)
        status = wsam_detector_files(model, &o, j->common->output, &sum, error);
    cli_progress_end();
    cli_folder_free(paths, o.n_paths);
    wsam_model_close(o.segmenter);
    if (status)
        return status;
    const wsam_timing timing = {.encode_ms = ws_clock_ms() - start};
    cli_print_timing(j->common, load_ms, &timing);
    *failed = sum.failed;
    if (!j->common->quiet)
        fprintf(stderr, "%zu images, %zu boxes; %zu images failed\n", sum.images, sum.boxes,
                sum.failed);
    return WSAM_OK;
}

int cli_detector_run(cli_detector_job *j)
{
    wsam_model *model = NULL;
    wsam_error error = {0};
    size_t failed = 0;
    const double start = ws_clock_ms();
    wsam_status status = open_detector(j->common, &model, &error);
    const double load_ms = ws_clock_ms() - start;
    if (!status && j->dump)
        status = dump(j, model, &error);
    if (!status && j->common->output)
        status = detect(j, model, load_ms, &failed, &error);
    wsam_model_close(model);
    if (status)
        return cli_failed("detect", &error);
    return failed ? CLI_FAILED : CLI_OK;
}
