/* runtime/run/session_profile.c - where the time of a session's last run went. */
#include "base/json_writer.h"
#include "kernels/float_scope.h"
#include "runtime/graph/describe.h"
#include "runtime/model.h"

wsam_status wsam_session_profile(const wsam_session *s, char **json, wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_text j = {0};
    int first = 1;
    ws_text_printf(&j, "[");
    for (size_t i = 0; i < s->program->n_steps; i++) {
        if (s->seconds[i] < 0.0)
            continue;
        ws_json_comma(&j, first);
        ws_describe_step(&j, s->program, &s->program->steps[i]);
        ws_text_printf(&j, ",\"ms\":");
        ws_json_number(&j, 1e3 * s->seconds[i]);
        ws_text_printf(&j, "}");
        first = 0;
    }
    ws_text_printf(&j, "]");
    *json = ws_text_finish(&j);
    return *json ? WSAM_OK : ws_fail(error, WSAM_ERR_MEMORY, "no memory for a profile");
}
