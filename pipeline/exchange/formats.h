/* pipeline/exchange/formats.h - the table of formats, and facts about documents. */
#ifndef WS_PIPELINE_EXCHANGE_FORMATS_H
#define WS_PIPELINE_EXCHANGE_FORMATS_H

#include "pipeline/exchange/exchange.h"

const ws_format *ws_format_of(wsam_exchange_format format); /* NULL out of range */

/* Image i for a writer, and whether a person is done with it. */
wsam_coco_image ws_document_image(const wsam_coco_document *d, size_t i);
int ws_document_complete(const wsam_coco_document *d, size_t i);

/* "accepted", "drawn", "rejected", or NULL; and the reverse. */
const char *ws_reviewed_name(wsam_reviewed reviewed);
wsam_reviewed ws_reviewed_of(const char *name);

#endif
