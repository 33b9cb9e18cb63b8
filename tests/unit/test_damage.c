/* Damaged weight files: each kind of damage is found by validation (the checksums are made right
 * again first) and refused with the status and the words that lead a reader to it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_toy.h"
#include "weaksam/model.h"

Test(damage, the_toy_is_sound)
{
    toy t;
    size_t size;
    wsam_error error;
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    cr_expect_eq(toy_open(file, size, 0, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(toy_use(file, size, &error), WSAM_OK, "%s", error.message);
    free(file);
}

/* ---- damage to the description ---- */

typedef struct damage {
    const char *what;
    void (*change)(toy *t);
    wsam_status status;
    const char *mention; /* what the message must contain */
} damage;

static void newer_version(toy *t)
{
    t->version = WS_FORMAT_VERSION + 1;
}
static void version_zero(toy *t)
{
    t->version = 0;
}
static void more_sections(toy *t)
{
    t->n_sections = 5;
}
static void fewer_sections(toy *t)
{
    t->n_sections = 3;
}
static void more_metadata(toy *t)
{
    t->n_metadata++;
}
static void fewer_metadata(toy *t)
{
    t->n_metadata--;
}
static void absurd_metadata(toy *t)
{
    t->n_metadata = 0xffffffffu;
}
static void more_tensors(toy *t)
{
    t->n_tensors++;
}
static void fewer_tensors(toy *t)
{
    t->n_tensors--;
}
static void absurd_tensors(toy *t)
{
    t->n_tensors = 0xffffffffu;
}
static void more_graphs(toy *t)
{
    t->n_graphs++;
}
static void fewer_graphs(toy *t)
{
    t->n_graphs--;
}
static void absurd_graphs(toy *t)
{
    t->n_graphs = 0xffffffffu;
}
static void more_symbols(toy *t)
{
    t->graphs[1].def.n_symbols = 2;
}
static void absurd_symbols(toy *t)
{
    t->graphs[1].def.n_symbols = 0xffffffffu;
}
static void absurd_inputs(toy *t)
{
    t->graphs[0].def.n_inputs = 0xffffffffu;
}
static void more_ops(toy *t)
{
    t->graphs[0].def.n_ops++;
}
static void fewer_ops(toy *t)
{
    t->graphs[0].def.n_ops--;
}
static void absurd_ops(toy *t)
{
    t->graphs[0].def.n_ops = 0xffffffffu;
}
static void absurd_op_inputs(toy *t)
{
    t->graphs[0].ops[0].def.n_inputs = 0xffffffffu;
}
static void absurd_attrs(toy *t)
{
    t->graphs[0].ops[2].def.n_attrs = 0xffffffffu;
}
static void absurd_outputs(toy *t)
{
    t->graphs[0].def.n_outputs = 0xffffffffu;
}

