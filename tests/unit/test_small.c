/* Weight files of every role, changed at random with their checksums made right: each is refused or
 * does its work (under a sanitizer: and nothing beyond its memory is touched). */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/segment/model_rules.h"
#include "tests/fuzz/mutate.h"

enum { CHANGED = 400 };

static wsam_status used(const small_file *f, small_role role, wsam_error *error)
{
    size_t size;
    unsigned char *bytes = small_write(f, &size);
    const wsam_status status = small_use(bytes, size, role, error);
    free(bytes);
    return status;
}

Test(small, files_work_as_they_are)
{
    for (int role = 0; role < SMALL_ROLES; role++) {
        small_file f;
        wsam_error error = {0};
        small_init(&f, (small_role)role);
        cr_expect_eq(used(&f, (small_role)role, &error), WSAM_OK, "role %d: %s", role,
                     error.message);
    }
}

Test(small, changed_files_are_refused_or_work)
{
    uint64_t draw = 1;
    for (int i = 0; i < CHANGED * SMALL_ROLES; i++) {
        uint8_t bytes[8];
        small_file f;
        wsam_error error;
        for (size_t k = 0; k < sizeof bytes; k++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            bytes[k] = (uint8_t)(draw >> 56);
        }
        small_init(&f, (small_role)(i % SMALL_ROLES));
        mutate(&f, bytes, i % 2 ? 8 : 4);
        used(&f, (small_role)(i % SMALL_ROLES), &error);
    }
}

/* Before, such a file was valid to `verify`, and failed at the first image. */
Test(small, a_backbone_of_other_outputs_is_refused_when_it_is_opened)
{
    small_file f;
    size_t size;
    wsam_options options;
    wsam_model *model;
    wsam_error error = {0};
    small_init(&f, SMALL_BACKBONE);
    small_graph *g = &f.graphs[0];
    cr_assert_eq(g->def.n_outputs, 3);
    const uint32_t tokens = g->outputs[1].ref;
    g->outputs[1].ref = g->outputs[2].ref;
    g->outputs[2].ref = tokens;
    unsigned char *bytes = small_write(&f, &size);
    wsam_options_default(&options);
    cr_expect_eq(wsam_model_open_memory(bytes, size, &options, &model, &error), WSAM_ERR_FORMAT);
    cr_expect(strstr(error.message, "backbone"), "%s", error.message);
    free(bytes);
}

/* A model may fix the number of points and ask for padding: as many as it fixed are written. */
Test(small, padding_stays_within_a_fixed_number_of_points)
{
    const ws_rules rules = {.fixed_points = 2, .pad_without_box = 1, .size = 16};
    const wsam_transform t = {16, 16, 16, 16, 16};
    const wsam_point points[2] = {{1, 2, 1}, {3, 4, 0}};
    const wsam_prompt prompt = {.points = points, .n_points = 2};
    float xy[6];
    int32_t labels[3] = {7, 7, 7};
    cr_assert_eq(ws_prompt_tokens(&rules, &prompt), 2);
    ws_prompt_tokens_points(&rules, &t, &prompt, xy, labels);
    cr_expect_eq(labels[0], 1);
    cr_expect_eq(labels[1], 0);
    cr_expect_eq(labels[2], 7);
}
