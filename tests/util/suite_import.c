/* tests/util/suite_import.c - see suite_import.h. */
#include "tests/util/suite_import.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const float six[6] = {0.5f, -1.0f, 2.0f, 3.25f, -4.0f, 5.5f};
const float three[3] = {1.0f, -2.0f, 3.0f};

const torch_tensor plain[2] = {{"layer.weight", "FloatStorage", "0", 6, 0, 2, {2, 3}, {3, 1}},
                               {"layer.bias", "FloatStorage", "1", 3, 0, 1, {3}, {1}}};

wsam_status open_bytes(const void *data, size_t size, ws_source **s, wsam_error *error)
{
    char path[64];
    temporary_file(path, data, size);
    memset(error, 0, sizeof *error);
    const wsam_status status = ws_source_open(path, s, error);
    unlink(path);
    return status;
}

ws_source *must_open(const ws_bytes *b)
{
    ws_source *s = NULL;
    wsam_error error;
    cr_assert_eq(open_bytes(b->data, b->size, &s, &error), WSAM_OK, "%s", error.message);
    return s;
}

void must_refuse(const ws_bytes *b, const char *mention, const char *what)
{
    ws_source *s = NULL;
    wsam_error error;
    const wsam_status status = open_bytes(b->data, b->size, &s, &error);
    cr_expect_neq(status, WSAM_OK, "%s: accepted", what);
    cr_expect_null(s);
    cr_expect(strstr(error.message, mention), "%s: '%s' does not mention '%s'", what, error.message,
              mention);
    cr_expect_null(strchr(error.message, '\n'), "%s: more than one line", what);
    ws_source_close(s);
}

void expect_values(const ws_source *s, const char *name, const float *wanted, size_t n)
{
    float values[16];
    wsam_error error;
    const ws_source_tensor *t = ws_source_find(s, name);
    cr_assert_not_null(t, "%s", name);
    cr_assert_eq(ws_source_elements(t), n);
    cr_assert_eq(ws_source_read(s, t, values, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(memcmp(values, wanted, n * sizeof *values), 0, "%s", name);
}

void zip_of(ws_bytes *out, const torch_tensor *tensors, int n, int flags)
{
    ws_bytes pickle = {0};
    torch_pickle(&pickle, tensors, n, flags);
    const zip_member members[] = {{"some/data.pkl", pickle.data, pickle.size, 0},
                                  {"some/data/0", six, sizeof six, 0},
                                  {"some/data/1", three, sizeof three, 0},
                                  {"some/version", "3\n", 2, 0}};
    zip_write(out, members, 4, 0);
    free(pickle.data);
}

void zip_of_pickle(ws_bytes *out, const void *pickle, size_t size)
{
    const zip_member members[] = {{"a/data.pkl", pickle, size, 0},
                                  {"a/data/0", six, sizeof six, 0}};
    out->size = 0;
    zip_write(out, members, 2, 0);
}

void safetensors_of(ws_bytes *b, const char *header, size_t data)
{
    static const char zeros[64] = {0};
    b->size = 0;
    ws_bytes_put_u64(b, strlen(header));
    ws_bytes_put(b, header, strlen(header));
    ws_bytes_put(b, zeros, data);
}
