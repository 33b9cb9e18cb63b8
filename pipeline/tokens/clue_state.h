/* pipeline/tokens/clue_state.h - the state of a training of clues on the disk. */
#ifndef WS_PIPELINE_TOKENS_CLUE_STATE_H
#define WS_PIPELINE_TOKENS_CLUE_STATE_H

#include "pipeline/tokens/clue_head.h"

typedef struct ws_clue_state {
    const char *path;
    uint64_t hash; /* of options and data */
    ws_clue_head *head, *m, *v;
    uint64_t *step;
    float *losses; /* [n_losses]: of the epochs */
    size_t n_losses;
    double *loss; /* of the epoch so far */
} ws_clue_state;

wsam_status ws_clue_state_write(const ws_clue_state *state, wsam_error *error);
/* Leaves all as it is where there is no file, or one of other options or data. */
wsam_status ws_clue_state_read(const ws_clue_state *state, wsam_error *error);

#endif
