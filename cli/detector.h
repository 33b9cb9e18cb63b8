/* cli/detector.h - weaksam detect with a detector that was trained elsewhere. */
#ifndef WEAKSAM_CLI_DETECTOR_H
#define WEAKSAM_CLI_DETECTOR_H

#include "cli/picture.h"
#include "weaksam/detector.h"

typedef struct cli_detector_job {
    const cli_common *common; /* its model is the detector, its output the document */
    const char *input;        /* an image or a folder of them */
    const char *overlays, *dump, *rois;
    const char *segmenter; /* whose masks boxes prompt; NULL: the detector's own */
    wsam_detector_params params;
    wsam_picture_limits limits;
} cli_detector_job;

/* Exit status. */
int cli_detector_run(cli_detector_job *job);

#endif
