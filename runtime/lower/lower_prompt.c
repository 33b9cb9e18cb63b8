/* runtime/lower/lower_prompt.c - position codes of points and grids, and the mask product
 * (steps_prompt.c). */
#include "runtime/lower/lower.h"

void ws_lower_point_tokens(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_point_tokens, c->first, WS_POINT_TOKENS_INPUTS);
}

void ws_lower_position_grid(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_position_grid, c->first, WS_POSITION_GRID_INPUTS);
}

void ws_lower_mask_product(ws_lowering *l, const ws_chain *c)
{
    ws_lowering_simple(l, &ws_step_mask_product, c->first, WS_MASK_PRODUCT_INPUTS);
}
