/* cli/exchange.c - see exchange.h. */
#include "cli/exchange.h"

#include <string.h>

wsam_status cli_exchange_write(const wsam_coco_document *d, const char *path, wsam_error *error)
{
    return wsam_coco_save(d, path, WSAM_COCO_MASKS, NULL, error);
}

int cli_exchange_format(const char *name, int *format)
{
    *format = -1;
    if (strcmp(name, "auto") == 0)
        return 1;
    for (int f = 0; f < WSAM_EXCHANGE_FORMATS; f++)
        if (strcmp(name, wsam_exchange_name((wsam_exchange_format)f)) == 0) {
            *format = f;
            return 1;
        }
    return 0;
}

void cli_exchange_losses(const wsam_exchange_counts *c, const char *format)
{
    if (c->unmatched) {
        fprintf(stderr, "%zu image%s not in the folder and left out, '", c->unmatched,
                c->unmatched == 1 ? " is" : "s are");
        cli_print_safe(stderr, c->first_unmatched);
        fprintf(stderr, "' first\n");
    }
    if (c->complete)
        fprintf(stderr, "%zu completely reviewed image%s left out (--open-only)\n", c->complete,
                c->complete == 1 ? "" : "s");
    if (c->rejected)
        fprintf(stderr, "%zu rejected object%s not written: %s has no word for them\n", c->rejected,
                c->rejected == 1 ? " is" : "s are", format);
    if (c->lost)
        fprintf(stderr,
                "%zu mask%s lost: %s holds 254 objects an image and there is no side "
                "file\n",
                c->lost, c->lost == 1 ? " is" : "s are", format);
    if (c->boxes)
        fprintf(stderr, "%zu object%s no mask, only a box\n", c->boxes,
                c->boxes == 1 ? " has" : "s have");
    if (c->skipped)
        fprintf(stderr,
                "%zu shape%s without an area (points, lines, labels of whole images) left "
                "out\n",
                c->skipped, c->skipped == 1 ? "" : "s");
}
