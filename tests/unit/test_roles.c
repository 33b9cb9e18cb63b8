/* Graphs whose names pipelines know: what does not look as its role says is refused when the file
 * is opened, so that no pipeline reads or writes beyond what a graph gives. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_toy.h"
#include "weaksam/model.h"

static wsam_status open_it(const toy *t, wsam_error *error)
{
    size_t size;
    unsigned char *file = toy_write(t, &size);
    wsam_model *model = NULL;
    memset(error, 0, sizeof *error);
    const wsam_status status = wsam_model_open_memory(file, size, NULL, &model, error);
    wsam_model_close(model);
    free(file);
    return status;
}

static void expect(const toy *t, wsam_status status, const char *words)
{
    wsam_error error;
    const wsam_status is = open_it(t, &error);
    cr_expect_eq(is, status, "%d: %s", (int)is, error.message);
    cr_expect_not_null(strstr(error.message, words), "'%s' does not tell of '%s'", error.message,
                       words);
}

/* map [cells,8] -> linear -> reduced [cells,8], in the place of the toy's second graph. */
static void reducing(toy *t)
{
    toy_graph *g = &t->graphs[1];
    strcpy(g->def.name, "reduce_clue");
    strcpy(g->symbols[0].name, "cells");
    g->inputs[0] = g->inputs[1];
    strcpy(g->inputs[0].name, "map");
    g->inputs[0].rate = WSAM_RATE_IMAGE;
    g->def.n_inputs = 1;
    g->ops[0].def.inputs[0] = 0;
    g->def.n_ops = 1;
    strcpy(g->outputs[0].name, "reduced");
    g->outputs[0].ref = 1;
}

Test(roles, a_graph_that_fits_its_role_opens)
{
    toy t;
    toy_init(&t);
    reducing(&t);
    expect(&t, WSAM_OK, "");
}

Test(roles, inputs_are_those_of_the_role)
{
    toy t;
    toy_init(&t);
    strcpy(t.graphs[0].def.name, "image_encoder"); /* of [4,4,8] */
    expect(&t, WSAM_ERR_FORMAT, "input 'image' is per image [4,4,8], expected");
    toy_init(&t);
    strcpy(t.graphs[1].def.name, "mask_decoder");
    expect(&t, WSAM_ERR_FORMAT, "has 2 inputs, expected 3");
    toy_init(&t);
    reducing(&t);
    strcpy(t.graphs[1].inputs[0].name, "maps");
    expect(&t, WSAM_ERR_FORMAT, "no pipeline gives input 'maps'");
    toy_init(&t);
    reducing(&t);
    t.graphs[1].inputs[0].rate = WSAM_RATE_PROMPT;
    expect(&t, WSAM_ERR_FORMAT, "input 'map' is per prompt");
}

Test(roles, outputs_are_those_of_the_role)
{
    toy t;
    toy_init(&t);
    reducing(&t);
    strcpy(t.graphs[1].outputs[0].name, "other");
    expect(&t, WSAM_ERR_FORMAT, "has no output 'reduced'");
    toy_init(&t);
    reducing(&t);
    t.graphs[1].inputs[0].rank = 2;
    t.graphs[1].outputs[0].ref = 0; /* the input: [cells,8] too */
    expect(&t, WSAM_OK, "");
}

/* One row whatever the number of cells is: right at the smallest size, too short at any other. */
Test(roles, shapes_hold_at_every_size)
{
    toy t;
    toy_init(&t);
    reducing(&t);
    toy_op *slice = &t.graphs[1].ops[1];
    memset(slice, 0, sizeof *slice);
    strcpy(slice->def.kind, "slice");
    strcpy(slice->def.name, "first");
    slice->def.n_inputs = 1;
    slice->def.inputs[0] = 1;
    slice->def.n_attrs = 2;
    strcpy(slice->attrs[0].name, "begin");
    slice->attrs[0].kind = WS_ATTR_INT;
    strcpy(slice->attrs[1].name, "length");
    slice->attrs[1].kind = WS_ATTR_INT;
    slice->attrs[1].i = 1;
    t.graphs[1].def.n_ops = 2;
    t.graphs[1].outputs[0].ref = 2;
    expect(&t, WSAM_ERR_FORMAT,
           "output 'reduced' is per image [1,8], expected per image [cells,r]");
    t.graphs[1].symbols[0].max = 1;
    expect(&t, WSAM_OK, "");
}

/* Outputs per class that the metadata do not explain: a head. */
Test(roles, predictions_are_those_of_the_classes)
{
    toy t;
    toy_init(&t);
    reducing(&t);
    strcpy(t.graphs[1].def.name, "head");
    strcpy(t.graphs[1].symbols[0].name, "rois");
    strcpy(t.graphs[1].inputs[0].name, "rois");
    strcpy(t.graphs[1].outputs[0].name, "predictions");
    expect(&t, WSAM_ERR_FORMAT, "output 'predictions' is per image [1,8]");
}
