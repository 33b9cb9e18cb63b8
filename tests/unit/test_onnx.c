/* Exported ONNX models, read back by a small reader of protocol buffers: nodes in order, constants as
 * large as they say, what is free and what is fixed, int8 between its two nodes. That ONNX Runtime
 * gets our values from them is checked by tests/scripts/part_onnx.sh where it is installed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "weaksam/weaksam.h"

/* ---- reader ---- */

typedef struct span {
    const unsigned char *at, *end;
} span;

typedef struct field {
    int number, wire;
    uint64_t value; /* of a number */
    span bytes;
} field;

static uint64_t varint(span *s)
{
    uint64_t v = 0;
    for (int shift = 0; s->at < s->end && shift < 64; shift += 7) {
        const unsigned char c = *s->at++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return v;
    }
    cr_assert_fail("a number that does not end");
    return 0;
}

static int next(span *s, field *f)
{
    if (s->at >= s->end)
        return 0;
    const uint64_t tag = varint(s);
    f->number = (int)(tag >> 3);
    f->wire = (int)(tag & 7);
    cr_assert(f->wire == 0 || f->wire == 2 || f->wire == 5, "wire type %d", f->wire);
    f->value = f->wire == 0 ? varint(s) : 0;
    const uint64_t n = f->wire == 2 ? varint(s) : (f->wire == 5 ? 4 : 0);
    cr_assert(n <= (uint64_t)(s->end - s->at), "field %d reaches over the end", f->number);
    f->bytes = (span){s->at, s->at + n};
    s->at += n;
    return 1;
}

static int is(span s, const char *text)
{
    return (size_t)(s.end - s.at) == strlen(text) && memcmp(s.at, text, strlen(text)) == 0;
}

/* ---- what a model has ---- */

enum { MOST = 4096 };

typedef struct model {
    char *data;
    size_t size;
    span known[MOST]; /* names of values so far */
    size_t n_known, constants, nodes, quantize, dequantize, outputs, external;
    int opset;
} model;

static void know(model *m, span name)
{
    cr_assert(m->n_known < MOST);
    m->known[m->n_known++] = name;
}

static int knows(const model *m, span name)
{
    const size_t n = (size_t)(name.end - name.at);
    for (size_t i = 0; i < m->n_known; i++)
        if ((size_t)(m->known[i].end - m->known[i].at) == n && !memcmp(m->known[i].at, name.at, n))
            return 1;
    return n == 0; /* an optional input that is absent */
}

static void read_constant(model *m, span s)
{
    field f;
    span name = {NULL, NULL};
    uint64_t elements = 1, type = 0, raw = 0;
    int external = 0;
    while (next(&s, &f)) {
        if (f.number == 1)
            elements *= f.value;
        else if (f.number == 2)
            type = f.value;
        else if (f.number == 8)
            name = f.bytes;
        else if (f.number == 9)
            raw = (uint64_t)(f.bytes.end - f.bytes.at);
        else if (f.number == 14)
            external = f.value == 1;
    }
    const uint64_t bytes = type == 7 ? 8 : (type == 2 || type == 3 ? 1 : 4);
    cr_expect(external || raw == elements * bytes, "%.*s: %llu bytes", (int)(name.end - name.at),
              (const char *)name.at, (unsigned long long)raw);
    cr_expect(!knows(m, name), "%.*s twice", (int)(name.end - name.at), (const char *)name.at);
    know(m, name);
    m->constants++;
    m->external += (size_t)external;
}

static void read_node(model *m, span s)
{
    field f;
    while (next(&s, &f)) {
        const int length = (int)(f.bytes.end - f.bytes.at);
        if (f.number == 1)
            cr_expect(knows(m, f.bytes), "%.*s is used before it is made", length,
                      (const char *)f.bytes.at);
        else if (f.number == 2)
            know(m, f.bytes);
        m->quantize += f.number == 4 && is(f.bytes, "QuantizeLinear");
        m->dequantize += f.number == 4 && is(f.bytes, "DequantizeLinear");
    }
    m->nodes++;
}

/* The name of a ValueInfoProto. */
static span info_name(span s)
{
    field f;
    while (next(&s, &f))
        if (f.number == 1)
            return f.bytes;
    return (span){NULL, NULL};
}

/* Constants and inputs first: nodes may use them wherever they stand. */
static void read_graph(model *m, span graph)
{
    field f;
    for (span s = graph; next(&s, &f);)
        if (f.number == 5)
            read_constant(m, f.bytes);
        else if (f.number == 11)
            know(m, info_name(f.bytes));
    for (span s = graph; next(&s, &f);)
        if (f.number == 1)
            read_node(m, f.bytes);
    for (span s = graph; next(&s, &f);)
        if (f.number == 12) {
            cr_expect(knows(m, info_name(f.bytes)), "an output that nobody makes");
            m->outputs++;
        }
}

static void read_model(model *m, const char *path)
{
    field f;
    wsam_error error = {0};
    memset(m, 0, sizeof *m);
    cr_assert(!ws_file_read_whole(path, 1 << 28, &m->data, &m->size, &error), "%s", error.message);
    span s = {(unsigned char *)m->data, (unsigned char *)m->data + m->size};
    while (next(&s, &f)) {
        field opset;
        if (f.number == 7)
            read_graph(m, f.bytes);
        while (f.number == 8 && next(&f.bytes, &opset))
            m->opset = opset.number == 2 ? (int)opset.value : m->opset;
    }
    cr_expect_eq(m->opset, 17);
}

/* ---- models ---- */

static char folder[64];

