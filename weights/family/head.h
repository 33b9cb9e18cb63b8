/* weights/family/head.h - a trained detection head as a model. */
#ifndef WS_WEIGHTS_FAMILY_HEAD_H
#define WS_WEIGHTS_FAMILY_HEAD_H

#include "weights/builder.h"

int ws_is_head(const ws_source *source);
wsam_status ws_describe_head(ws_builder *b, const ws_source *source, wsam_error *error);

#endif
