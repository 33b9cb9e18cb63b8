/* tests/golden/mini_make.c - writes the models of the mini goldens into a folder, for mini_run:
 * small twins of each encoder family, and two twins of published size for their decoders.
 *
 * usage: mini_make DIR */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "weights/family/family.h"
#include "weights/writer.h"

typedef struct model {
    const char *name, *family;
    wsam_file_type type;
    int image_size, heads;
} model;

static const model models[] = {
    {"sam_mini", "sam_vit_mini", WSAM_FILE_F32, 0, 0},
    {"sam_mini_int8", "sam_vit_mini", WSAM_FILE_INT8, 0, 0},
    {"sam_mini_bf16", "sam_vit_mini", WSAM_FILE_BF16, 0, 0},
    {"tiny_mini", "tiny_vit_mini", WSAM_FILE_F32, 256, 0},
    {"efficient_mini", "efficient_sam_mini", WSAM_FILE_F32, 256, 2},
    {"mobile_sam", "mobile_sam", WSAM_FILE_F32, 0, 0},
    {"efficient_sam_ti", "efficient_sam_ti", WSAM_FILE_F32, 0, 0},
    {"tiny_mini_int8", "tiny_vit_mini", WSAM_FILE_INT8, 256, 0},
    {"tiny_mini_bf16", "tiny_vit_mini", WSAM_FILE_BF16, 256, 0},
    {"efficient_mini_int8", "efficient_sam_mini", WSAM_FILE_INT8, 256, 2},
    {"efficient_mini_bf16", "efficient_sam_mini", WSAM_FILE_BF16, 256, 2},
    {"mobile_sam_bf16", "mobile_sam", WSAM_FILE_BF16, 0, 0},
    {"efficient_sam_ti_bf16", "efficient_sam_ti", WSAM_FILE_BF16, 0, 0},
};

static wsam_status make(const char *folder, const model *m, wsam_error *error)
{
    char checkpoint[1024], out[1024];
    snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", folder, m->name);
    snprintf(out, sizeof out, "%s/%s.wsam", folder, m->name);
    wsam_convert_options options;
    wsam_convert_options_default(&options);
    options.type = m->type;
    options.image_size = m->image_size;
    options.heads = m->heads;
    wsam_status status = wsam_write_twin(m->family, checkpoint, 0, error);
    if (!status)
        status = wsam_convert(checkpoint, out, &options, error);
    unlink(checkpoint);
    return status;
}

/* ---- taps ---- */

enum { MAX_TAPS = 5 };

/* The value behind the last operator whose name begins with `op` becomes the output `name`. */
typedef struct tap {
    const char *op, *name;
} tap;

typedef struct tapped {
    const char *name, *family;
    void (*describe)(const ws_family *family, ws_builder *b);
    int image_size;
    tap taps[MAX_TAPS + 1];
} tapped;

static const tapped tapped_models[] = {
    {"sam_mini_taps",
     "sam_vit_mini",
     ws_vit_sam_encoder,
     0,
     {{"pos_embed", "tokens"},
      {"blocks.0.", "block0"},
      {"blocks.1.", "block1"},
      {"blocks.2.", "block2"}}},
    {"tiny_mini_taps",
     "tiny_vit_mini",
     ws_describe_tiny_encoder,
     256,
     {{"patch_embed.", "stem"},
      {"layers.0.", "layer0"},
      {"layers.1.", "layer1"},
      {"layers.2.", "layer2"},
      {"layers.3.", "layer3"}}},
    {"decoder_taps",
     "mobile_sam",
     ws_describe_decoder,
     0,
     {{"prompt.points", "sparse"}, {"prompt_encoder.mask_downscaling.6", "dense"}}},
    {"efficient_decoder_taps",
     "efficient_sam_ti",
     ws_describe_decoder,
     0,
     {{"prompt.points", "sparse"}}},
};

static void add_tap(ws_builder *b, const tap *t)
{
    const ws_graph_def *g = ws_builder_graph(b, ws_builder_graph_count(b) - 1);
    for (uint32_t i = g->n_ops; i-- > 0;)
        if (strncmp(g->ops[i].name, t->op, strlen(t->op)) == 0) {
            ws_output(b, t->name, g->n_inputs + i);
            return;
        }
    fprintf(stderr, "mini_make: no operator '%s'\n", t->op);
}

static wsam_status make_tapped(const char *folder, const tapped *t, wsam_error *error)
{
    char checkpoint[1024], out[1024];
    snprintf(checkpoint, sizeof checkpoint, "%s/%s.safetensors", folder, t->name);
    snprintf(out, sizeof out, "%s/%s.wsam", folder, t->name);
    wsam_convert_options options;
    wsam_convert_options_default(&options);
    options.image_size = t->image_size;
    ws_source *source = NULL;
    ws_builder *b = NULL;
    ws_family family;
    wsam_status status = wsam_write_twin(t->family, checkpoint, 0, error);
    if (!status)
        status = ws_source_open(checkpoint, &source, error);
    if (!status)
        status = ws_family_detect(source, &options, &family, error);
    if (!status && !(b = ws_builder_new(source, &options, error)))
        status = error->status;
    if (!status) {
        ws_meta_int(b, "picture.size",
                    family.kind == WS_FAMILY_TINY ? family.tiny.image : family.vit.image);
        ws_meta_int(b, "prompt.mask_size", 4 * (int64_t)family.decoder.grid);
        t->describe(&family, b);
        for (const tap *one = t->taps; one->op; one++)
            add_tap(b, one);
        status = ws_builder_status(b, error);
    }
    if (!status)
        status = ws_writer_write(b, out, error);
    ws_builder_free(b);
    ws_source_close(source);
    unlink(checkpoint);
    return status;
}

int main(int argc, char **argv)
{
    wsam_error error;
    if (argc != 2) {
        fprintf(stderr, "usage: mini_make DIR\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (make(argv[1], &models[i], &error)) {
            fprintf(stderr, "mini_make: %s: %s\n", models[i].name, error.message);
            return 1;
        }
    for (size_t i = 0; i < sizeof tapped_models / sizeof tapped_models[0]; i++)
        if (make_tapped(argv[1], &tapped_models[i], &error)) {
            fprintf(stderr, "mini_make: %s: %s\n", tapped_models[i].name, error.message);
            return 1;
        }
    return 0;
}
