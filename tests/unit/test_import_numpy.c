/* Pickles of numpy's arrays: every way in which their bytes are kept, and what is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/suite_import.h"
#include "weaksam/exchange.h"

/* How an array's bytes stand in the pickle. */
typedef enum keeping { SHORT_BYTES, BYTES, BYTES8, PYTHON2, LATIN, BUFFER } keeping;

typedef struct array {
    const char *name, *type, *order; /* "f4", "<" */
    const void *data;
    size_t bytes;
    uint32_t dims[2]; /* the second 0: one dimension */
    int fortran;
    keeping kept;
} array;

static void put_op(ws_bytes *b, const char *ops)
{
    ws_bytes_put(b, ops, strlen(ops));
}

static void put_bool(ws_bytes *b, int value)
{
    ws_bytes_put(b, value ? "\x88" : "\x89", 1);
}

static void put_u32(ws_bytes *b, size_t n)
{
    const uint32_t v = (uint32_t)n;
    ws_bytes_put(b, &v, 4);
}

static void put_latin(ws_bytes *b, const unsigned char *data, size_t n)
{
    ws_bytes text = {0};
    for (size_t i = 0; i < n; i++) {
        const unsigned char two[2] = {(unsigned char)(0xc0 | data[i] >> 6),
                                      (unsigned char)(0x80 | (data[i] & 63))};
        if (data[i] < 128)
            ws_bytes_put(&text, data + i, 1);
        else
            ws_bytes_put(&text, two, 2);
    }
    torch_put_global(b, "_codecs", "encode");
    put_op(b, "(X");
    put_u32(b, text.size);
    ws_bytes_put(b, text.data, text.size);
    torch_put_text(b, "latin1");
    put_op(b, "tR");
    free(text.data);
}

static void put_data(ws_bytes *b, const array *a)
{
    const unsigned char n = (unsigned char)a->bytes;
    const uint64_t n8 = a->bytes;
    switch (a->kept) {
    case SHORT_BYTES:
        put_op(b, "C");
        ws_bytes_put(b, &n, 1);
        break;
    case BYTES:
        put_op(b, "B");
        put_u32(b, a->bytes);
        break;
    case PYTHON2:
        put_op(b, "T");
        put_u32(b, a->bytes);
        break;
    case BYTES8:
    case BUFFER:
        ws_bytes_put(b, a->kept == BUFFER ? "\x96" : "\x8e", 1);
        ws_bytes_put(b, &n8, 8);
        break;
    case LATIN:
        put_latin(b, a->data, a->bytes);
        return;
    }
    ws_bytes_put(b, a->data, a->bytes);
}

static void put_shape(ws_bytes *b, const array *a)
{
    put_op(b, "(");
    torch_put_int(b, a->dims[0]);
    if (a->dims[1])
        torch_put_int(b, a->dims[1]);
    put_op(b, "t");
}

/* dtype('f4', False, True) and its state */
static void put_dtype(ws_bytes *b, const array *a)
{
    torch_put_global(b, "numpy", "dtype");
    put_op(b, "(");
    torch_put_text(b, a->type);
    put_bool(b, 0);
    put_bool(b, 1);
    put_op(b, "tR(");
    torch_put_int(b, 3);
    torch_put_text(b, a->order);
    put_op(b, "NNNtb");
}

static void put_array(ws_bytes *b, const array *a)
{
    if (a->kept == BUFFER) {
        torch_put_global(b, "numpy._core.numeric", "_frombuffer");
        put_op(b, "(");
        put_data(b, a);
        put_dtype(b, a);
        put_shape(b, a);
        torch_put_text(b, a->fortran ? "F" : "C");
        put_op(b, "tR");
        return;
    }
    torch_put_global(b, a->kept == BYTES8 ? "numpy._core.multiarray" : "numpy.core.multiarray",
                     "_reconstruct");
    put_op(b, "(");
    torch_put_global(b, "numpy", "ndarray");
    put_op(b, "(");
    torch_put_int(b, 0);
    put_op(b, "tC\x01"
              "btR(");
    torch_put_int(b, 1);
    put_shape(b, a);
    put_dtype(b, a);
    put_bool(b, a->fortran);
    put_data(b, a);
    put_op(b, "tb");
}

