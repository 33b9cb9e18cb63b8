/* cli/exchange.h - what export, import and join say about their work. */
#ifndef WEAKSAM_CLI_EXCHANGE_H
#define WEAKSAM_CLI_EXCHANGE_H

#include "cli/cli.h"
#include "weaksam/exchange.h"

/* A document into a COCO data set at `path`, with all that it holds. */
wsam_status cli_exchange_write(const wsam_coco_document *d, const char *path, wsam_error *error);

/* A format by its name; -1 for "auto". 0 when there is none of that name. */
int cli_exchange_format(const char *name, int *format);

/* Sentences on stderr about what did not go through as it came; nothing when all did. */
void cli_exchange_losses(const wsam_exchange_counts *counts, const char *format);

#endif
