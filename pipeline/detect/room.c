/* pipeline/detect/room.c - the memory that stages of a detector hand on. */
#include <stdlib.h>

#include "base/memory.h"
#include "pipeline/detect/detector.h"

void *ws_detector_room(wsam_detector *d, size_t bytes, wsam_error *error)
{
    if (bytes <= d->room_bytes)
        return d->room;
    free(d->room);
    d->room = ws_alloc_large(bytes);
    d->room_bytes = d->room ? bytes : 0;
    if (!d->room)
        ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu bytes of an image or of its boxes",
                bytes);
    return d->room;
}
