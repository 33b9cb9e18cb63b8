/* pipeline/exchange/yolo_yaml.h - the classes of a YOLO data set. */
#ifndef WS_PIPELINE_EXCHANGE_YOLO_YAML_H
#define WS_PIPELINE_EXCHANGE_YOLO_YAML_H

#include "base/error.h"

typedef struct ws_yolo_names {
    char **items;
    size_t n;
} ws_yolo_names;

/* `names` of FOLDER/data.yaml (or the only .yaml file): a list in brackets, a list of dashes, or
 * NUMBER: NAME pairs in braces or lines; plain or quoted. Otherwise FOLDER/classes.txt, a line a
 * class. The rest of YAML is not read. */
wsam_status ws_yolo_yaml_read(const char *folder, ws_yolo_names *names, wsam_error *error);
void ws_yolo_yaml_free(ws_yolo_names *names);
int ws_yolo_yaml_has_names(const char *folder, wsam_error *failure);

#endif
