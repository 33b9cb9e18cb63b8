/* pipeline/review/review_order.c - the order of images, for a caller that shows no page. */
#include "kernels/float_scope.h"
#include "pipeline/review/review_session.h"

wsam_status wsam_review_order(const wsam_review_options *options,
                              int (*fn)(void *user, const char *image, int audit), void *user,
                              wsam_error *error)
{
    WS_FLOAT_SCOPE;
    ws_review_session s = {.options = options, .next_id = 1};
    wsam_status status = ws_review_session_load(&s, error);
    if (!status)
        status = ws_review_session_order(&s, error);
    for (size_t i = 0; i < s.n_listed && !status; i++) {
        const ws_review_image *image = &s.images[s.order[i]];
        if (fn(user, image->name, image->audit))
            break;
    }
    ws_review_session_close(&s);
    return status;
}
