/* pipeline/tokens/join.h - a clue head and the network that it looks with, in one weight file. */
#ifndef WS_PIPELINE_TOKENS_JOIN_H
#define WS_PIPELINE_TOKENS_JOIN_H

#include "base/error.h"

/* All graphs and tensors of both files. Of metadata that both have the head's stand; `model.id` is
 * that of the head with the network's as `clue_head.network`. `out` gets its name at the end. */
wsam_status ws_join_clue_head(const char *head, const char *network, const char *out,
                              wsam_error *error);

#endif
