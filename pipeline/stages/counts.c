/* pipeline/stages/counts.c - run lengths as COCO's text. */
#include <stdlib.h>

#include "pipeline/stages/stages.h"

int ws_counts_text(const wsam_rle *rle, char **text, size_t *length)
{
    *length = wsam_rle_to_string(rle, NULL, 0);
    *text = malloc(*length + 1);
    if (!*text)
        return 0;
    wsam_rle_to_string(rle, *text, *length);
    (*text)[*length] = 0;
    return 1;
}

wsam_status ws_counts_rle(const char *text, size_t length, int height, int width, wsam_rle *rle,
                          wsam_error *error)
{
    *rle = (wsam_rle){.height = height, .width = width, .capacity = length + 1};
    rle->counts = malloc(rle->capacity * sizeof *rle->counts);
    if (!rle->counts)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for run lengths");
    return wsam_rle_from_string(text, length, rle, error);
}

void ws_counts_put(ws_text *t, const char *name, int height, int width, const char *counts,
                   size_t length)
{
    ws_text_printf(t, ",\"%s\":{\"size\":[%d,%d],\"counts\":", name, height, width);
    ws_json_bytes(t, counts, length);
    ws_text_put(t, "}", 1);
}
