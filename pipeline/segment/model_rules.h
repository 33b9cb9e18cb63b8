/* pipeline/segment/model_rules.h - picture, prompt and output rules of a model: metadata, read and
 * checked once.
 */
#ifndef WS_PIPELINE_SEGMENT_MODEL_RULES_H
#define WS_PIPELINE_SEGMENT_MODEL_RULES_H

#include "base/error.h"
#include "weaksam/kernels.h"
#include "weaksam/segment.h"

typedef struct ws_rules {
    const char *model_id; /* belongs to the model */
    int stretch;          /* plain float resize to the square; else longest side and padding */
    int size;
    float unit, mean[3], std[3];
    int pad_without_box;
    int fixed_points; /* 0: as many as the prompt has */
    int mask_size;    /* 0: no mask prompts */
    int negative_points;
    int bicubic;   /* logits straight to the picture; else by way of the square */
    int inclusive; /* >= 0 instead of > 0 */
} ws_rules;

wsam_status ws_model_rules_read(const wsam_model *model, ws_rules *rules, wsam_error *error);

wsam_status ws_model_rules_transform(const ws_rules *rules, int height, int width,
                                     wsam_transform *transform, wsam_error *error);

/* How the decoder's logits, [side][side], become masks of the picture. */
wsam_mask_geometry ws_model_rules_geometry(const ws_rules *rules, int side,
                                           const wsam_transform *transform);

/* The encoder's input from a picture; kernels and threads are the model's. */
wsam_status ws_preprocess(const ws_rules *rules, const wsam_kernels *kernels, int threads,
                          const wsam_picture *picture, const wsam_transform *transform,
                          float *input, wsam_error *error);

/* Points of one prompt at most, with or without a box. */
size_t ws_prompt_tokens_most_points(const ws_rules *rules, int has_box);

/* Tokens of one prompt: points, padding, box corners, fillers. The prompt has been checked. */
wsam_status ws_prompt_tokens_check(const ws_rules *rules, const wsam_transform *t,
                                   const wsam_prompt *p, size_t index, wsam_error *error);
size_t ws_prompt_tokens(const ws_rules *rules, const wsam_prompt *p);
/* Normalised points [tokens][2] and labels [tokens]. */
void ws_prompt_tokens_points(const ws_rules *rules, const wsam_transform *t, const wsam_prompt *p,
                             float *points, int32_t *labels);

#endif