/* {'model': {...}, '__author__': 'x'} */
static void pickle_of(ws_bytes *b, const array *arrays, int n)
{
    ws_bytes_put(b, "\x80\x04}(", 4);
    torch_put_text(b, "model");
    put_op(b, "}(");
    for (int i = 0; i < n; i++) {
        torch_put_text(b, arrays[i].name);
        put_array(b, &arrays[i]);
    }
    put_op(b, "u");
    torch_put_text(b, "__author__");
    torch_put_text(b, "x");
    put_op(b, "u.");
}

static array floats(keeping kept)
{
    const array a = {"layer.weight", "f4", "<", six, sizeof six, {2, 3}, 0, kept};
    return a;
}

Test(numpy, however_the_bytes_are_kept)
{
    for (int k = SHORT_BYTES; k <= BUFFER; k++) {
        const array a = floats((keeping)k);
        ws_bytes b = {0};
        pickle_of(&b, &a, 1);
        ws_source *s = must_open(&b);
        cr_expect_eq(s->n_tensors, 1);
        expect_values(s, "layer.weight", six, 6);
        ws_source_close(s);
        free(b.data);
    }
}

Test(numpy, types_orders_and_counters)
{
    static const double doubles[3] = {0.5, -1.0, 2.0};
    static const uint16_t halves[2] = {0x3c00, 0xc000};
    static const int64_t counter = 7;
    static const float rows[6] = {0.5f, 2.0f, -4.0f, -1.0f, 3.25f, 5.5f}; /* six by columns */
    static const float want3[3] = {0.5f, -1.0f, 2.0f}, want2[2] = {1.0f, -2.0f};
    array fortran = floats(LATIN);
    fortran.fortran = 1;
    const array arrays[] = {fortran,
                            {"a", "f8", "<", doubles, sizeof doubles, {3, 0}, 0, BYTES},
                            {"b", "f2", "|", halves, sizeof halves, {2, 0}, 0, SHORT_BYTES},
                            {"n", "i8", "<", &counter, sizeof counter, {1, 0}, 0, SHORT_BYTES}};
    ws_bytes b = {0};
    pickle_of(&b, arrays, 4);
    ws_source *s = must_open(&b);
    expect_values(s, "layer.weight", rows, 6);
    expect_values(s, "a", want3, 3);
    expect_values(s, "b", want2, 2);
    cr_expect_eq(ws_source_find(s, "n")->dtype, WS_DTYPE_INT);
    ws_source_close(s);
    free(b.data);
}

static void refused(const array *a, const char *mention)
{
    ws_bytes b = {0};
    pickle_of(&b, a, 1);
    must_refuse(&b, mention, mention);
    free(b.data);
}

Test(numpy, what_is_no_tensor)
{
    array a = floats(BYTES);
    a.type = "O8";
    refused(&a, "an array of Python objects");
    a = floats(BYTES);
    a.order = ">";
    refused(&a, "big-endian");
    a = floats(BYTES);
    a.bytes -= 4;
    refused(&a, "reaches outside its data");
    a = floats(LATIN);
    a.dims[1] = 4;
    refused(&a, "reaches outside its data");
    a = floats(BYTES);
    a.dims[0] = 0;
    refused(&a, "dimension of 0");
    a = floats(BYTES);
    a.dims[0] = a.dims[1] = 1 << 30;
    refused(&a, "too large");
}

Test(numpy, damaged_pickles)
{
    const array arrays[] = {floats(LATIN), floats(BYTES), floats(BUFFER)};
    for (size_t k = 0; k < 3; k++) {
        ws_bytes b = {0};
        pickle_of(&b, &arrays[k], 1);
        for (size_t n = 16; n < b.size; n++) { /* cut short, or one byte changed */
            ws_source *s = NULL;
            wsam_error error = {0};
            cr_expect_neq(open_bytes(b.data, n, &s, &error), WSAM_OK, "%zu of %zu bytes", n,
                          b.size);
            for (int bit = 0; bit < 8; bit += 3) {
                ((unsigned char *)b.data)[n] ^= (unsigned char)(1 << bit);
                if (open_bytes(b.data, b.size, &s, &error) == WSAM_OK) {
                    for (size_t i = 0; i < s->n_tensors; i++) {
                        float *values = malloc(ws_source_elements(&s->tensors[i]) * sizeof *values);
                        cr_assert_not_null(values);
                        (void)ws_source_read(s, &s->tensors[i], values, &error);
                        free(values);
                    }
                    ws_source_close(s);
                }
                ((unsigned char *)b.data)[n] ^= (unsigned char)(1 << bit);
            }
        }
        free(b.data);
    }
}