static const char *in_folder(const char *name)
{
    static char paths[8][160];
    static int turn;
    char *path = paths[turn++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_onnx.XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void drop_folder(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static void make_model(const char *family, wsam_file_type type)
{
    wsam_error error = {0};
    wsam_convert_options options;
    wsam_convert_options_default(&options);
    options.type = type;
    cr_assert(!wsam_write_twin(family, in_folder("t.st"), 0, &error) &&
                  !wsam_convert(in_folder("t.st"), in_folder("m.wsam"), &options, &error),
              "%s", error.message);
}

static wsam_status export_to(const char *out, const wsam_onnx_options *options, size_t *n,
                             wsam_error *error)
{
    wsam_onnx_file files[4];
    memset(error, 0, sizeof *error);
    return wsam_export_onnx(in_folder("m.wsam"), in_folder(out), options, files, 4, n, error);
}

TestSuite(onnx, .init = make_folder, .fini = drop_folder);

Test(onnx, every_family_gives_sound_models)
{
    static const char *const families[] = {"sam_vit_mini", "tiny_vit_mini", "efficient_sam_mini"};
    static const char *const graphs[] = {"out/image_encoder.onnx", "out/mask_decoder.onnx",
                                         "out/mask_decoder_with_mask.onnx"};
    for (int i = 0; i < 3; i++) {
        wsam_error error;
        size_t n = 0;
        make_model(families[i], WSAM_FILE_F32);
        cr_assert(!export_to("out", NULL, &n, &error), "%s", error.message);
        cr_expect_eq(n, i == 2 ? 2u : 3u); /* EfficientSAM takes no masks */
        for (size_t k = 0; k < n; k++) {
            model m;
            read_model(&m, in_folder(graphs[k]));
            cr_expect_eq(m.outputs, k ? 2u : 1u);
            cr_expect_gt(m.nodes, 70u);
            cr_expect_eq(m.quantize, 0u);
            free(m.data);
        }
    }
}

Test(onnx, int8_products_stand_between_two_nodes)
{
    wsam_error error;
    wsam_onnx_options options;
    wsam_calibration *ranges = NULL;
    size_t n = 0;
    model by_row, measured;
    wsam_picture picture = {0};
    const char *paths[1] = {in_folder("p.png")};
    make_model("sam_vit_mini", WSAM_FILE_INT8);
    wsam_onnx_options_default(&options);
    cr_assert(!export_to("rows.onnx", &options, &n, &error), "%s", error.message);
    cr_assert(!wsam_picture_draw(64, 64, &picture, &error) &&
                  !wsam_picture_save(&picture, paths[0], &error) &&
                  !wsam_calibrate_onnx(in_folder("m.wsam"), paths, 1, NULL, &ranges, &error),
              "%s", error.message);
    options.ranges = ranges;
    cr_assert(!export_to("measured.onnx", &options, &n, &error), "%s", error.message);
    read_model(&by_row, in_folder("rows.onnx"));
    read_model(&measured, in_folder("measured.onnx"));
    /* three blocks of qkv, proj, lin1 and lin2; one node for the weight, two for the input */
    cr_expect_eq(by_row.quantize, 12u);
    cr_expect_eq(by_row.dequantize, 24u);
    cr_expect_eq(measured.quantize, 12u);
    cr_expect_eq(measured.dequantize, 24u);
    cr_expect_lt(measured.nodes, by_row.nodes);
    wsam_calibration_free(ranges);
    wsam_picture_free(&picture);
    free(by_row.data);
    free(measured.data);
}

Test(onnx, constants_can_be_a_file_of_their_own)
{
    wsam_error error;
    wsam_onnx_options options;
    size_t n = 0;
    model inside, outside;
    struct stat st;
    make_model("sam_vit_mini", WSAM_FILE_F32);
    wsam_onnx_options_default(&options);
    cr_assert(!export_to("in.onnx", &options, &n, &error), "%s", error.message);
    options.external_data = 1;
    cr_assert(!export_to("ext.onnx", &options, &n, &error), "%s", error.message);
    read_model(&inside, in_folder("in.onnx"));
    read_model(&outside, in_folder("ext.onnx"));
    cr_expect_eq(inside.external, 0u);
    cr_expect_gt(outside.external, 10u);
    cr_expect_eq(inside.constants, outside.constants);
    cr_assert_eq(stat(in_folder("ext.onnx.data"), &st), 0);
    cr_expect_gt((size_t)st.st_size + outside.size, inside.size);
    free(inside.data);
    free(outside.data);
}

Test(onnx, what_cannot_be_exported_is_refused)
{
    wsam_error error;
    wsam_onnx_options options;
    size_t n = 0;
    struct stat st;
    make_model("sam_vit_mini", WSAM_FILE_F32);
    wsam_onnx_options_default(&options);
    options.graph = "no_such_graph";
    cr_expect_eq(export_to("a", &options, &n, &error), WSAM_ERR_ARGUMENT);
    cr_expect(strstr(error.message, "no_such_graph") != NULL);
    options.graph = NULL;
    options.masks = 5;
    cr_expect_eq(export_to("a", &options, &n, &error), WSAM_ERR_ARGUMENT);
    cr_expect(strstr(error.message, "masks must be 1 to 4") != NULL, "%s", error.message);
    make_model("weaktr_mini", WSAM_FILE_F32);
    cr_expect_eq(export_to("a", NULL, &n, &error), WSAM_ERR_UNSUPPORTED);
    cr_expect(strstr(error.message, "cannot be exported to ONNX") != NULL, "%s", error.message);
    cr_expect_neq(stat(in_folder("a"), &st), 0, "a folder is left");
}
