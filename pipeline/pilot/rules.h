/* pipeline/pilot/rules.h - a rules file in memory. */
#ifndef WS_PIPELINE_PILOT_RULES_H
#define WS_PIPELINE_PILOT_RULES_H

#include "weaksam/picture.h"
#include "weaksam/rules.h"

/* A region: a polygon, or an image. */
typedef struct ws_region {
    size_t n;
    double *xy; /* [n][2] */
    wsam_picture picture;
} ws_region;

enum {
    WS_LIMIT_MIN_AREA,
    WS_LIMIT_MAX_AREA,
    WS_LIMIT_MIN_ASPECT,
    WS_LIMIT_MAX_ASPECT,
    WS_LIMIT_MIN_CONFIDENCE,
    WS_LIMIT_MAX_PER_IMAGE,
    WS_LIMITS
};

typedef struct ws_limits {
    char *name;     /* of the class; NULL: all */
    unsigned given; /* bits 1 << WS_LIMIT_... */
    double value[WS_LIMITS];
    ws_region *region; /* NULL: none */
} ws_limits;

struct wsam_rules {
    size_t n; /* classes behind items[0], which is `all` */
    ws_limits *items;
    size_t n_groups;
    struct ws_excluding {
        size_t n;
        char **names;
    } * groups;
};

/* How sure the machine is: a mask's confidence (which may be 0), of a box alone its score. */
double ws_rules_sureness(const wsam_instance *a);

int ws_rules_region_holds(const ws_region *region, double x, double y);

#endif
