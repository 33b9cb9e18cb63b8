/* pipeline/stages/instances.c - what a detection or a mask is as a record: copies, and the score
 * that counts. */
#include <stdlib.h>
#include <string.h>

#include "pipeline/stages/stages.h"

/* A raw score that is not above 0 has a score that is not, either. */
double wsam_instance_evidence(const wsam_instance *a)
{
    return a->raw_score > 0 ? a->raw_score : a->score;
}

void wsam_instances_clear(wsam_instances *instances)
{
    if (!instances)
        return;
    for (size_t i = 0; instances->items && i < instances->n; i++) {
        free(instances->items[i].counts);
        free(instances->items[i].json);
    }
    free(instances->items);
    *instances = (wsam_instances){0};
}

int ws_instances_copy(const wsam_instance *from, wsam_instance *to)
{
    *to = *from;
    to->counts = from->counts ? malloc(from->counts_length + 1) : NULL;
    to->json = from->json ? strdup(from->json) : NULL;
    if (to->counts)
        memcpy(to->counts, from->counts, from->counts_length + 1);
    return (to->counts || !from->counts) && (to->json || !from->json);
}
