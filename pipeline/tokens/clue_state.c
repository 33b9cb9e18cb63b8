/* pipeline/tokens/clue_state.c - see clue_state.h. */
#include "pipeline/tokens/clue_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "pipeline/train/checkpoint.h"
#include "weights/import/source.h"

enum { PARTS = 4 };
static const char *const names[PARTS] = {"head", "adam_m", "adam_v", "losses"};

typedef struct part {
    float *values;
    size_t n;
} part;

static void parts_of(const ws_clue_state *s, part parts[PARTS])
{
    parts[0] = (part){s->head->block, s->head->count};
    parts[1] = (part){s->m->block, s->m->count};
    parts[2] = (part){s->v->block, s->v->count};
    parts[3] = (part){s->losses, s->n_losses};
}

wsam_status ws_clue_state_write(const ws_clue_state *s, wsam_error *error)
{
    ws_saved tensors[PARTS];
    part parts[PARTS];
    ws_saved_note notes[] = {
        {.key = "weaksam.config"}, {.key = "weaksam.step"}, {.key = "weaksam.loss"}};
    parts_of(s, parts);
    for (int i = 0; i < PARTS; i++) {
        tensors[i] = (ws_saved){.dtype = "F32",
                                .rank = 1,
                                .shape = {parts[i].n},
                                .data = parts[i].values,
                                .bytes = parts[i].n * sizeof(float)};
        snprintf(tensors[i].name, sizeof tensors[i].name, "%s", names[i]);
    }
    snprintf(notes[0].value, sizeof notes[0].value, "%016llx", (unsigned long long)s->hash);
    snprintf(notes[1].value, sizeof notes[1].value, "%llu", (unsigned long long)*s->step);
    snprintf(notes[2].value, sizeof notes[2].value, "%a", *s->loss);
    return ws_checkpoint_save_tensors(s->path, tensors, PARTS, notes, sizeof notes / sizeof *notes,
                                      error);
}

/* Numbers are only taken when all of them fit. */
static wsam_status read_parts(const ws_clue_state *s, const ws_source *source, wsam_error *error)
{
    part parts[PARTS];
    wsam_status status = WSAM_OK;
    parts_of(s, parts);
    for (int i = 0; i < PARTS && !status; i++) {
        const ws_source_tensor *t = ws_source_find(source, names[i]);
        if (!t || t->dtype != WS_DTYPE_F32 || ws_source_elements(t) != parts[i].n)
            return ws_fail(error, WSAM_ERR_FORMAT, "%s: damaged: remove it", s->path);
        status = ws_source_read(source, t, parts[i].values, error);
    }
    return status;
}

wsam_status ws_clue_state_read(const ws_clue_state *s, wsam_error *error)
{
    char hash[32];
    ws_source *source;
    int there;
    wsam_status status = ws_file_there(s->path, &there, error);
    if (status || !there)
        return status;
    status = ws_source_open(s->path, &source, error);
    if (status)
        return status;
    const char *config = ws_source_note_value(source, "weaksam.config");
    const char *step = ws_source_note_value(source, "weaksam.step");
    const char *loss = ws_source_note_value(source, "weaksam.loss");
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)s->hash);
    if (config && step && loss && strcmp(config, hash) == 0) {
        status = read_parts(s, source, error);
        *s->step = strtoull(step, NULL, 10);
        *s->loss = strtod(loss, NULL);
    }
    ws_source_close(source);
    return status;
}
