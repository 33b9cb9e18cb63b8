/* weaksam/convert.h - checkpoints in, weight files out; inspection and verification.
 *
 * Every function is thread-safe, as long as no two write the same file. Files appear under their
 * names when they are whole; on failure nothing is left. */
#ifndef WEAKSAM_CONVERT_H
#define WEAKSAM_CONVERT_H

#include <stddef.h>

#include "weaksam/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum wsam_file_type {
    WSAM_FILE_F32 = 0,
    WSAM_FILE_BF16 = 1,
    WSAM_FILE_INT8 = 2
} wsam_file_type;

/* What wsam_calibrate (accuracy.h) measured; immutable. */
typedef struct wsam_calibration wsam_calibration;
WSAM_API void wsam_calibration_free(wsam_calibration *calibration); /* NULL is allowed */

/* What the tensors of an R-CNN do not show; 0 and NULL: as the checkpoint's library has it. */
typedef struct wsam_detector_rules {
    const char
        *style;   /* "caffe": stride in a stage's first 1x1 convolution, BGR, no division by std
                          (detectron2's MSRA/R-50); "pytorch": stride in the 3x3 convolution, RGB */
    int norm_eps; /* 1: the norms divide by sqrt(var + 1e-5); -1: by sqrt(var), as torchvision's
                          published weights of 2020 are run */
    int short_side, long_side; /* of resized images: 800 and 1333 */
    uint64_t reserved[4];      /* zero */
} wsam_detector_rules;

/* Fill with wsam_convert_options_default, then change fields. */
typedef struct wsam_convert_options {
    wsam_file_type type;
    const char *arch; /* NULL or "auto": recognised from the tensor names */
    int image_size;   /* 0: from the checkpoint, else what the family was published with */
    int heads; /* 0: from the checkpoint, else head size 64 (EfficientSAM keeps no trace of it) */
    const char *license; /* stored as a metadata string; NULL: none */
    int smoothing;       /* 1 (default): smoothing of int8 inputs behind a LayerNorm */
    /* Measured channel ranges for the smoothing (wsam_calibrate); NULL: from the norms' weights. */
    const wsam_calibration *calibration;
    /* 1: what an int8 file keeps in bf16 stays f32. With smoothing 0 such a file is W8A8
     * quantization as papers simulate it, to compare with. */
    int exact_rest;
    wsam_progress_fn progress;
    void *progress_user;
    const char *const *classes; /* names, in the model's order, of a model that has classes */
    size_t n_classes;           /* 0: none stored */
    /* How a backbone's position table is resampled: "offset", "size" or "antialias"; NULL: as the
     * model's own code does. A DeiT without its classifier looks like DINO and needs "size". */
    const char *positions;
    /* 1: a clue network's attention maps all count alike, whatever fusion its checkpoint has
     * learned: what WeakSAM's code does, which leaves WeakTr's fusion uninitialised. */
    int uniform_fusion;
    const wsam_detector_rules *detector; /* of an R-CNN; NULL: as its library has them */
    uint64_t reserved[1];                /* zero */
} wsam_convert_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_convert_options_default(wsam_convert_options *options);

/* Reads a checkpoint (PyTorch zip or legacy container, safetensors; recognised by content) and
 * writes OUT as a weight file, under a temporary name that is renamed at the end. Equal tensors
 * give equal bytes, whatever container and names they came in. Memory: the checkpoint is mapped and
 * converted tensor by tensor. Errors name every missing, extra or misshaped tensor at once. */
WSAM_API wsam_status wsam_convert(const char *checkpoint, const char *out,
                                  const wsam_convert_options *options, wsam_error *error);

/* Writes a checkpoint (safetensors, published names) of a family whose values are derived from the
 * tensor names: a stand-in for tests and demonstrations where no trained weights are at hand. With
 * `outliers`, every 61st norm weight is ten times larger, as in trained transformers. */
WSAM_API wsam_status wsam_write_twin(const char *family, const char *out, int outliers,
                                     wsam_error *error);

/* The families that wsam_write_twin knows; NULL past the end. */
WSAM_API const char *wsam_family_name(int index);

/* A JSON description of a weight file: sections, metadata, tensors, graphs; free with wsam_free. */
WSAM_API wsam_status wsam_inspect(const char *path, char **json, wsam_error *error);

/* Full validation of a weight file: structure, graphs, every checksum, every stored value. */
WSAM_API wsam_status wsam_verify(const char *path, wsam_error *error);

/* How wsam_export_onnx writes. Fill with wsam_onnx_options_default, then change fields. */
typedef struct wsam_onnx_options {
    const char *graph;     /* only this one; NULL: all, or the encoder where OUT is a file */
    int first_mask, masks; /* of a decoder's four: 1 and 3 (default) for several candidates, 0 and 1
                            * for a single one, 0 and 4 for all */
    int points;            /* of every prompt; 0 (default): free */
    int prompts;           /* of one run; 0 (default): free */
    int external_data;     /* 1: constants in a file of their own, whatever their size */
    /* Ranges of the inputs of int8 products (wsam_calibrate_onnx); NULL: a scale per row, computed
     * in the graph, as this library does. */
    const wsam_calibration *ranges;
    uint64_t reserved[4]; /* zero */
} wsam_onnx_options;

/* Fills *options with the defaults named above. */
WSAM_API void wsam_onnx_options_default(wsam_onnx_options *options);

/* What was written for one graph. */
typedef struct wsam_onnx_file {
    char graph[128];
    size_t nodes;
    uint64_t bytes; /* data file included */
    int external;   /* 1: with a data file */
} wsam_onnx_file;

/* Writes the graphs of a weight file as ONNX models (operator set 17): OUT is one file when it ends
 * in .onnx, else a folder that gets GRAPH.onnx each. Values are f32; an int8 weight is stored in
 * int8 between QuantizeLinear and DequantizeLinear. Inputs and outputs are those of FORMAT.md with
 * a leading dimension (1, or the prompts), maps as planes: image [1,3,S,S], embedding [1,E,G,G],
 * points [prompts,points,2], labels [prompts,points], mask [prompts,1,4G,4G], iou [prompts,masks],
 * low_res [prompts,masks,4G,4G]. Constants of more than 1 GiB together go to GRAPH.onnx.data.
 * Graphs of segmenters and detection heads can be exported, those of clue networks and backbones
 * not. `files` gets up to `most` descriptions, *n their number. */
WSAM_API wsam_status wsam_export_onnx(const char *model, const char *out,
                                      const wsam_onnx_options *options, wsam_onnx_file *files,
                                      size_t most, size_t *n, wsam_error *error);

#ifdef __cplusplus
}
#endif
#endif
