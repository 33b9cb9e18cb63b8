/* pipeline/exchange/pickle_shared.h - pickles of proposals and labels, and the JSON lines of them. */
#ifndef WS_PIPELINE_EXCHANGE_PICKLE_SHARED_H
#define WS_PIPELINE_EXCHANGE_PICKLE_SHARED_H

#include "pipeline/exchange/pickle_names.h"

enum { WS_PICKLE_PARTS = 1 << 22 }; /* numpy's list of COCO's training images has 1.6 million */

/* A pickle of n bytes into lines of a file. */
wsam_status ws_pickle_to_lines(const char *path, const unsigned char *bytes, size_t n,
                               const ws_pickle_names *names, const char *output,
                               wsam_pickle_counts *counts, wsam_error *error);
/* Lines into a pickle. */
wsam_status ws_lines_to_pickle(const char *path, wsam_pickle_form form, const char *output,
                               wsam_pickle_counts *counts, wsam_error *error);

#endif
