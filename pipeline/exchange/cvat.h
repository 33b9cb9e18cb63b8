/* pipeline/exchange/cvat.h - writing and reading "CVAT for images 1.1". */
#ifndef WS_PIPELINE_EXCHANGE_CVAT_H
#define WS_PIPELINE_EXCHANGE_CVAT_H

#include "pipeline/exchange/exchange.h"
#include "pipeline/stages/stages.h"

wsam_status ws_cvat_write(ws_export *e, wsam_error *error);

#endif
