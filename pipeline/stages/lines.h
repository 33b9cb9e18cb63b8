/* pipeline/stages/lines.h - one line of JSON: its parts, and errors with file, line and field. */
#ifndef WS_PIPELINE_STAGES_LINES_H
#define WS_PIPELINE_STAGES_LINES_H

#include <cjson/cJSON.h>

#include "pipeline/stages/stages.h"

enum { WS_LINE_MAX = 64 << 20 }; /* bytes */

typedef struct ws_line {
    const char *name;
    uint64_t number;
    wsam_error *error;
} ws_line;

wsam_status ws_lines_bad(const ws_line *l, const char *field, const char *wants);
wsam_status ws_lines_no_memory(const ws_line *l);

/* An object, and nothing behind it; cJSON_Delete. */
wsam_status ws_lines_parse(const ws_line *l, const char *text, size_t n, cJSON **root);
/* `image`, `width` and `height`. */
wsam_status ws_lines_picture(const ws_line *l, const cJSON *root, char **image, int *width,
                             int *height);
/* A finite number; 0 when it is missing or something else. */
int ws_lines_number(const cJSON *object, const char *field, double *out);
int ws_lines_source(const cJSON *object, wsam_source *source);

#endif
