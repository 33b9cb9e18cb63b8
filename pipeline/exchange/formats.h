/* pipeline/exchange/formats.h - the table of formats. */
#ifndef WS_PIPELINE_EXCHANGE_FORMATS_H
#define WS_PIPELINE_EXCHANGE_FORMATS_H

#include "pipeline/exchange/exchange.h"

const ws_format *ws_formats_find(wsam_exchange_format format); /* NULL out of range */

#endif
