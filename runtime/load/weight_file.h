/* runtime/load/weight_file.h - an opened weight file: its tables, copied and validated, and access to
 * tensor bytes. */
#ifndef WS_RUNTIME_LOAD_WEIGHT_FILE_H
#define WS_RUNTIME_LOAD_WEIGHT_FILE_H

#include "base/error.h"
#include "weights/format.h"

typedef struct ws_metadata {
    char *key;
    ws_meta_kind kind;
    char *string;
    int64_t integer;
    double *numbers;
    char **strings;
    size_t count; /* of numbers or strings */
} ws_metadata;

typedef struct ws_section {
    uint64_t offset, size, hash;
} ws_section;

/* Sizes that a file's graphs share by their roles ("E", the channels of the embedding, is the same
 * in encoder and decoder): named at their first use (role_signature.h). */
enum { WS_ROLE_SIZES = 8 };
typedef struct ws_role_sizes {
    size_t n;
    struct {
        char name; /* a letter */
        int64_t size;
    } sizes[WS_ROLE_SIZES];
} ws_role_sizes;

typedef struct ws_file {
    char path[256]; /* for messages */
    int fd;         /* -1 when the file is in memory */
    const unsigned char *memory;
    uint64_t size;
    ws_section sections[WS_FORMAT_SECTIONS]; /* in the order of their kinds */
    size_t n_metadata, n_tensors, n_graphs;
    ws_metadata *metadata;
    ws_tensor_def *tensors;
    ws_graph_def *graphs;
    ws_role_sizes role_sizes; /* set by ws_graph_check */
} ws_file;

/* Opens and validates everything but the tensors' bytes and the graphs' shapes. */
wsam_status ws_weight_file_open(const char *path, ws_file **file, wsam_error *error);
wsam_status ws_weight_file_open_memory(const void *data, size_t size, ws_file **file,
                                       wsam_error *error);
void ws_weight_file_close(ws_file *file);

const ws_metadata *ws_weight_file_metadata(const ws_file *file, const char *key);
const ws_graph_def *ws_weight_file_graph(const ws_file *file, const char *name);

/* Exactly n bytes at an absolute offset; an error when the file has become shorter. */
wsam_status ws_weight_file_read(const ws_file *file, uint64_t offset, void *to, size_t n,
                                wsam_error *error);

/* n bytes of a tensor's values (or scales) from byte `at` on. */
wsam_status ws_weight_file_tensor(const ws_file *file, const ws_tensor_def *tensor, uint64_t at,
                                  void *to, size_t n, wsam_error *error);
wsam_status ws_weight_file_scales(const ws_file *file, const ws_tensor_def *tensor, float *to,
                                  wsam_error *error);

/* Reads all bytes of a tensor: checksum, no -128, finite scales. */
wsam_status ws_weight_file_verify(const ws_file *file, const ws_tensor_def *tensor,
                                  wsam_error *error);

/* Lets the operating system drop the pages of a tensor that will not be read again. */
void ws_weight_file_release(const ws_file *file, const ws_tensor_def *tensor);

static inline size_t ws_tensor_elements(const ws_tensor_def *t)
{
    size_t n = 1;
    for (int d = 0; d < t->rank; d++)
        n *= t->dims[d];
    return n;
}

/* runtime/load/parse_tables.c */
wsam_status ws_parse_tables_metadata(ws_file *file, const unsigned char *bytes, size_t n,
                                     wsam_error *error);
wsam_status ws_parse_tables_tensors(ws_file *file, const unsigned char *bytes, size_t n,
                                    wsam_error *error);
wsam_status ws_parse_tables_graphs(ws_file *file, const unsigned char *bytes, size_t n,
                                   wsam_error *error);
void ws_parse_tables_free(ws_file *file);

#endif
