/* weights/family/region_clues.h - a learnt judge of regions as a model. */
#ifndef WS_WEIGHTS_FAMILY_REGION_CLUES_H
#define WS_WEIGHTS_FAMILY_REGION_CLUES_H

#include "weights/builder.h"

int ws_is_region_clues(const ws_source *source);
wsam_status ws_describe_region_clues(ws_builder *b, const ws_source *source, wsam_error *error);

#endif
