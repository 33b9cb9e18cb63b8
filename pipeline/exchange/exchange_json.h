/* pipeline/exchange/exchange_json.h - JSON files of other tools. */
#ifndef WS_PIPELINE_EXCHANGE_EXCHANGE_JSON_H
#define WS_PIPELINE_EXCHANGE_EXCHANGE_JSON_H

#include <cjson/cJSON.h>

#include "base/error.h"

/* A whole file, 256 MiB at most; cJSON_Delete. Messages name the file. */
wsam_status ws_exchange_json(const char *path, cJSON **root, wsam_error *error);

/* A number from 1 to 65535, or 0. */
int ws_exchange_json_side(const cJSON *object, const char *key);

/* For guessing formats: the first 64 KiB of a regular file contain a text. `failure` is left as it is where
 * the file can be looked at, or is not there. */
int ws_exchange_json_mentions(const char *path, const char *text, wsam_error *failure);

#endif
