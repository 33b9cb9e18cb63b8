/* base/locale.h - numbers of files are in the C locale, whatever the host program speaks. */
#ifndef WS_BASE_LOCALE_H
#define WS_BASE_LOCALE_H

#include <locale.h>
#include <stddef.h>

/* This thread prints and reads numbers with a point between the two calls. */
locale_t ws_locale_plain(void);
void ws_locale_restore(locale_t before);
/* strtod of the C locale. */
double ws_locale_strtod(const char *text, char **end);

/* snprintf of the C locale. */
int ws_locale_print(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
