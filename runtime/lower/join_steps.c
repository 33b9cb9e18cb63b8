/* runtime/lower/join_steps.c - products that are computed block by block of rows behind the one before.
 *
 * The last product of a ResNet's block makes rows that the first one of the next block reads: while
 * a task has them in L2 they need not come from memory, where the maps of a detector lie. So do two
 * predictors that read the same map. */
#include "runtime/lower/lower.h"

static int may_follow(const ws_step *a, const ws_step *b)
{
    const int rows = b->in[WS_STEP_ROWS].buffer;
    return a->kind == &ws_step_gemm && b->kind == &ws_step_gemm && a->rate == WSAM_RATE_IMAGE &&
           b->rate == WSAM_RATE_IMAGE && rows >= 0 &&
           (rows == a->out || rows == a->in[WS_STEP_ROWS].buffer);
}

void ws_join_steps(ws_program *p)
{
    for (size_t i = 1; i < p->n_steps; i++)
        p->steps[i].follows = may_follow(&p->steps[i - 1], &p->steps[i]);
}
