/* base/json_parse.h - untrusted JSON becomes a tree: the one place that calls cJSON's parser. */
#ifndef WS_BASE_JSON_PARSE_H
#define WS_BASE_JSON_PARSE_H

#include <cjson/cJSON.h>

#include "base/error.h"

/* The value that is all of the text but blanks and a byte order mark; cJSON_Delete. Guarded
 * (json_guard.h), in every locale, \udc80 to \udcff become the bytes that they stand for
 * (json_writer.h). `name` begins the message; line 0 is left out of it. WSAM_ERR_FORMAT when it is
 * not JSON, WSAM_ERR_LIMIT when it is too deep or too large, WSAM_ERR_MEMORY. */
wsam_status ws_json_parse(const char *name, uint64_t line, const char *text, size_t n, cJSON **root,
                          wsam_error *error);
/* The same with another bound on the number of values than WS_JSON_VALUES. */
wsam_status ws_json_parse_up_to(size_t values, const char *name, uint64_t line, const char *text,
                                size_t n, cJSON **root, wsam_error *error);

#endif
