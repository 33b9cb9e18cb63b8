/* base/error.c - see base.h; and the status names and version of the library. */
#include "base/error.h"

#include "weaksam/model.h"

#include <stdarg.h>
#include <stdio.h>

wsam_status ws_fail(wsam_error *error, wsam_status status, const char *format, ...)
{
    if (!error)
        return status;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    error->status = status;
    for (unsigned char *c = (unsigned char *)error->message; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
    return status;
}

wsam_status ws_no_memory(wsam_error *error, const char *about)
{
    return ws_fail(error, WSAM_ERR_MEMORY, "%s: no memory", about);
}

const char *wsam_status_string(wsam_status status)
{
    switch (status) {
    case WSAM_OK:
        return "ok";
    case WSAM_ERR_ARGUMENT:
        return "argument";
    case WSAM_ERR_MEMORY:
        return "memory";
    case WSAM_ERR_IO:
        return "io";
    case WSAM_ERR_FORMAT:
        return "format";
    case WSAM_ERR_VERSION:
        return "version";
    case WSAM_ERR_UNSUPPORTED:
        return "unsupported";
    case WSAM_ERR_LIMIT:
        return "limit";
    case WSAM_ERR_MISMATCH:
        return "mismatch";
    case WSAM_ERR_CANCELLED:
        return "cancelled";
    }
    return "unknown";
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

const char *wsam_version(void)
{
    return TEXT(WSAM_VERSION_MAJOR) "." TEXT(WSAM_VERSION_MINOR) "." TEXT(WSAM_VERSION_PATCH);
}