static void tensors_overlap(toy *t)
{
    t->tensors[TOY_NORM_W].offset = t->tensors[TOY_BIAS].offset;
}
static void tensors_descend(toy *t)
{
    const uint64_t at = t->tensors[TOY_NORM_W].offset;
    t->tensors[TOY_NORM_W].offset = t->tensors[TOY_NORM_B].offset;
    t->tensors[TOY_NORM_B].offset = at;
}
static void scales_overlap(toy *t)
{
    t->tensors[TOY_S8].scale_offset = t->tensors[TOY_S8].offset;
}
static void offset_unaligned(toy *t)
{
    t->tensors[TOY_NORM_B].offset += 4;
}
static void offset_outside(toy *t)
{
    t->tensors[TOY_LINEAR].offset = 1 << 20;
}
static void offset_overflows(toy *t)
{
    t->tensors[TOY_LINEAR].offset = (uint64_t)0 - 64;
}
static void bytes_overflow(toy *t)
{
    t->tensors[TOY_LINEAR].bytes = (uint64_t)0 - 64;
}
static void scale_offset_overflows(toy *t)
{
    t->tensors[TOY_S8].scale_offset = (uint64_t)0 - 64;
}
static void bytes_disagree(toy *t)
{
    t->tensors[TOY_LINEAR].bytes -= 4;
}
static void scales_disagree(toy *t)
{
    t->tensors[TOY_S8].scale_bytes -= 4;
}
static void scales_missing(toy *t)
{
    t->tensors[TOY_S8].scale_offset = t->tensors[TOY_S8].scale_bytes = 0;
}
static void scales_on_f32(toy *t)
{
    t->tensors[TOY_BIAS].scale_offset = t->tensors[TOY_S8].scale_offset;
    t->tensors[TOY_BIAS].scale_bytes = 64;
}
static void dimension_zero(toy *t)
{
    t->tensors[TOY_LINEAR].dims[0] = 0;
    t->tensors[TOY_LINEAR].bytes = 0;
}
static void dimensions_overflow(toy *t)
{
    t->tensors[TOY_LINEAR].rank = 4;
    for (int i = 0; i < 4; i++)
        t->tensors[TOY_LINEAR].dims[i] = 0xffffff;
}
static void rank_zero(toy *t)
{
    t->tensors[TOY_LINEAR].rank = 0;
}
static void rank_five(toy *t)
{
    t->tensors[TOY_LINEAR].rank = 5;
}
static void type_unknown(toy *t)
{
    t->tensors[TOY_LINEAR].type = (wsam_type)9;
}
static void names_equal(toy *t)
{
    strcpy(t->tensors[TOY_NORM_B].name, t->tensors[TOY_NORM_W].name);
}
static void s8_minus_128(toy *t)
{
    t->data[t->tensors[TOY_S8].offset + 77] = 0x80;
}
static void put_scale(toy *t, float value)
{
    memcpy(t->data + t->tensors[TOY_S8].scale_offset + 8, &value, 4);
}
static void scale_nan(toy *t)
{
    put_scale(t, strtof("nan", NULL));
}
static void scale_infinite(toy *t)
{
    put_scale(t, strtof("inf", NULL));
}
static void scale_negative(toy *t)
{
    put_scale(t, -1.0f);
}

static void shape_disagrees(toy *t)
{
    t->tensors[TOY_LINEAR].dims[0] = 16;
    t->tensors[TOY_LINEAR].dims[1] = 8;
}
static void bias_disagrees(toy *t)
{
    t->graphs[0].ops[0].def.inputs[2] = WS_REF_TENSOR + TOY_LINEAR;
}
static void norm_disagrees(toy *t)
{
    t->graphs[0].ops[2].def.inputs[1] = WS_REF_TENSOR + TOY_S8;
}
static void forward_reference(toy *t)
{
    t->graphs[0].ops[1].def.inputs[0] = 3;
}
static void self_reference(toy *t)
{
    t->graphs[0].ops[1].def.inputs[0] = 2;
}
static void tensor_reference(toy *t)
{
    t->graphs[0].ops[0].def.inputs[1] = WS_REF_TENSOR + 77;
}
static void output_reference(toy *t)
{
    t->graphs[0].outputs[0].ref = 17;
}
static void required_input_absent(toy *t)
{
    t->graphs[0].ops[0].def.inputs[1] = WS_REF_NONE;
}
static void too_few_inputs(toy *t)
{
    t->graphs[0].ops[0].def.n_inputs = 1;
}
static void operator_unknown(toy *t)
{
    strcpy(t->graphs[0].ops[0].def.kind, "frobnicate");
}
static void function_unknown(toy *t)
{
    strcpy(t->graphs[0].ops[1].attrs[0].s, "swish");
}
static void attribute_missing(toy *t)
{
    t->graphs[0].ops[2].def.n_attrs = 0;
}
static void attribute_kind(toy *t)
{
    t->graphs[0].ops[2].attrs[0].kind = WS_ATTR_STRING;
    strcpy(t->graphs[0].ops[2].attrs[0].s, "small");
}
static void attribute_symbol(toy *t)
{
    t->graphs[0].ops[2].attrs[0].kind = WS_ATTR_SYMBOL;
    t->graphs[0].ops[2].attrs[0].i = 3;
}
static void input_symbol(toy *t)
{
    t->graphs[1].inputs[1].dims[0] = -9;
}
static void input_rate(toy *t)
{
    t->graphs[0].inputs[0].rate = (wsam_rate)7;
}
static void input_rank(toy *t)
{
    t->graphs[0].inputs[0].rank = 9;
}
static void input_huge(toy *t)
{
    for (int i = 0; i < 3; i++)
        t->graphs[0].inputs[0].dims[i] = 0x7fffffff;
}
static void symbol_range(toy *t)
{
    t->graphs[1].symbols[0].min = 17;
}
static void symbol_multiple(toy *t)
{
    t->graphs[1].symbols[0].multiple = 0;
}
static void graphs_equal(toy *t)
{
    strcpy(t->graphs[1].def.name, t->graphs[0].def.name);
}

