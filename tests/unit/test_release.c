/* A weight file written by release 0.1.0 (tests/data/release-0.1.0.wsam, a demo clue network in
 * int8) opens, verifies and still says the same: a format that changes must go on reading it. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "weaksam/weaksam.h"

#define RELEASED "tests/data/release-0.1.0.wsam"

Test(release, the_file_of_0_1_0_is_sound)
{
    wsam_error error = {0};
    cr_expect_eq(wsam_verify(RELEASED, &error), WSAM_OK, "%s", error.message);
}

/* The logits that 0.1.0 gave at its C level for 000001.jpg, one view of 160 pixels. Levels differ by
 * the rounding of int8 activations: up to 0.014 there. */
Test(release, the_file_of_0_1_0_gives_the_same_logits)
{
    static const float released[10] = {-6.3924f, -3.1678f, 5.6752f,  -2.1868f, -5.5926f,
                                       -6.8128f, -5.1433f, -5.3695f, -4.7664f, -5.6007f};
    wsam_error error = {0};
    wsam_options options;
    wsam_clues_params params;
    wsam_model *model = NULL;
    wsam_clues *clues = NULL;
    wsam_clues_result *result = NULL;
    wsam_picture picture = {0};
    wsam_options_default(&options);
    wsam_clues_params_default(&params);
    params.size = 160;
    params.n_scales = 1;
    params.mirror = 0;
    cr_assert(!wsam_model_open(RELEASED, &options, &model, &error), "%s", error.message);
    cr_assert(!wsam_picture_load("demo/samples/images/000001.jpg", NULL, &picture, &error), "%s",
              error.message);
    cr_assert(!wsam_clues_create(model, &clues, &error), "%s", error.message);
    cr_assert(!wsam_clues_run(clues, &picture, NULL, 0, &params, &result, &error), "%s",
              error.message);
    cr_assert_eq(result->n_classes, 10);
    for (size_t i = 0; i < 10; i++)
        cr_expect(fabsf(result->logits[i] - released[i]) < 0.1f, "%s: %g instead of %g",
                  wsam_clues_class_name(clues, i), (double)result->logits[i], (double)released[i]);
    wsam_clues_result_free(result);
    wsam_clues_free(clues);
    wsam_picture_free(&picture);
    wsam_model_close(model);
}
