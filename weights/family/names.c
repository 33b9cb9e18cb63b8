/* weights/family/names.c - Hugging Face tensor names of SAM into the published ones (transformers
 * models/sam/convert_sam_to_hf.py, the other way round). Values are unchanged. */
#include <stdio.h>
#include <string.h>

#include "weights/import/source.h"

/* Replaces the first `from` by `to`; 1 when it was there. */
static int replace(char name[WS_SOURCE_NAME + 1], const char *from, const char *to)
{
    char *at = strstr(name, from), rest[WS_SOURCE_NAME + 1];
    if (!at || strlen(name) - strlen(from) + strlen(to) > WS_SOURCE_NAME)
        return 0;
    memcpy(rest, at + strlen(from), strlen(at + strlen(from)) + 1);
    memcpy(at, to, strlen(to));
    memcpy(at + strlen(to), rest, strlen(rest) + 1);
    return 1;
}

typedef struct rule {
    const char *from, *to;
} rule;

static void apply(char name[WS_SOURCE_NAME + 1], const rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (replace(name, rules[i].from, rules[i].to))
            return;
}

/* Three-layer heads: proj_in, layers.0, proj_out are layers.0, layers.1, layers.2. */
static void shift_head(char name[WS_SOURCE_NAME + 1])
{
    static const rule rules[] = {
        {".proj_in.", ".layers.0."}, {".proj_out.", ".layers.2."}, {".layers.0.", ".layers.1."}};
    apply(name, rules, sizeof rules / sizeof rules[0]);
}

static void vision_name(char name[WS_SOURCE_NAME + 1])
{
    static const rule rules[] = {{".patch_embed.projection.", ".patch_embed.proj."},
                                 {".neck.conv1.", ".neck.0."},
                                 {".neck.layer_norm1.", ".neck.1."},
                                 {".neck.conv2.", ".neck.2."},
                                 {".neck.layer_norm2.", ".neck.3."},
                                 {".layer_norm1.", ".norm1."},
                                 {".layer_norm2.", ".norm2."}};
    replace(name, "vision_encoder.", "image_encoder.");
    replace(name, ".layers.", ".blocks.");
    apply(name, rules, sizeof rules / sizeof rules[0]);
}

static void prompt_name(char name[WS_SOURCE_NAME + 1])
{
    static const rule rules[] = {{".point_embed.", ".point_embeddings."},
                                 {".mask_embed.conv1.", ".mask_downscaling.0."},
                                 {".mask_embed.layer_norm1.", ".mask_downscaling.1."},
                                 {".mask_embed.conv2.", ".mask_downscaling.3."},
                                 {".mask_embed.layer_norm2.", ".mask_downscaling.4."},
                                 {".mask_embed.conv3.", ".mask_downscaling.6."}};
    apply(name, rules, sizeof rules / sizeof rules[0]);
}

static void decoder_name(char name[WS_SOURCE_NAME + 1])
{
    static const rule rules[] = {{".layer_norm_final_attn.", ".norm_final_attn."},
                                 {".upscale_conv1.", ".output_upscaling.0."},
                                 {".upscale_layer_norm.", ".output_upscaling.1."},
                                 {".upscale_conv2.", ".output_upscaling.3."},
                                 {".layer_norm1.", ".norm1."},
                                 {".layer_norm2.", ".norm2."},
                                 {".layer_norm3.", ".norm3."},
                                 {".layer_norm4.", ".norm4."}};
    apply(name, rules, sizeof rules / sizeof rules[0]);
}

void ws_names_published(char name[WS_SOURCE_NAME + 1])
{
    static const char gaussian[] = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix";
    if (strcmp(name, "shared_image_embedding.positional_embedding") == 0 ||
        strcmp(name, "prompt_encoder.shared_embedding.positional_embedding") == 0)
        memcpy(name, gaussian, sizeof gaussian);
    else if (strncmp(name, "vision_encoder.", 15) == 0)
        vision_name(name);
    else if (strncmp(name, "prompt_encoder.", 15) == 0)
        prompt_name(name);
    else if (strstr(name, "_mlps.") || strstr(name, "iou_prediction_head."))
        shift_head(name);
    else
        decoder_name(name);
}
