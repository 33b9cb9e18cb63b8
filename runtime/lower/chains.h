/* runtime/lower/chains.h - chains of operators that become one step.
 *
 * - [layer_norm] linear or conv2d [activation] [add]: one product with its epilogue; without an
 *   activation in front of the sum, one behind it (the blocks of a ResNet);
 * - [layer_norm] linear, activation, linear [add]: the MLP, its hidden rows in scratch;
 * - depthwise conv2d, activation; a norm, activation;
 * - inverted bottlenecks and mask heads (match_patterns.h).
 *
 * All values in between have no other reader. The plain lowering has chains of one operator. */
#ifndef WS_RUNTIME_LOWER_CHAINS_H
#define WS_RUNTIME_LOWER_CHAINS_H

#include "runtime/lower/lowering.h"

typedef enum ws_chain_form { WS_CHAIN, WS_CHAIN_BOTTLENECK, WS_CHAIN_MASK_HEAD } ws_chain_form;

/* The operators of a chain; WS_NO_OP where there is none. Of a bottleneck or mask head `first` is
 * its last operator. */
typedef struct ws_chain {
    uint32_t norm, first, act, second, add, after;
    uint32_t last; /* the chain's value is this operator's */
    ws_chain_form form;
} ws_chain;

/* The chain that ends with each operator; `taken` marks those that end none. Both have a graph's
 * n_ops elements, zeroed. */
void ws_chains_find(const ws_lowering *l, ws_chain *chains, unsigned char *taken);

#endif
