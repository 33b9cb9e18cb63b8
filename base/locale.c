/* base/locale.c - see locale.h. */
#include "base/locale.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static locale_t plain;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make(void)
{
    plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a constant of the C library: no memory */
}

locale_t ws_locale_plain(void)
{
    pthread_once(&once, make);
    return uselocale(plain);
}

void ws_locale_restore(locale_t before)
{
    uselocale(before);
}

double ws_locale_strtod(const char *text, char **end)
{
    const locale_t before = ws_locale_plain();
    const double value = strtod(text, end);
    ws_locale_restore(before);
    return value;
}

int ws_locale_print(char *to, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const locale_t before = ws_locale_plain();
    const int n = vsnprintf(to, size, format, args);
    ws_locale_restore(before);
    va_end(args);
    return n;
}