/* Where a checkpoint's characters are no bytes. */
Test(numpy, text_beyond_bytes)
{
    const array a = floats(LATIN);
    ws_bytes b = {0};
    pickle_of(&b, &a, 1);
    unsigned char *at = memchr(b.data, 0xc2, b.size);
    cr_assert_not_null(at);
    *at = 0xc4;
    must_refuse(&b, "no bytes", "a character of two bytes");
    free(b.data);
}

/* {'2007000027': array} as a line, or the message of its error. */
static const char *line_of(const array *a)
{
    static char line[4096];
    char path[64], lines[80];
    wsam_error error;
    ws_bytes b = {0};
    ws_bytes_put(&b, "\x80\x04}", 3);
    torch_put_text(&b, "2007000027");
    put_array(&b, a);
    put_op(&b, "s.");
    temporary_file(path, b.data, b.size);
    free(b.data);
    snprintf(lines, sizeof lines, "%s.jsonl", path);
    const wsam_status status = wsam_import_pickle(path, NULL, lines, NULL, &error);
    snprintf(line, sizeof line, "%s", error.message);
    FILE *f = status ? NULL : fopen(lines, "rb");
    if (f) {
        const size_t n = fread(line, 1, sizeof line - 1, f);
        line[n] = 0;
        fclose(f);
    }
    cr_expect_eq(access(lines, F_OK) == 0, status == WSAM_OK);
    unlink(lines);
    unlink(path);
    return line;
}

Test(numpy, proposals_of_every_type)
{
    static const float boxes[8] = {1.5f, 2, 3, 4, 0.1f, 6, 7, 8},
                       columns[8] = {1.5f, 0.1f, 2, 6, 3, 7, 4, 8};
    static const uint16_t shorts[4] = {1, 2, 65535, 4},
                          halves[4] = {0x0400, 0x3c00, 0x4000, 0x4200};
    static const int32_t ints[4] = {-1, 2, 3, 4};
    static const uint32_t big[4] = {0x0000803f, 0x00000040, 0x00004040, 0x00008040};
    static const double doubles[4] = {0.1, 2, 3, 4};
    static const struct {
        const char *mention;
        array a;
    } cases[] = {{"[1.5,2,3,4]", {"", "f4", "<", boxes, 32, {2, 4}, 0, BYTES}},
                 {"[0.100000001,6,7,8]", {"", "f4", "<", columns, 32, {2, 4}, 1, LATIN}},
                 {"[0.100000001,6,7,8]", {"", "f4", "<", boxes, 32, {2, 4}, 0, BUFFER}},
                 {"[1,2,65535,4]", {"", "u2", "<", shorts, 8, {1, 4}, 0, PYTHON2}},
                 {"[6.10351562e-05,1,2,3]", {"", "f2", "<", halves, 8, {1, 4}, 0, BYTES}},
                 {"[-1,2,3,4]", {"", "i4", "<", ints, 16, {1, 4}, 0, BYTES8}},
                 {"[1,2,3,4]", {"", "f4", ">", big, 16, {1, 4}, 0, BYTES}},
                 {"[0.10000000000000001,2,3,4]", {"", "f8", "<", doubles, 32, {1, 4}, 0, BYTES}},
                 {"no array [n][4]", {"", "f4", "<", boxes, 32, {4, 2}, 0, BYTES}},
                 {"ends before it begins", {"", "f4", "<", boxes + 2, 16, {1, 4}, 0, BYTES}},
                 {"larger than its bytes", {"", "f4", "<", boxes, 16, {2, 4}, 0, BYTES}},
                 {"larger than its bytes", {"", "f4", "<", boxes, 32, {1 << 30, 4}, 0, BYTES}},
                 {"Python objects", {"", "O8", "|", boxes, 32, {1, 4}, 0, BYTES}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *line = line_of(&cases[i].a);
        cr_expect(strstr(line, cases[i].mention), "%s: %s", cases[i].mention, line);
        cr_expect(cases[i].mention[0] != '[' ||
                      strstr(line, "{\"image\":\"2007000027\",\"proposals\":[{\"box\":["),
                  "%s", line);
    }
}
