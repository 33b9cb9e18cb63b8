/* pipeline/stages/source_names.c - where a point or a proposal comes from, by name. */
#include <stddef.h>

#include "weaksam/stages.h"

const char *wsam_source_name(wsam_source source)
{
    static const char *const names[WSAM_SOURCES] = {"grid", "coarse", "fine", "class", "cross"};
    return (unsigned)source < WSAM_SOURCES ? names[source] : NULL;
}
