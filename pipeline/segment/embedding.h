/* pipeline/segment/embedding.h - embeddings as they stand in memory. */
#ifndef WS_PIPELINE_SEGMENT_EMBEDDING_H
#define WS_PIPELINE_SEGMENT_EMBEDDING_H

#include "base/error.h"
#include "weaksam/segment.h"

struct wsam_embedding {
    wsam_transform transform;
    char model_id[128];
    char source[256]; /* the file it was read from, for messages; "" otherwise */
    unsigned serial;  /* differs between all embeddings of this process; never 0 */
    int grid, channels;
    float *data; /* [grid][grid][channels] */
};

wsam_status ws_embedding_new(const wsam_transform *transform, const char *model_id, int grid,
                             int channels, wsam_embedding **embedding, wsam_error *error);

#endif
