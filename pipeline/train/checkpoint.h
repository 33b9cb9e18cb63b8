/* pipeline/train/checkpoint.h - the state of a trainer as a safetensors file, and finished heads.
 */
#ifndef WS_PIPELINE_TRAIN_CHECKPOINT_H
#define WS_PIPELINE_TRAIN_CHECKPOINT_H

#include "pipeline/train/trainer.h"

/* A tensor of a safetensors file: f32, f64, i32 or u8. */
typedef struct ws_saved {
    char name[48];
    const char *dtype; /* "F32", ... */
    size_t rank;
    uint64_t shape[3];
    const void *data;
    size_t bytes;
} ws_saved;

typedef struct ws_saved_note {
    const char *key;
    char value[192];
} ws_saved_note;

/* Writes under a temporary name, flushes to the disk, renames, and flushes the folder. */
wsam_status ws_checkpoint_save_tensors(const char *path, const ws_saved *tensors, size_t n,
                                       const ws_saved_note *notes, size_t n_notes,
                                       wsam_error *error);

/* Identifies configuration, number of iterations, data and level; a checkpoint of another is refused. */
uint64_t ws_checkpoint_hash(const ws_trainer *t);

/* Whether a checkpoint is due: at the ends of epochs, but of 20 of them at most, since small sets
 * have hundreds of epochs of seconds (24 images left 7.6 GB); and at the end. */
int ws_checkpoint_due(const ws_trainer *t);

/* `folder`/last.safetensors; the one before becomes previous.safetensors, and where one is due at
 * the end of an epoch it stays as epoch-NN.safetensors too. Parameters that are not finite are refused. */
wsam_status ws_checkpoint_write(const ws_trainer *t, const char *folder, wsam_error *error);
/* *found = 0 when the folder has no checkpoint. `forced`: one of another configuration will do,
 * when its parameters fit. */
wsam_status ws_checkpoint_read(ws_trainer *t, const char *folder, int forced, int *found,
                               wsam_error *error);

/* The tensors of a head under "head.": neck1, neck2, predictors; 6 of them. */
enum { WS_HEAD_TENSORS = 2 * WS_HEAD_LAYERS };
void ws_checkpoint_tensors(const ws_head *head, const char *prefix, ws_saved out[WS_HEAD_TENSORS]);
/* Parameters of a head's file, where it has these sizes and the same text of classes. */
wsam_status ws_checkpoint_begin_with(ws_head *head, const char *path, const char *classes, size_t n,
                                     int *taken, wsam_error *error);

#endif
