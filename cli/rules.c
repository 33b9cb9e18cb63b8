/* cli/rules.c - rules files in the commands between scores and masks. */
#include "cli/stages.h"

wsam_status cli_rules_load(const char *path, wsam_rules **rules, wsam_error *error)
{
    *rules = NULL;
    return path ? wsam_rules_load(path, rules, error) : WSAM_OK;
}

void cli_rules_print(FILE *stream, const wsam_rules_counts *c)
{
    if (c->area || c->aspect || c->confidence || c->region || c->number || c->excluded)
        fprintf(
            stream,
            "; left out by rules: %zu by area, %zu by shape, %zu by confidence, %zu by region, %zu "
            "too many, %zu of excluded classes",
            c->area, c->aspect, c->confidence, c->region, c->number, c->excluded);
}
