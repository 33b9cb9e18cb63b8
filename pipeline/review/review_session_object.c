/* pipeline/review/review_session_object.c - an object of a review. */
#include <stdlib.h>

#include "pipeline/review/review_session.h"

void ws_review_session_object_clear(ws_review_object *o)
{
    free(o->a.counts);
    free(o->a.json);
    *o = (ws_review_object){0};
}
