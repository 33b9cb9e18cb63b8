/* cli/picture.h - what commands that look at a picture share: model, segmenter, limits, encoding.
 */
#ifndef WEAKSAM_CLI_PICTURE_H
#define WEAKSAM_CLI_PICTURE_H

#include "cli/cli.h"

typedef struct cli_loaded {
    wsam_model *model;
    wsam_segmenter *segmenter;
    wsam_picture picture; /* of the last cli_picture_encode */
    double load_ms;       /* model and picture */
    int progress;
} cli_loaded;

typedef struct cli_limits {
    wsam_picture_limits picture;
} cli_limits;

enum { CLI_OPT_MAX_PIXELS = CLI_OWN + 100 };
extern const struct option cli_limit_options[];
int cli_picture_take_limit(void *limits, int option, const char *value);

/* The model and a segmenter; cli_picture_close_model frees them, also after a failure. */
wsam_status cli_picture_open_model(const cli_common *common, cli_loaded *l, wsam_error *error);
void cli_picture_close_model(cli_loaded *l);
/* Loads a picture and encodes it; messages name the file. */
wsam_status cli_picture_encode(cli_loaded *l, const char *path, const cli_limits *limits,
                               wsam_embedding **embedding, wsam_error *error);
void cli_picture_timing(const cli_common *common, const cli_loaded *l);

#endif
