/* pipeline/detect/rois.c - rois of a file, to be compared with those that a detector would find. */
#include <stdlib.h>

#include "kernels/float_scope.h"
#include "pipeline/detect/detector.h"
#include "weights/import/source.h"

wsam_status wsam_rois_load(const char *path, float (**rois)[4], size_t *n, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_source *s = NULL;
    *rois = NULL;
    *n = 0;
    wsam_status status = ws_source_open(path, &s, error);
    if (status)
        return status;
    const ws_source_tensor *t = ws_source_find(s, "rois");
    if (!t || t->rank != 2 || t->dims[1] != 4 || t->dtype == WS_DTYPE_INT || !t->dims[0] ||
        t->dims[0] > WS_DETECTOR_MOST_ROIS)
        status =
            ws_fail(error, WSAM_ERR_FORMAT, "%.300s: expected a tensor 'rois' [n,4], n 1 to %d",
                    path, WS_DETECTOR_MOST_ROIS);
    if (!status && !(*rois = malloc((size_t)t->dims[0] * sizeof **rois)))
        status = ws_no_memory(error, path);
    if (!status)
        status = ws_source_read(s, t, (*rois)[0], error);
    if (!status)
        *n = t->dims[0];
    if (status) {
        free(*rois);
        *rois = NULL;
    }
    ws_source_close(s);
    return status;
}
