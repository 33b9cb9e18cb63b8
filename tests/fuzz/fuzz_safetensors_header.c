/* Safetensors whose length and data always fit: the input is the header's JSON, or, where its first
 * byte is odd, a list of tensors that becomes one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/checkpoint.h"
#include "weights/bytes.h"

enum { MOST = 8, DATA = 4096 };

static const char *const types[] = {"F32", "F16", "BF16", "F64", "I64", "I32", "U8", "BOOL", "F8"};
static const char *const names[] = {"embedding", "mask", "low_res",  "iou",         "a.weight",
                                    "",          "a",    "module.a", "__metadata__"};
static const char *const sizes[] = {"0",  "1",   "2",     "3",          "4",
                                    "16", "64",  "65536", "4294967295", "4294967296",
                                    "-1", "1e3", "1.5",   "\"1\"",      "[]"};

#define OF(list, i) (list)[(i) % (sizeof(list) / sizeof((list)[0]))]

static void put_text(ws_bytes *b, const char *text)
{
    ws_bytes_put(b, text, strlen(text));
}

/* Six bytes a tensor. */
static void header_of(ws_bytes *b, const uint8_t *at, size_t size)
{
    char text[128];
    size_t end = 0;
    put_text(b, "{");
    for (int n = 0; n < MOST && size >= 6; n++, at += 6, size -= 6) {
        snprintf(text, sizeof text, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", n ? "," : "",
                 OF(names, at[0]), OF(types, at[1]));
        put_text(b, text);
        for (int d = 0; d < at[2] % 5; d++) {
            put_text(b, d ? "," : "");
            put_text(b, OF(sizes, at[3] >> d));
        }
        const size_t begin = end;
        end += 4 * (at[4] % 32u);
        snprintf(text, sizeof text, "],\"data_offsets\":[%zu,%zu]}", begin + (at[5] == 1), end);
        put_text(b, text);
    }
    put_text(b, "}");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char values[DATA] = {0, 0, 128, 63};
    ws_bytes header = {0}, file = {0};
    if (size < 3)
        return 0;
    if (data[0] & 1)
        header_of(&header, data + 2, size - 2);
    else
        ws_bytes_put(&header, data + 2, size - 2);
    ws_bytes_put_u64(&file, header.size);
    ws_bytes_put(&file, header.data, header.size);
    ws_bytes_put(&file, values, 16u * data[1]);
    if (!header.failed && !file.failed)
        fuzz_checkpoint(file.data, file.size, "", 0);
    free(header.data);
    free(file.data);
    return 0;
}
