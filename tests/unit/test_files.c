/* Weight files on disk that change while they are open. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/util/util_toy.h"
#include "weaksam/model.h"

static void write_file(const char *path, const unsigned char *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void temporary(char path[64])
{
    strcpy(path, "/tmp/weaksam-test-XXXXXX");
    const int fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

/* One run of the toy's encoder; the embedding's first values on success. */
static wsam_status encode(wsam_model *model, float first[8], wsam_error *error)
{
    float image[4 * 4 * 8];
    for (int i = 0; i < 4 * 4 * 8; i++)
        image[i] = (float)(i % 7) - 3.0f;
    const wsam_tensor pixels = {"image", WSAM_F32, 3, {4, 4, 8}, image};
    wsam_session *session = NULL;
    wsam_image *bound = NULL;
    wsam_tensor view;
    wsam_status status = wsam_session_create(model, "small_encoder", &session, error);
    if (!status)
        status = wsam_session_reserve(session, NULL, 0, error);
    if (!status)
        status = wsam_image_create(model, "small_encoder", NULL, 0, &bound, error);
    if (!status)
        status = wsam_session_bind(session, &pixels, 1, bound, error);
    if (!status)
        status = wsam_image_output(bound, "embedding", &view, error);
    if (!status)
        memcpy(first, view.data, 8 * sizeof *first);
    wsam_image_free(bound);
    wsam_session_free(session);
    return status;
}

Test(files, one_that_shrinks_while_open_is_an_error)
{
    toy t;
    size_t size;
    char path[64];
    float first[8];
    wsam_error error = {0};
    wsam_model *model = NULL;
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    for (size_t rest = 0; rest < size; rest += size / 7) {
        temporary(path);
        write_file(path, file, size);
        cr_assert(!wsam_model_open(path, NULL, &model, &error), "%s", error.message);
        cr_assert(!truncate(path, (off_t)rest));
        const wsam_status status = encode(model, first, &error);
        cr_expect(status == WSAM_OK || status == WSAM_ERR_IO, "%zu bytes left: status %s: %s", rest,
                  wsam_status_string(status), error.message);
        wsam_model_close(model);
        unlink(path);
    }
    free(file);
}

Test(files, one_that_is_replaced_while_open_stays_what_it_was)
{
    toy t;
    size_t size;
    char path[64], other[64];
    float before[8], after[8];
    wsam_error error = {0};
    wsam_model *model = NULL;
    temporary(path);
    temporary(other);
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    write_file(path, file, size);
    cr_assert(!wsam_model_open(path, NULL, &model, &error), "%s", error.message);
    cr_assert(!encode(model, before, &error), "%s", error.message);
    wsam_model_close(model);

    cr_assert(!wsam_model_open(path, NULL, &model, &error), "%s", error.message);
    t.data[t.tensors[TOY_LINEAR].offset + 3] ^= 0x40;
    free(file);
    file = toy_write(&t, &size);
    write_file(other, file, size);
    cr_assert(!rename(other, path));
    cr_assert(!encode(model, after, &error), "%s", error.message);
    cr_expect_eq(memcmp(before, after, sizeof before), 0);
    wsam_model_close(model);
    unlink(path);
    free(file);
}

Test(files, path_and_memory_give_the_same)
{
    toy t;
    size_t size;
    char path[64];
    float from_path[8], from_memory[8];
    wsam_error error = {0};
    wsam_model *model = NULL;
    temporary(path);
    toy_init(&t);
    unsigned char *file = toy_write(&t, &size);
    write_file(path, file, size);
    cr_assert(!wsam_model_open(path, NULL, &model, &error), "%s", error.message);
    cr_assert(!encode(model, from_path, &error), "%s", error.message);
    wsam_model_close(model);
    cr_assert(!wsam_model_open_memory(file, size, NULL, &model, &error), "%s", error.message);
    cr_assert(!encode(model, from_memory, &error), "%s", error.message);
    wsam_model_close(model);
    cr_expect_eq(memcmp(from_path, from_memory, sizeof from_path), 0);
    unlink(path);
    free(file);
}
