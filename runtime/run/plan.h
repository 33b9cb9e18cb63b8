/* runtime/run/plan.h - where the buffers of one rate live in a session's arena. */
#ifndef WS_RUNTIME_RUN_PLAN_H
#define WS_RUNTIME_RUN_PLAN_H

#include "runtime/program.h"

typedef struct ws_plan {
    size_t *offset; /* per buffer; SIZE_MAX when it is not in the arena */
    size_t *size;   /* per buffer, bytes reserved */
    size_t workspace_offset, workspace_bytes;
    size_t scratch_offset, scratch_bytes; /* per thread */
    size_t bytes;                         /* of the whole arena */
} ws_plan;

/* Plans all buffers of a rate at these dimensions from the life times of a straight run. With
 * `with_image` an image's persistent ones are among them, and stay to the end. */
wsam_status ws_plan_make(const ws_program *p, const ws_dims *dims, const ws_value *values,
                         wsam_rate rate, int with_image, int threads, ws_plan *plan,
                         wsam_error *error);
void ws_plan_free(ws_plan *plan);

/* Whether a run at other dimensions fits; names what does not. */
wsam_status ws_plan_fits(const ws_program *p, const ws_dims *dims, const ws_value *values,
                         wsam_rate rate, const ws_plan *plan, wsam_error *error);

#endif
