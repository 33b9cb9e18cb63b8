/* tests/util/suite_backbone.c - see suite_backbone.h. */
#include "tests/util/suite_backbone.h"

#include <criterion/criterion.h>

#include "tests/util/suite_folder.h"

void must(wsam_status status, const wsam_error *error)
{
    cr_assert_eq(status, WSAM_OK, "%s", error->message);
}

void backbone_twin(const char *family, const char *checkpoint)
{
    wsam_error error = {0};
    must(wsam_write_twin(family, in_folder(checkpoint), 0, &error), &error);
}

void backbone_convert(const char *checkpoint, const char *file, wsam_file_type type,
                      const char *positions, int simulated)
{
    wsam_convert_options o;
    wsam_error error = {0};
    wsam_convert_options_default(&o);
    o.type = type;
    o.positions = positions;
    o.exact_rest = simulated;
    o.smoothing = !simulated;
    must(wsam_convert(in_folder(checkpoint), in_folder(file), &o, &error), &error);
}

wsam_model *backbone_open(const char *file, int threads, wsam_lowering lowering)
{
    wsam_options options;
    wsam_error error = {0};
    wsam_model *model = NULL;
    wsam_options_default(&options);
    options.threads = threads;
    options.lowering = lowering;
    must(wsam_model_open(in_folder(file), &options, &model, &error), &error);
    return model;
}

wsam_backbone_result *backbone_run(wsam_model *model, const wsam_picture *picture, int long_side,
                                   int mirror)
{
    wsam_backbone *backbone = NULL;
    wsam_backbone_result *result = NULL;
    wsam_backbone_params params;
    wsam_error error = {0};
    must(wsam_backbone_create(model, &backbone, &error), &error);
    wsam_backbone_params_default(&params);
    params.long_side = long_side;
    params.mirror = mirror;
    must(wsam_backbone_run(backbone, picture, &params, &result, &error), &error);
    wsam_backbone_free(backbone);
    return result;
}

size_t backbone_floats(const wsam_backbone_result *r)
{
    const size_t cells = (size_t)r->height * (size_t)r->width;
    return cells * (size_t)r->channels + (size_t)r->channels + (size_t)r->heads * cells;
}
