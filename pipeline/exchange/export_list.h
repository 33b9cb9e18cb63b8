/* pipeline/exchange/export_list.h - which files of a folder are of an export.
 *
 * FOLDER/.weaksam-export names them, a line each. A later export into the folder replaces the earlier
 * one whole: what it does not write itself goes. A folder with files of somebody else is refused;
 * images may lie there, as LabelMe wants them beside its files. */
#ifndef WS_PIPELINE_EXCHANGE_EXPORT_LIST_H
#define WS_PIPELINE_EXCHANGE_EXPORT_LIST_H

#include "pipeline/exchange/exchange.h"

/* Before anything is written: what the folder has already. */
wsam_status ws_export_list_begin(ws_export *e, wsam_error *error);
/* The list itself, behind all other files. It names those of the earlier export, too, until they are gone. */
wsam_status ws_export_list_write(ws_export *e, wsam_error *error);
/* Once all files have their names: those of the earlier export that are not of this one go. */
wsam_status ws_export_list_sweep(ws_export *e, wsam_error *error);

#endif