static const damage damages[] = {
    {"newer version", newer_version, WSAM_ERR_VERSION, "version"},
    {"version 0", version_zero, WSAM_ERR_VERSION, "version"},
    {"five sections", more_sections, WSAM_ERR_FORMAT, "section"},
    {"three sections", fewer_sections, WSAM_ERR_FORMAT, "section"},
    {"one metadata entry too many", more_metadata, WSAM_ERR_FORMAT, "metadata"},
    {"one metadata entry too few", fewer_metadata, WSAM_ERR_FORMAT, "metadata"},
    {"2^32-1 metadata entries", absurd_metadata, WSAM_ERR_FORMAT, "metadata"},
    {"one tensor too many", more_tensors, WSAM_ERR_FORMAT, "tensor"},
    {"one tensor too few", fewer_tensors, WSAM_ERR_FORMAT, "tensor"},
    {"2^32-1 tensors", absurd_tensors, WSAM_ERR_FORMAT, "tensor"},
    {"one graph too many", more_graphs, WSAM_ERR_FORMAT, "graph"},
    {"one graph too few", fewer_graphs, WSAM_ERR_FORMAT, "graph"},
    {"2^32-1 graphs", absurd_graphs, WSAM_ERR_FORMAT, "graph"},
    {"one symbol too many", more_symbols, WSAM_ERR_FORMAT, "graph"},
    {"2^32-1 symbols", absurd_symbols, WSAM_ERR_FORMAT, "graph"},
    {"2^32-1 inputs", absurd_inputs, WSAM_ERR_FORMAT, "graph"},
    {"one operator too many", more_ops, WSAM_ERR_FORMAT, "graph"},
    {"one operator too few", fewer_ops, WSAM_ERR_FORMAT, "graph"},
    {"2^32-1 operators", absurd_ops, WSAM_ERR_FORMAT, "graph"},
    {"2^32-1 inputs of an operator", absurd_op_inputs, WSAM_ERR_FORMAT, "graph"},
    {"2^32-1 attributes", absurd_attrs, WSAM_ERR_FORMAT, "graph"},
    {"2^32-1 outputs", absurd_outputs, WSAM_ERR_FORMAT, "graph"},
    {"tensors overlap", tensors_overlap, WSAM_ERR_FORMAT, "norm.weight"},
    {"tensors in the wrong order", tensors_descend, WSAM_ERR_FORMAT, "norm."},
    {"scales overlap values", scales_overlap, WSAM_ERR_FORMAT, "proj.weight"},
    {"unaligned offset", offset_unaligned, WSAM_ERR_FORMAT, "norm.bias"},
    {"offset outside", offset_outside, WSAM_ERR_FORMAT, "out.weight"},
    {"offset overflows", offset_overflows, WSAM_ERR_FORMAT, "out.weight"},
    {"bytes overflow", bytes_overflow, WSAM_ERR_FORMAT, "out.weight"},
    {"scale offset overflows", scale_offset_overflows, WSAM_ERR_FORMAT, "proj.weight"},
    {"bytes disagree with the shape", bytes_disagree, WSAM_ERR_FORMAT, "out.weight"},
    {"scales disagree with the shape", scales_disagree, WSAM_ERR_FORMAT, "proj.weight"},
    {"scales missing", scales_missing, WSAM_ERR_FORMAT, "proj.weight"},
    {"scales of an f32 tensor", scales_on_f32, WSAM_ERR_FORMAT, "proj.bias"},
    {"dimension 0", dimension_zero, WSAM_ERR_FORMAT, "out.weight"},
    {"dimensions overflow", dimensions_overflow, WSAM_ERR_FORMAT, "out.weight"},
    {"rank 0", rank_zero, WSAM_ERR_FORMAT, "out.weight"},
    {"rank 5", rank_five, WSAM_ERR_FORMAT, "out.weight"},
    {"unknown type", type_unknown, WSAM_ERR_FORMAT, "out.weight"},
    {"two tensors of one name", names_equal, WSAM_ERR_FORMAT, "tensor"},
    {"s8 = -128", s8_minus_128, WSAM_ERR_FORMAT, "proj.weight"},
    {"scale NaN", scale_nan, WSAM_ERR_FORMAT, "proj.weight"},
    {"scale infinite", scale_infinite, WSAM_ERR_FORMAT, "proj.weight"},
    {"scale negative", scale_negative, WSAM_ERR_FORMAT, "proj.weight"},
    {"weight shape disagrees", shape_disagrees, WSAM_ERR_FORMAT, "toy.linear"},
    {"bias shape disagrees", bias_disagrees, WSAM_ERR_FORMAT, "toy.linear"},
    {"norm weight of another type", norm_disagrees, WSAM_ERR_FORMAT, "toy.layer_norm"},
    {"a cycle: reference to a later value", forward_reference, WSAM_ERR_FORMAT, "cycle"},
    {"a cycle: reference to itself", self_reference, WSAM_ERR_FORMAT, "cycle"},
    {"reference to no tensor", tensor_reference, WSAM_ERR_FORMAT, "graph"},
    {"output without a value", output_reference, WSAM_ERR_FORMAT, "graph"},
    {"required input absent", required_input_absent, WSAM_ERR_FORMAT, "toy.linear"},
    {"too few inputs", too_few_inputs, WSAM_ERR_FORMAT, "toy.linear"},
    {"unknown operator", operator_unknown, WSAM_ERR_UNSUPPORTED, "frobnicate"},
    {"unknown function", function_unknown, WSAM_ERR_FORMAT, "toy.activation"},
    {"attribute missing", attribute_missing, WSAM_ERR_FORMAT, "toy.layer_norm"},
    {"attribute of another kind", attribute_kind, WSAM_ERR_FORMAT, "toy.layer_norm"},
    {"attribute with an unknown symbol", attribute_symbol, WSAM_ERR_FORMAT, "graph"},
    {"input with an unknown symbol", input_symbol, WSAM_ERR_FORMAT, "graph"},
    {"input of an unknown rate", input_rate, WSAM_ERR_FORMAT, "graph"},
    {"input of rank 9", input_rank, WSAM_ERR_FORMAT, "graph"},
    {"input of 2^93 values", input_huge, WSAM_ERR_FORMAT, "graph"},
    {"symbol with min above max", symbol_range, WSAM_ERR_FORMAT, "graph"},
    {"symbol with multiple 0", symbol_multiple, WSAM_ERR_FORMAT, "graph"},
    {"two graphs of one name", graphs_equal, WSAM_ERR_FORMAT, "graph"},
};

Test(damage, descriptions)
{
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const damage *d = &damages[i];
        toy t;
        size_t size;
        wsam_error error;
        toy_init(&t);
        d->change(&t);
        unsigned char *file = toy_write(&t, &size);
        const wsam_status status = toy_use(file, size, &error);
        cr_expect_eq(status, d->status, "%s: status %s, want %s: %s", d->what,
                     wsam_status_string(status), wsam_status_string(d->status), error.message);
        cr_expect_eq(error.status, status, "%s: the error says another status", d->what);
        cr_expect(!status || strstr(error.message, d->mention), "%s: '%s' lacks '%s'", d->what,
                  error.message, d->mention);
        cr_expect_null(strchr(error.message, '\n'), "%s: more than one line", d->what);
        free(file);
    }
}
