/* pipeline/pilot/advise.h - what the figures mean and what to do next, in sentences. */
#ifndef WS_PIPELINE_PILOT_ADVISE_H
#define WS_PIPELINE_PILOT_ADVISE_H

#include "base/text.h"
#include "pipeline/pilot/facts.h"

/* A paragraph each, plain text with a newline behind it. */
void ws_advise_short(const ws_pilot_facts *f, ws_text *t);
void ws_advise(const ws_pilot_facts *f, ws_text *t);
/* What a rule does, in one or two sentences. */
void ws_advise_say_rule(const ws_pilot_facts *f, const ws_pilot_rule *rule, ws_text *t);

/* "62 % (48 to 74)", "0.31 (0.2 to 0.5)"; "too few" instead of an interval. */
void ws_advise_put_share(ws_text *t, const ws_figure *f);
void ws_advise_put_rate(ws_text *t, const ws_figure *f);

#endif
