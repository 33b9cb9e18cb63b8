/* weights/family/mist.h - MIST: a weakly supervised detector, a VGG16 without its last pools whose
 * last convolutions are dilated, and refinement heads on boxes that are given. */
#ifndef WS_WEIGHTS_FAMILY_MIST_H
#define WS_WEIGHTS_FAMILY_MIST_H

#include "weights/builder.h"

enum { WS_MIST_CONVS = 13, WS_MIST_HEADS = 3 };

typedef struct ws_mist_config {
    uint32_t width[WS_MIST_CONVS]; /* channels behind each convolution */
    uint32_t bins;                 /* per axis of a pooled box */
    uint32_t fc1, fc2;
    uint32_t slots;         /* classes and the background, which is the first */
    uint32_t similarity[2]; /* rows of the head that training alone uses; 0: not there */
} ws_mist_config;

int ws_family_mist_matches(const ws_source *source);
wsam_status ws_family_mist_detect(const ws_source *source, const wsam_convert_options *options,
                                  ws_mist_config *config, char name[64], wsam_error *error);
void ws_describe_mist(const ws_mist_config *config, const char *name, ws_builder *b);

#endif
