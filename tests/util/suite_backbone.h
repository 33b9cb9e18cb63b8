/* tests/util/suite_backbone.h - backbones made, converted and run by name in the test's folder. */
#ifndef WS_TESTS_UTIL_SUITE_BACKBONE_H
#define WS_TESTS_UTIL_SUITE_BACKBONE_H

#include "weaksam/weaksam.h"

void must(wsam_status status, const wsam_error *error);

/* Writes the twin of a family; converts it; opens what was made. */
void backbone_twin(const char *family, const char *checkpoint);
void backbone_convert(const char *checkpoint, const char *file, wsam_file_type type,
                      const char *positions, int simulated);
wsam_model *backbone_open(const char *file, int threads, wsam_lowering lowering);

wsam_backbone_result *backbone_run(wsam_model *model, const wsam_picture *picture, int long_side,
                                   int mirror);
/* Numbers in a result: tokens of patches, of the class, attention. */
size_t backbone_floats(const wsam_backbone_result *result);

#endif
