/* pipeline/pilot/page.h - the page and the JSON of a pilot. */
#ifndef WS_PIPELINE_PILOT_PAGE_H
#define WS_PIPELINE_PILOT_PAGE_H

#include <stdio.h>

#include "pipeline/pilot/facts.h"

/* One HTML file without scripts or anything from elsewhere. */
wsam_status ws_pilot_page(const ws_pilot_facts *f, FILE *to, wsam_error *error);
/* Everything in numbers. */
wsam_status ws_pilot_json(const ws_pilot_facts *f, FILE *to, wsam_error *error);

/* A rules file (weaksam/rules.h) with the thresholds of the first costs. */
wsam_status ws_pilot_json_rules(const ws_pilot_facts *f, FILE *to, wsam_error *error);

/* ---- page_charts.c: inline SVG; each says in words what it shows ---- */

void ws_page_chart_classes(const ws_pilot_facts *f, FILE *to);
void ws_page_chart_confidence(const ws_pilot_facts *f, FILE *to);
void ws_page_chart_bands(const ws_pilot_facts *f, const ws_pilot_rule *rule, FILE *to);

#endif
