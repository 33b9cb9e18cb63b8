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

wsam_status ws_line_fields_bad(const ws_line *l, const char *field, const char *wants);
wsam_status ws_line_fields_no_memory(const ws_line *l);

/* An object, and nothing behind it; cJSON_Delete. */
wsam_status ws_line_fields_parse(const ws_line *l, const char *text, size_t n, cJSON **root);
/* `image`, `width` and `height`. */
wsam_status ws_line_fields_picture(const ws_line *l, const cJSON *root, char **image, int *width,
                                   int *height);
/* A finite number; 0 when it is missing or something else. */
int ws_line_fields_number(const cJSON *object, const char *field, double *out);
int ws_line_fields_source(const cJSON *object, wsam_source *source);

/* The next line of a file, and where it is; *n is 0 at the end. The text is the reader's. */
wsam_status ws_line_reader_next(wsam_line_reader *reader, char **text, size_t *n, ws_line *line,
                                wsam_error *error);

#endif
