/* pipeline/report/report_html.c - text of any kind inside HTML. */
#include <string.h>

#include "pipeline/report/report.h"

void ws_report_html(FILE *f, const char *text)
{
    for (; *text; text++)
        if (strchr("<>&\"'", *text) || ((unsigned char)*text < 0x20) || *text == 0x7f)
            fprintf(f, "&#%d;", (unsigned char)*text < 0x20 ? '?' : *text);
        else
            fputc(*text, f);
}
