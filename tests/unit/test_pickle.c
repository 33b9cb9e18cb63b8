/* Pickles of checkpoints: bad tensors, metadata that is kept opaque, programs, and hostile sizes. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/suite_import.h"
#include "weights/import/pickle.h"

typedef struct tensor_case {
    const char *what, *mention;
    torch_tensor tensor;
} tensor_case;

Test(pickle, bad_tensors)
{
    static const tensor_case cases[] = {
        {"a tensor beyond its storage", "outside", {"x", "FloatStorage", "0", 6, 1, 1, {6}, {1}}},
        {"strides that leave the storage",
         "outside",
         {"x", "FloatStorage", "0", 6, 0, 2, {2, 3}, {4, 1}}},
        {"a storage larger than its member",
         "outside",
         {"x", "FloatStorage", "0", 7, 0, 1, {7}, {1}}},
        {"a negative offset", "outside", {"x", "FloatStorage", "0", 6, 0xffffffffu, 1, {1}, {1}}},
        {"a negative stride", "bad shape", {"x", "FloatStorage", "0", 6, 0, 1, {2}, {0xffffffffu}}},
        {"a negative dimension",
         "bad shape",
         {"x", "FloatStorage", "0", 6, 0, 1, {0xffffffffu}, {1}}},
        {"a dimension of 0", "dimension of 0", {"x", "FloatStorage", "0", 6, 0, 1, {0}, {1}}},
        {"many elements at one place",
         "outside",
         {"x", "FloatStorage", "0", 6, 0, 2, {1u << 30, 1u << 30}, {0, 0}}},
        {"a type wider than the member", "outside", {"x", "DoubleStorage", "0", 6, 0, 1, {6}, {1}}},
        {"an unknown storage type", "QInt8Storage", {"x", "QInt8Storage", "0", 6, 0, 1, {6}, {1}}},
        {"a key with a path", "no data", {"x", "FloatStorage", "../0", 6, 0, 1, {6}, {1}}},
        {"an empty name", "name", {"", "FloatStorage", "0", 6, 0, 1, {6}, {1}}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ws_bytes b = {0};
        zip_of(&b, &cases[i].tensor, 1, 0);
        must_refuse(&b, cases[i].mention, cases[i].what);
        free(b.data);
    }
}

typedef struct pickle_case {
    const char *what, *mention, *bytes;
    size_t size;
} pickle_case;
#define PICKLE(text) text, sizeof(text) - 1

/* What trainers keep beside the tensors: objects of classes that are not known, numpy scalars, sets,
 * bytes, types. Each value stands under the key 'x' of a checkpoint with the tensors under 'model'. */
Test(pickle, training_metadata_is_opaque)
{
    static const pickle_case cases[] = {
        {"a numpy scalar", NULL,
         PICKLE("cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\nX\2\0\0\0f8K\0K\1\x87R"
                "(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbC\10abcdefghtR")},
        {"options", NULL, PICKLE("cargparse\nNamespace\n)\x81}X\2\0\0\0lrG?\x84z\xe1G\xae\x14{sb")},
        {"a counter", NULL, PICKLE("ccollections\nCounter\n}K\1K\2s\x85R")},
        {"a set", NULL, PICKLE("\x8f(K\1K\2\x90")},
        {"a frozen set", NULL, PICKLE("(K\1K\2\x91")},
        {"bytes", NULL, PICKLE("B\3\0\0\0abc")},
        {"long bytes", NULL, PICKLE("\x8e\3\0\0\0\0\0\0\0abc")},
        {"a byte array", NULL, PICKLE("\x96\3\0\0\0\0\0\0\0abc")},
        {"a long string", NULL, PICKLE("\x8d\3\0\0\0\0\0\0\0abc")},
        {"a type", NULL, PICKLE("ctorch\nfloat32\n")},
        {"a device", NULL, PICKLE("ctorch\ndevice\nX\4\0\0\0cuda\x85R")},
        {"an object with keywords", NULL, PICKLE("cmy.trainer\nState\n)}\x92")},
        {"an object with items", NULL, PICKLE("cmy.trainer\nTable\n)\x81(K\1K\2u(K\1K\2eK\1K\2s")},
        {"a long number", NULL, PICKLE("\x8b\3\0\0\0abc")}};
    ws_bytes tensors = {0}, pickle = {0}, b = {0};
    torch_pickle(&tensors, plain, 1, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pickle.size = b.size = 0;
        ws_bytes_put(&pickle, "\x80\5}(X\1\0\0\0x", 10);
        ws_bytes_put(&pickle, cases[i].bytes, cases[i].size);
        ws_bytes_put(&pickle, "X\20\0\0\0model_state_dict", 21);
        ws_bytes_put(&pickle, tensors.data + 2, tensors.size - 3); /* without PROTO and STOP */
        ws_bytes_put(&pickle, "u.", 2);
        zip_of_pickle(&b, pickle.data, pickle.size);
        ws_source *s = NULL;
        wsam_error error = {0};
        cr_expect_eq(open_bytes(b.data, b.size, &s, &error), WSAM_OK, "%s: %s", cases[i].what,
                     error.message);
        cr_expect(s && ws_source_find(s, "layer.weight"), "%s", cases[i].what);
        ws_source_close(s);
    }
    free(tensors.data);
    free(pickle.data);
    free(b.data);
}

