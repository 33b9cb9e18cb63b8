/* pipeline/dataset/run_truth.c - what people decided about a run, in its final files. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/coco/id_texts.h"
#include "pipeline/dataset/journal.h"

static char *in_output(const char *output, const char *name)
{
    const size_t size = strlen(output) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", output, name);
    return path;
}

wsam_status ws_run_truth_load(const char *output, wsam_coco_document **truth, wsam_error *error)
{
    char *path = in_output(output, "reviewed.json");
    *truth = NULL;
    if (!path)
        return ws_no_memory(error, output);
    int there;
    wsam_status status = ws_file_there(path, &there, error);
    if (!status && there)
        status = wsam_coco_load(path, NULL, truth, error);
    free(path);
    return status;
}

int64_t ws_run_truth_last_id(const wsam_coco_document *truth)
{
    int64_t last = 0;
    for (size_t i = 0; truth && i < truth->instances.n; i++) {
        const wsam_instance *a = &truth->instances.items[i];
        if (a->reviewed && a->id > last && !ws_id_texts_get(truth->id_texts, a->id))
            last = a->id;
    }
    return last;
}

static wsam_status adopt_into(const char *path, wsam_coco_kind kind,
                              const wsam_coco_document *truth, const char *config,
                              wsam_truth_counts *counts, size_t *unknown, wsam_error *error)
{
    wsam_coco_document *d = NULL;
    wsam_status status = kind == WSAM_COCO_MASKS ? wsam_coco_load_masks(path, NULL, &d, error)
                                                 : wsam_coco_load(path, NULL, &d, error);
    if (!status)
        status = wsam_coco_adopt(d, truth, counts, unknown, error);
    if (!status)
        status = wsam_coco_save(d, path, kind, config, error);
    wsam_coco_free(d);
    return status;
}

wsam_status ws_run_truth_adopt(const char *output, const wsam_coco_document *truth,
                               const char *config, wsam_run_summary *sum, wsam_error *error)
{
    char *pgt = in_output(output, "pgt.json"), *masks = in_output(output, "masks.json");
    wsam_status status = pgt && masks ? WSAM_OK : ws_no_memory(error, output);
    if (!status)
        status = adopt_into(pgt, WSAM_COCO_BOXES, truth, config, NULL, NULL, error);
    if (!status)
        status = adopt_into(masks, WSAM_COCO_MASKS, truth, config, &sum->truth,
                            &sum->reviewed_elsewhere, error);
    free(pgt), free(masks);
    return status;
}
