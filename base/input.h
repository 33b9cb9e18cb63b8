/* base/input.h - text files in: opened, decoded and bounded alike for every reader.
 *
 * Regular files, and pipes that somebody writes to (`<(command)` of a shell); devices and sockets
 * are refused. A byte order mark of UTF-8 is passed over; UTF-16 and zero bytes are refused with a
 * word on what they are. Line ends may be LF, CR LF or CR alone. Bytes that are not UTF-8 stay: a
 * file name may have them. */
#ifndef WS_BASE_INPUT_H
#define WS_BASE_INPUT_H

#include "base/error.h"

typedef struct ws_input ws_input;

wsam_status ws_input_open(const char *path, ws_input **in, wsam_error *error);
/* Up to `room` more bytes, with \n for every line end; *n is 0 at the end of the file. */
wsam_status ws_input_read(ws_input *in, char *to, size_t room, size_t *n, wsam_error *error);
void ws_input_close(ws_input *in);

/* The whole text with a zero byte behind it; free(*text). An empty one, and one of more than
 * `limit` bytes, is an error. */
wsam_status ws_input_whole(const char *path, uint64_t limit, char **text, size_t *n,
                           wsam_error *error);

/* ---- line by line ---- */

typedef struct ws_text_lines ws_text_lines;

/* Lines of at most `longest` bytes. */
wsam_status ws_input_lines_open(const char *path, size_t longest, ws_text_lines **lines,
                                wsam_error *error);
/* The next line that is not blank, without blanks around it; good until the next call. *line is
 * NULL at the end of the file. */
wsam_status ws_input_lines_next(ws_text_lines *lines, char **line, size_t *n, wsam_error *error);
/* The number of the line that came last, from 1. */
uint64_t ws_input_lines_number(const ws_text_lines *lines);
void ws_input_lines_close(ws_text_lines *lines);

#endif
