/* pipeline/stages/stages.h - what the stages share among themselves. */
#ifndef WS_PIPELINE_STAGES_STAGES_H
#define WS_PIPELINE_STAGES_STAGES_H

#include <stdio.h>

#include "base/error.h"
#include "base/json_writer.h"
#include "base/outputs.h"
#include "weaksam/stages.h"

/* COCO text of run lengths, NUL-terminated, in memory of its own; 0 when there is none. */
int ws_counts_text(const wsam_rle *rle, char **text, size_t *length);
/* The reverse; rle->counts is freed by the caller, also after a failure. */
wsam_status ws_counts_rle(const char *text, size_t length, int height, int width, wsam_rle *rle,
                          wsam_error *error);

/* ,"NAME":{"size":[H,W],"counts":"..."} */
void ws_counts_put(ws_text *t, const char *name, int height, int width, const char *counts,
                   size_t length);

/* wsam_coco_open among files that appear together: whoever has `outputs` finishes them, after
 * wsam_coco_finish. */
wsam_status ws_coco_write_in(ws_outputs *outputs, const char *path, wsam_coco_kind kind,
                             const wsam_classes *classes, const char *info,
                             wsam_coco_writer **writer, wsam_error *error);

/* A copy with its own run lengths; 0 when there is no memory. */
int ws_instances_copy(const wsam_instance *from, wsam_instance *to);

#endif
