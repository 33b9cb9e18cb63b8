/* pipeline/tokens/clue_loss.h - what a clue head's values say of an image, and the loss of it.
 *
 * A head gives 11 values per cell and class. Nine are products with the taps of a 3 x 3 filter: the
 * map branch's value of a cell is the sum of what its neighbours' taps hold for it. The tenth says
 * how much the class's query attends to the cell, the eleventh what it reads there.
 *
 *   map    F[p] = sum over taps t of values[p + t][t]      (0 outside of the image)
 *          score: (mean of the best 15 % of F + best of F) / 2: a plain mean punishes small objects,
 *          a plain maximum finds one spot alone
 *   query  softmax over cells of the tenth; score: its mean of the eleventh
 *
 * The loss is the mean over classes of the binary cross-entropies of both scores (logits) and of
 * their mean, where those of classes that the image shows count `positive` times. */
#ifndef WS_PIPELINE_TOKENS_CLUE_LOSS_H
#define WS_PIPELINE_TOKENS_CLUE_LOSS_H

#include <stddef.h>
#include <stdint.h>

enum { WS_CLUE_TAPS = 9, WS_CLUE_ATTENTION = 9, WS_CLUE_VALUE = 10, WS_CLUE_OUTPUTS = 11 };
#define WS_CLUE_BEST_SHARE 0.15

/* Values of class c: [cell][WS_CLUE_OUTPUTS * c + output]. */
typedef struct ws_clue_cells {
    size_t height, width, classes;
} ws_clue_cells;

static inline size_t ws_clue_row(const ws_clue_cells *c)
{
    return c->classes * WS_CLUE_OUTPUTS;
}

/* F of one class, [height][width]. */
void ws_clue_loss_map_branch(const ws_clue_cells *cells, size_t c, const double *values,
                             double *map);
/* The query's attention of one class, [height][width]; its sum is 1. */
void ws_clue_loss_attention(const ws_clue_cells *cells, size_t c, const double *values,
                            double *attention);
/* Both scores of one class, from the two above. `sorted` gets the best
 * share of the map, the best first. */
void ws_clue_loss_scores(const ws_clue_cells *cells, size_t c, const double *values,
                         const double *map, const double *attention, double *sorted,
                         double scores[2]);

typedef struct ws_clue_loss {
    ws_clue_cells cells;
    const uint8_t *shown;   /* [classes] */
    const double *positive; /* [classes] */
    double smooth;          /* target of classes that the list does not name: lists forget things */
} ws_clue_loss;

/* Numbers of `scratch` that the loss wants. */
size_t ws_clue_loss_room(const ws_clue_cells *cells);
/* Writes the gradient by the values and, where it is not NULL, the logits [classes] of the image. */
double ws_clue_loss_image(const ws_clue_loss *loss, const double *values, double *gradient,
                          double *logits, double *scratch);

#endif
