/* weights/import/pickle_notes.c - what trainers keep beside a state dict that a conversion wants to
 * know: mmdetection's class names and configuration (`meta`). */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "weights/import/pickle_machine.h"

enum { CONFIG_CAP = 1 << 20, CLASSES_CAP = 1 << 16, NAME_CAP = 127 };

static uint32_t member_of(const ws_pickle *p, uint32_t dict, const char *const *keys)
{
    for (; dict && p->nodes[dict].kind == WS_NODE_DICT && *keys; keys++) {
        const uint32_t found = ws_pickle_lookup(p, dict, *keys);
        if (found)
            return found;
    }
    return 0;
}

/* A tuple or list of short texts, one per line; NULL where it is none. */
static char *class_lines(const ws_pickle *p, uint32_t list)
{
    ws_text t = {0};
    int good = list && p->nodes[list].kind == WS_NODE_TUPLE;
    for (uint32_t c = good ? p->nodes[list].first : 0; c && good; c = p->cells[c].next) {
        const ws_node *n = &p->nodes[p->cells[c].node];
        good = n->kind == WS_NODE_STRING && n->length && n->length <= NAME_CAP &&
               !memchr(n->text, '\n', n->length) && !memchr(n->text, 0, n->length) &&
               t.n < CLASSES_CAP;
        if (good && t.n)
            ws_text_put(&t, "\n", 1);
        if (good)
            ws_text_put(&t, n->text, n->length);
    }
    if (good && t.n && !t.failed)
        return ws_text_finish(&t);
    free(t.text);
    return NULL;
}

void ws_pickle_notes(const ws_pickle *p, uint32_t top, ws_source *s)
{
    static const char *const meta_keys[] = {"meta", NULL},
                             *const set_keys[] = {"dataset_meta", NULL},
                             *const class_keys[] = {"classes", "CLASSES", NULL},
                             *const config_keys[] = {"cfg", "config", NULL};
    const uint32_t meta = member_of(p, top, meta_keys);
    const uint32_t set = member_of(p, meta, set_keys);
    const ws_node *config = &p->nodes[member_of(p, meta, config_keys)];
    s->classes = class_lines(p, member_of(p, set ? set : meta, class_keys));
    if (config->kind == WS_NODE_STRING && config->length <= CONFIG_CAP &&
        (s->config = malloc((size_t)config->length + 1))) {
        memcpy(s->config, config->text, config->length);
        s->config[config->length] = 0;
    }
}
