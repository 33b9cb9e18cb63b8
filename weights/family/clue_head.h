/* weights/family/clue_head.h - the weight file of a clue head. */
#ifndef WS_WEIGHTS_FAMILY_CLUE_HEAD_H
#define WS_WEIGHTS_FAMILY_CLUE_HEAD_H

#include "weights/builder.h"

int ws_is_clue_head(const ws_source *source);
wsam_status ws_describe_clue_head(ws_builder *b, const ws_source *source, wsam_error *error);

#endif
