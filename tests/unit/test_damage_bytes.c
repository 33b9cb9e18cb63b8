/* Damaged weight files: cut, lengthened, with a flipped byte anywhere, and with claims about memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/util_toy.h"
#include "weaksam/model.h"

/* ---- damage to the bytes ---- */

/* A copy of exactly `size` bytes, so that a sanitizer sees a read past the end. */
static unsigned char *copy_of(const unsigned char *file, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    cr_assert_not_null(copy);
    memcpy(copy, file, size);
    return copy;
}

static uint64_t field(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static void expect_refused(const unsigned char *file, size_t size, const char *what, size_t at)
{
    wsam_error error;
    unsigned char *copy = copy_of(file, size);
    const wsam_status status = toy_use(copy, size, &error);
    cr_expect(status == WSAM_ERR_FORMAT || status == WSAM_ERR_LIMIT || status == WSAM_ERR_VERSION,
              "%s at %zu: status %s: %s", what, at, wsam_status_string(status), error.message);
    free(copy);
}

/* Cut at, before and behind every boundary of the file, with the size field as it was and with the
 * size field and checksums of the shorter file. */
Test(damage_bytes, truncation)
{
    toy t;
    size_t size;
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    size_t cuts[64], n = 0;
    const size_t fixed[] = {0, 1, 8, 16, 40, 63, 64, 96, 128, 160, 191, 192, size - 1};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        cuts[n++] = fixed[i];
    for (int s = 0; s < WS_FORMAT_SECTIONS; s++) {
        const unsigned char *row = file + WS_FORMAT_HEADER_BYTES + s * WS_FORMAT_SECTION_BYTES;
        const size_t begin = field(row + 8), end = begin + field(row + 16);
        const size_t around[] = {begin - 1, begin, begin + 1, begin + 4, end - 1, end};
        for (int i = 0; i < 6; i++)
            if (around[i] < size)
                cuts[n++] = around[i];
    }
    for (size_t i = 0; i < n; i++) {
        expect_refused(file, cuts[i], "cut", cuts[i]);
        if (cuts[i] < WS_FORMAT_HEADER_BYTES)
            continue;
        unsigned char *copy = copy_of(file, cuts[i]);
        const uint64_t claimed = cuts[i];
        memcpy(copy + 16, &claimed, 8);
        toy_rehash(copy, cuts[i]);
        expect_refused(copy, cuts[i], "cut with its size", cuts[i]);
        free(copy);
    }
    free(file);
}

Test(damage_bytes, bytes_appended)
{
    toy t;
    size_t size;
    wsam_error error;
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    unsigned char *longer = malloc(size + 64);
    cr_assert_not_null(longer);
    memcpy(longer, file, size);
    memset(longer + size, 0, 64);
    cr_expect_eq(toy_open(longer, size + 64, 0, &error), WSAM_ERR_FORMAT, "%s", error.message);
    free(longer);
    free(file);
}

/* Whether a byte stands between two tensors, where nothing reads it. */
static int in_gap(const toy *t, const unsigned char *file, size_t at)
{
    const size_t data = field(file + WS_FORMAT_HEADER_BYTES + 3 * WS_FORMAT_SECTION_BYTES + 8);
    if (at < data)
        return 0;
    for (int i = 0; i < TOY_TENSORS; i++) {
        const ws_tensor_def *d = &t->tensors[i];
        if ((at - data >= d->offset && at - data < d->offset + d->bytes) ||
            (at - data >= d->scale_offset && at - data < d->scale_offset + d->scale_bytes))
            return 0;
    }
    return 1;
}

/* Every byte of the file, changed in one bit and in all: with checksums it is refused. */
Test(damage_bytes, flipped_bytes_with_checksums)
{
    static const unsigned char masks[] = {0x01, 0x80, 0xff};
    toy t;
    size_t size;
    wsam_error error;
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    for (size_t at = 0; at < size; at++)
        for (int m = 0; m < 3; m++) {
            unsigned char *copy = copy_of(file, size);
            copy[at] ^= masks[m];
            const wsam_status status = toy_open(copy, size, 0, &error);
            cr_expect(status != WSAM_OK || in_gap(&t, file, at), "byte %zu xor %02x goes unnoticed",
                      at, masks[m]);
            cr_expect(status == WSAM_OK || error.message[0], "byte %zu: no message", at);
            free(copy);
        }
    free(file);
}

/* The same with the checksums made right again: refused, or harmless, and never a crash. */
Test(damage_bytes, flipped_bytes_without_checksums)
{
    static const unsigned char masks[] = {0x01, 0x10, 0x80, 0xff};
    toy t;
    size_t size, refused = 0;
    wsam_error error;
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    for (size_t at = 0; at < size; at++)
        for (int m = 0; m < 4; m++) {
            unsigned char *copy = copy_of(file, size);
            copy[at] ^= masks[m];
            toy_rehash(copy, size);
            const wsam_status status = toy_use(copy, size, &error);
            refused += status != WSAM_OK;
            cr_expect(status == WSAM_OK || error.message[0], "byte %zu: no message", at);
            free(copy);
        }
    cr_expect(refused > size, "only %zu of %zu changes refused", refused, 4 * size);
    free(file);
}

/* ---- claims about memory ---- */

static wsam_status reserve_within(const toy *t, uint64_t max_memory, wsam_error *error)
{
    size_t size;
    unsigned char *file = toy_write(t, &size);
    wsam_options options;
    wsam_model *model = NULL;
    wsam_session *session = NULL;
    wsam_options_default(&options);
    options.threads = 1;
    options.max_memory = max_memory;
    memset(error, 0, sizeof *error);
    wsam_status status = wsam_model_open_memory(file, size, &options, &model, error);
    if (!status)
        status = wsam_session_create(model, "small_encoder", &session, error);
    if (!status)
        status = wsam_session_reserve(session, NULL, 0, error);
    wsam_session_free(session);
    wsam_model_close(model);
    free(file);
    return status;
}

Test(damage_bytes, activations_beyond_max_memory)
{
    toy t;
    wsam_error error;
    toy_init(&t);
    cr_expect_eq(reserve_within(&t, 16 << 20, &error), WSAM_OK, "%s", error.message);
    cr_expect_eq(reserve_within(&t, 1000, &error), WSAM_ERR_LIMIT, "%s", error.message);
    t.graphs[0].inputs[0].dims[0] = t.graphs[0].inputs[0].dims[1] = 1 << 13;
    cr_expect_eq(reserve_within(&t, 16 << 20, &error), WSAM_ERR_LIMIT, "%s", error.message);
    t.graphs[0].inputs[0].dims[0] = t.graphs[0].inputs[0].dims[1] = 1 << 24;
    const wsam_status status = reserve_within(&t, 0, &error);
    cr_expect(status == WSAM_ERR_LIMIT || status == WSAM_ERR_MEMORY || status == WSAM_ERR_FORMAT,
              "status %s: %s", wsam_status_string(status), error.message);
}
