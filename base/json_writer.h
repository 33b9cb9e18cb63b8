/* base/json_writer.h - JSON text, built by hand in a growing buffer. */
#ifndef WS_BASE_JSON_WRITER_H
#define WS_BASE_JSON_WRITER_H

#include "base/text.h"

/* A quoted string of any bytes. Control characters are escaped. A byte that is not part of UTF-8 (a
 * file name in Latin-1) becomes \udc80 to \udcff, as Python's surrogateescape has it: the text is
 * valid JSON, ws_json_parse and Python's json with os.fsencode give the same bytes back. */
void ws_json_bytes(ws_text *t, const char *bytes, size_t n);
void ws_json_string(ws_text *t, const char *text);
/* 15 digits at most; null when it is not finite. */
void ws_json_number(ws_text *t, double value);
/* ,"name":value with nine digits; null for NaN and infinities. */
void ws_json_number_field(ws_text *t, const char *name, double value);
/* A comma unless this is the first item. */
void ws_json_comma(ws_text *t, int first);

#endif
