/* pipeline/accuracy/verify_against.h - a checkpoint as an f32 weight file for a while. */
#ifndef WS_PIPELINE_ACCURACY_VERIFY_AGAINST_H
#define WS_PIPELINE_ACCURACY_VERIFY_AGAINST_H

#include "weaksam/accuracy.h"
#include "weaksam/convert.h"
#include "weaksam/picture.h"

/* Converts to f32 under a name of its own in TMPDIR; the caller unlinks `path` when it is not
 * empty, also after a failure. Of `like` arch, image size and heads are used; NULL: defaults. */
wsam_status ws_verify_against_convert(const char *checkpoint, const wsam_convert_options *like,
                                      char *path, size_t size, wsam_error *error);

#endif
