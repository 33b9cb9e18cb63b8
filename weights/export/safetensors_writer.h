/* weights/export/safetensors_writer.h - results and embeddings as safetensors: writing. Reading is
 * the weights room's importer. */
#ifndef WS_WEIGHTS_EXPORT_SAFETENSORS_WRITER_H
#define WS_WEIGHTS_EXPORT_SAFETENSORS_WRITER_H

#include "base/error.h"
#include "base/json_writer.h"

/* Collects f32 tensors (by pointer) and writes them in the order they were added. */
typedef struct ws_tensors {
    ws_text notes, header;
    size_t n, capacity;
    struct ws_tensor_data {
        const float *data;
        size_t n;
    } * data;
    float **owned; /* freed with the collection */
    size_t n_owned, owned_capacity;
    uint64_t bytes;
    int failed;
} ws_tensors;

void ws_tensors_note(ws_tensors *t, const char *key, const char *value);
void ws_tensors_note_int(ws_tensors *t, const char *key, long long value);
void ws_tensors_add(ws_tensors *t, const char *name, int rank, const int *dims, const float *data);

/* Room for n values that live as long as the collection; NULL without memory. */
float *ws_tensors_own(ws_tensors *t, size_t n);

/* Frees the collection. */
void ws_tensors_clear(ws_tensors *t);

/* Writes the file and frees the collection. */
wsam_status ws_tensors_save(ws_tensors *t, const char *path, wsam_error *error);

#endif
