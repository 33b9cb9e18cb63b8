/* cli/errors.c - messages of a command that fails. */
#include <stdarg.h>

#include "cli/stages.h"

int cli_usage(const char *command, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "weaksam %s: ", command);
    cli_print_safe(stderr, message);
    fprintf(stderr, "; see weaksam %s --help\n", command);
    return CLI_USAGE;
}

int cli_failed(const char *command, const wsam_error *error)
{
    cli_progress_end();
    fprintf(stderr, "weaksam %s: ", command);
    cli_print_safe(stderr, error->message);
    fputc('\n', stderr);
    return CLI_FAILED;
}

int cli_no_memory(const char *command)
{
    fprintf(stderr, "weaksam %s: no memory\n", command);
    return CLI_FAILED;
}

wsam_status cli_error(wsam_error *error, wsam_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    error->status = status;
    return status;
}

wsam_status cli_error_about(const char *path, const wsam_error *inner, wsam_error *error)
{
    const wsam_error copy = *inner;
    return cli_error(error, copy.status, "%.300s: %.700s", path, copy.message);
}

wsam_status cli_worth_writing(wsam_status status, const char *output, size_t pictures,
                              size_t failed, wsam_error *error)
{
    if (status || !pictures || failed < pictures)
        return status;
    return cli_error(error, WSAM_ERR_FORMAT, "%.300s: not written, as every image failed", output);
}