/* Names as wrappers leave them. */
Test(pickle, prefixes_of_wrappers_go)
{
    static const char *const prefixes[] = {"module.", "module.module.",    "model.",
                                           "sam.",    "model.module.sam.", "_orig_mod.module."};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        char header[256];
        ws_bytes b = {0};
        ws_source *s = NULL;
        wsam_error error = {0};
        snprintf(header, sizeof header,
                 "{\"%sa.weight\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
                 "\"%sa.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]},"
                 "\"head\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
                 prefixes[i], prefixes[i]);
        safetensors_of(&b, header, 12);
        cr_assert_eq(open_bytes(b.data, b.size, &s, &error), WSAM_OK, "%s", error.message);
        cr_expect(ws_source_find(s, "a.weight") && ws_source_find(s, "a.bias") &&
                      ws_source_find(s, "head"),
                  "%s", prefixes[i]);
        ws_source_close(s);
        free(b.data);
    }
}

Test(pickle, bad_pickles)
{
    static const pickle_case cases[] = {
        {"a call", "posix.system", PICKLE("\x80\2cposix\nsystem\nX\4\0\0\0true\x85R.")},
        {"a call by protocol 4", "builtins.eval",
         PICKLE("\x80\4\x8c\10builtins\x8c\4eval\x93\x8c\1"
                "1\x85R.")},
        {"a global of a known module", "torch.load",
         PICKLE("\x80\2"
                "ctorch\nload\n.")},
        {"an opcode of protocol 0", "opcode 0x69", PICKLE("\x80\2(ios\nsystem\n.")},
        {"a newer protocol", "protocol", PICKLE("\x80\6}.")},
        {"a call of a string", "no known function", PICKLE("\x80\2X\1\0\0\0x)R.")},
        {"a call of a storage type", "storage type",
         PICKLE("\x80\2"
                "ctorch\nFloatStorage\n)R.")},
        {"items without a mark", "mark", PICKLE("\x80\2}u.")},
        {"items of a number", "dictionary", PICKLE("\x80\2K\1(K\1K\2u.")},
        {"a list item for a dictionary", "list",
         PICKLE("\x80\2}K\1"
                "a.")},
        {"an odd number of items", "no tensors", PICKLE("\x80\2}(K\1u.")},
        {"an unknown memo index", "memo", PICKLE("\x80\2h\5.")},
        {"an absurd memo index", "memo", PICKLE("\x80\2}r\xff\xff\xff\x7f.")},
        {"an empty stack", "stack", PICKLE("\x80\2.")},
        {"a string beyond the end", "ends early", PICKLE("\x80\2X\xff\xff\xff\xffx.")},
        {"no end", "ends early", PICKLE("\x80\2}")},
        {"no dictionary", "no dictionary", PICKLE("\x80\2K\1.")},
        {"an empty dictionary", "no tensors", PICKLE("\x80\2}.")},
        {"a module", "storage", PICKLE("\x80\2(X\6\0\0\0moduleK\1tQ.")},
        {"a state for a number", "no object", PICKLE("\x80\2K\1}b.")}};
    ws_bytes b = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        zip_of_pickle(&b, cases[i].bytes, cases[i].size);
        must_refuse(&b, cases[i].mention, cases[i].what);
    }
    free(b.data);
}

/* Memory does not follow the pickle: a stack too deep, and a million empty tuples that are dropped.
 */
Test(pickle, pickles_that_want_memory)
{
    const size_t n = 2 << 20;
    ws_bytes pickle = {0}, b = {0};
    for (size_t i = 0; i < n; i++)
        ws_bytes_put(&pickle, "(", 1);
    zip_of_pickle(&b, pickle.data, pickle.size);
    must_refuse(&b, "bad pickle", "a deep stack");
    for (size_t i = 0; i < n; i++)
        pickle.data[i] = i % 2 ? '0' : ')';
    zip_of_pickle(&b, pickle.data, pickle.size);
    must_refuse(&b, "bad pickle", "many tuples");
    free(pickle.data);
    free(b.data);
}

/* Bytes of all parts after a pickle of one opcode again and again. */
static size_t bytes_of(const char *opcodes, size_t n)
{
    ws_pickle p;
    wsam_error error = {0};
    uint32_t top;
    size_t used;
    const size_t length = strlen(opcodes);
    unsigned char *bytes = malloc(n);
    cr_assert(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)opcodes[i % length];
    cr_expect_neq(ws_unpickle_up_to(1 << 22, &p, "bomb", bytes, n, &top, &used, &error), WSAM_OK);
    const size_t sum = p.node_cap * sizeof *p.nodes + p.cell_cap * sizeof *p.cells +
                       (p.stack_cap + p.memo_cap) * sizeof *p.stack;
    ws_pickle_free(&p);
    free(bytes);
    return sum;
}

/* Four times the file and 64 MB, of which the file itself and the program take their share. */
Test(pickle, small_files_take_little_memory)
{
    static const char *const bombs[] = {"(", "K\x01", "]q\x01", ")0", "(K\x01l0", "]r\xff\xff\x06"};
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++)
        for (size_t n = 1 << 16; n <= 16 << 20; n *= 4)
            cr_expect(bytes_of(bombs[i], n) <= 3 * n + (48 << 20), "%s, %zu bytes: %zu", bombs[i],
                      n, bytes_of(bombs[i], n));
}
