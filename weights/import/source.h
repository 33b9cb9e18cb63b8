/* weights/import/source.h - a checkpoint of any container as a list of named tensors.
 *
 * Tensor bytes are read on demand with pread into the caller's buffers: nothing is mapped, so a
 * file that shrinks gives an error instead of a signal, and memory does not grow with the
 * checkpoint. */
#ifndef WS_WEIGHTS_IMPORT_SOURCE_H
#define WS_WEIGHTS_IMPORT_SOURCE_H

#include "base/error.h"

enum { WS_SOURCE_RANK = 8, WS_SOURCE_NAME = 255, WS_SOURCE_TENSORS = 65536 };

typedef enum ws_dtype {
    WS_DTYPE_F32,
    WS_DTYPE_F64,
    WS_DTYPE_F16,
    WS_DTYPE_BF16,
    WS_DTYPE_INT /* counters: known, never read */
} ws_dtype;

typedef struct ws_source_tensor {
    char name[WS_SOURCE_NAME + 1];
    ws_dtype dtype;
    int rank;
    uint32_t dims[WS_SOURCE_RANK];
    uint64_t strides[WS_SOURCE_RANK]; /* in elements */
    uint64_t offset;                  /* of element 0, bytes from the start of the file */
    /* Two further parts with as many rows, each contiguous: ws_source_stack. 0: there are none. */
    uint64_t part_offset[2];
    int stacked;
} ws_source_tensor;

/* A string that the container carries beside its tensors (safetensors' __metadata__). */
typedef struct ws_source_note {
    char key[64], value[192];
} ws_source_note;

typedef struct ws_source {
    int fd;
    char path[256]; /* for messages */
    uint64_t size;
    size_t n_tensors, capacity;
    ws_source_tensor *tensors; /* sorted by name */
    size_t n_notes;
    ws_source_note notes[32];
    char *classes; /* names that the container carries, one per line, or NULL */
    char *config;  /* text of a training configuration, or NULL */
    /* Bytes behind the end of the file: decoded ones of a pickle's arrays. */
    unsigned char *extra;
    size_t n_extra;
} ws_source;

/* Opens a checkpoint, recognised by content: PyTorch zip, PyTorch legacy, safetensors, a pickle of
 * numpy arrays (read whole while it is opened). Names are
 * brought to the published ones (prefix `module.` dropped, Hugging Face names translated). */
wsam_status ws_source_open(const char *path, ws_source **source, wsam_error *error);
void ws_source_close(ws_source *source);

const ws_source_tensor *ws_source_find(const ws_source *source, const char *name);
const char *ws_source_note_value(const ws_source *source, const char *key);
uint64_t ws_source_elements(const ws_source_tensor *tensor);

/* All values of a tensor as f32, row-major, into out[ws_source_elements]. */
wsam_status ws_source_read(const ws_source *source, const ws_source_tensor *tensor, float *out,
                           wsam_error *error);
/* Refuses values that are infinite or NaN, by the file's name. */
wsam_status ws_source_check_finite(const ws_source *source, const float *data, size_t n,
                                   wsam_error *error);

/* ---- for the containers ---- */

/* Exactly n bytes at an offset; an error that names the file otherwise. */
wsam_status ws_source_bytes(const ws_source *source, uint64_t offset, void *to, size_t n,
                            wsam_error *error);
/* A new tensor at the end of the list; NULL (and an error) past the cap or without memory. */
wsam_status ws_source_add(ws_source *source, const char *name, ws_source_tensor **tensor,
                          wsam_error *error);
/* Checks that every element lies inside [begin, end) of the file. */
wsam_status ws_source_check_extent(const ws_source *source, const ws_source_tensor *tensor,
                                   uint64_t begin, uint64_t end, wsam_error *error);
/* Makes `first` the rows of all three, which must have one shape and type. */
wsam_status ws_source_stack(const ws_source *source, ws_source_tensor *first,
                            const ws_source_tensor *second, const ws_source_tensor *third,
                            wsam_error *error);
size_t ws_source_dtype_bytes(ws_dtype dtype);
void ws_source_contiguous_strides(ws_source_tensor *tensor);

wsam_status ws_safetensors_read(ws_source *source, wsam_error *error);
wsam_status ws_torch_zip_read(ws_source *source, wsam_error *error);
wsam_status ws_torch_legacy_read(ws_source *source, wsam_error *error);
wsam_status ws_read_pickle(ws_source *source, wsam_error *error);

/* weights/family/names.c: a published name for a Hugging Face one, in place. */
void ws_names_published(char name[WS_SOURCE_NAME + 1]);

#endif
