/* tests/mini_make.c - writes the models of the mini goldens into a folder, for mini_run: small
 * twins of each encoder family, and two twins of published size for their decoders.
 *
 * usage: mini_make DIR */
#include <stdio.h>
#include <unistd.h>

#include "weaksam/convert.h"

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

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: mini_make DIR\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        wsam_error error;
        if (make(argv[1], &models[i], &error)) {
            fprintf(stderr, "mini_make: %s: %s\n", models[i].name, error.message);
            return 1;
        }
    }
    return 0;
}
