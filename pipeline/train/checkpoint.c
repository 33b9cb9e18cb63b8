/* pipeline/train/checkpoint.c - see checkpoint.h. */
#include "pipeline/train/checkpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/json_writer.h"
#include "base/output.h"
#include "weights/import/source.h"

enum { STATE_TENSORS = 3 * WS_HEAD_TENSORS + 3, PATH = 4096 };

/* ---- writing ---- */

static char *header_text(const ws_saved *tensors, size_t n, const ws_saved_note *notes,
                         size_t n_notes)
{
    ws_text j = {0};
    uint64_t at = 0;
    ws_text_printf(&j, "{\"__metadata__\":{");
    for (size_t i = 0; i < n_notes; i++) {
        ws_json_comma(&j, i == 0);
        ws_json_string(&j, notes[i].key);
        ws_text_printf(&j, ":");
        ws_json_string(&j, notes[i].value);
    }
    ws_text_printf(&j, "}");
    for (size_t i = 0; i < n; i++) {
        ws_text_printf(&j, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensors[i].name,
                       tensors[i].dtype);
        for (size_t d = 0; d < tensors[i].rank; d++)
            ws_text_printf(&j, "%s%llu", d ? "," : "", (unsigned long long)tensors[i].shape[d]);
        ws_text_printf(&j, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
                       (unsigned long long)(at + tensors[i].bytes));
        at += tensors[i].bytes;
    }
    ws_text_printf(&j, "}");
    while (!j.failed && j.n % 8)
        ws_text_printf(&j, " ");
    return ws_text_finish(&j);
}

static wsam_status write_file(const ws_output_file *o, const char *text, const ws_saved *tensors,
                              size_t n, wsam_error *error)
{
    const uint64_t size = strlen(text);
    unsigned char le[8];
    for (int i = 0; i < 8; i++)
        le[i] = (unsigned char)(size >> 8 * i);
    wsam_status status = ws_output_write(o, le, sizeof le, error);
    if (!status)
        status = ws_output_write(o, text, (size_t)size, error);
    for (size_t i = 0; i < n && !status; i++)
        status = ws_output_write(o, tensors[i].data, tensors[i].bytes, error);
    return status;
}

wsam_status ws_checkpoint_save_tensors(const char *path, const ws_saved *tensors, size_t n,
                                       const ws_saved_note *notes, size_t n_notes,
                                       wsam_error *error)
{
    ws_output_file o;
    char *text = header_text(tensors, n, notes, n_notes);
    if (!text)
        return ws_no_memory(error, path);
    wsam_status status = ws_output_open(&o, path, 0, error);
    if (!status)
        status = ws_output_finish(&o, write_file(&o, text, tensors, n, error), error);
    free(text);
    return status;
}

void ws_checkpoint_tensors(const ws_head *head, const char *prefix, ws_saved out[WS_HEAD_TENSORS])
{
    static const char *const names[WS_HEAD_LAYERS] = {"neck1", "neck2", "predictors"};
    for (int l = 0; l < WS_HEAD_LAYERS; l++) {
        ws_saved *w = &out[2 * l], *b = w + 1;
        *w = (ws_saved){.dtype = "F32", .rank = 2, .shape = {head->out[l], head->in[l]}};
        *b = (ws_saved){.dtype = "F32", .rank = 1, .shape = {head->out[l]}};
        snprintf(w->name, sizeof w->name, "%s%s.weight", prefix, names[l]);
        snprintf(b->name, sizeof b->name, "%s%s.bias", prefix, names[l]);
        w->data = head->w[l];
        b->data = head->b[l];
        w->bytes = head->out[l] * head->in[l] * sizeof(float);
        b->bytes = head->out[l] * sizeof(float);
    }
}

/* ---- the state of a trainer ---- */

static size_t state_tensors(const ws_trainer *t, ws_saved out[STATE_TENSORS])
{
    ws_checkpoint_tensors(&t->head, "head.", out);
    ws_checkpoint_tensors(&t->m, "adam_m.", out + WS_HEAD_TENSORS);
    ws_checkpoint_tensors(&t->v, "adam_v.", out + 2 * WS_HEAD_TENSORS);
    ws_saved *rest = out + 3 * WS_HEAD_TENSORS;
    rest[0] = (ws_saved){.name = "history",
                         .dtype = "F32",
                         .rank = 2,
                         .shape = {t->iterations, WS_LOSSES},
                         .data = t->history,
                         .bytes = t->iterations * sizeof *t->history};
    rest[1] = (ws_saved){.name = "counts",
                         .dtype = "F64",
                         .rank = 2,
                         .shape = {WS_SPANS, t->n_counts},
                         .data = t->counts,
                         .bytes = WS_SPANS * t->n_counts * sizeof *t->counts};
    rest[2] = (ws_saved){.name = "truth_use",
                         .dtype = "I32",
                         .rank = 2,
                         .shape = {t->data->n_truth + 1, 2},
                         .data = t->truth_use,
                         .bytes = (t->data->n_truth + 1) * sizeof *t->truth_use};
    return STATE_TENSORS;
}

/* Numbers alone, as text: structures have gaps. */
uint64_t ws_checkpoint_hash(const ws_trainer *t)
{
    char text[800];
    const ws_train_config *c = &t->config;
    const ws_train_data *data = t->data;
    int n = snprintf(
        text, sizeof text,
        "%d %zu %zu %zu %a %a %a %a %a %zu %d %a %a %a %llu %zu %zu %zu %llx %s %d %llu%s",
        (int)c->stage, c->hidden, c->batch, c->epochs, c->rate, c->decay, c->dropout, c->cell_drop,
        c->warm_from, c->warm_steps, (int)c->drop.mode, c->drop.threshold_cls,
        c->drop.threshold_reg, c->drop_start, (unsigned long long)c->seed, data->n_images,
        data->classes, data->features, (unsigned long long)data->hash, t->kernels->isa,
        (int)c->products, (unsigned long long)t->iterations, c->oicr ? " oicr" : "");
    if (n > 0 && (size_t)n < sizeof text && data->trusts)
        n += snprintf(text + n, sizeof text - (size_t)n, " trust %a", c->trust);
    return XXH3_64bits(text, (size_t)n);
}

static int join(char out[PATH], const char *folder, const char *name)
{
    return snprintf(out, PATH, "%s/%s", folder, name) < PATH;
}

int ws_checkpoint_due(const ws_trainer *t)
{
    enum { MOST = 20 };
    const uint64_t epochs = t->iterations / t->per_epoch, every = (epochs + MOST - 1) / MOST;
    const uint64_t span = t->per_epoch * (every ? every : 1);
    return t->iteration > 0 && (t->iteration % span == 0 || t->iteration == t->iterations);
}

static void keep_epoch(const ws_trainer *t, const char *folder, const char *last)
{
    char name[32], path[PATH];
    if (!ws_checkpoint_due(t) || t->iteration % t->per_epoch)
        return;
    snprintf(name, sizeof name, "epoch-%02llu.safetensors",
             (unsigned long long)(t->iteration / t->per_epoch));
    if (join(path, folder, name)) {
        unlink(path);
        if (link(last, path)) { /* a file system without links keeps the last two alone */
        }
    }
}

wsam_status ws_checkpoint_write(const ws_trainer *t, const char *folder, wsam_error *error)
{
    ws_saved tensors[STATE_TENSORS];
    char last[PATH], previous[PATH];
    ws_saved_note notes[] = {{.key = "weaksam.checkpoint", .value = "2"},
                             {.key = "weaksam.stage"},
                             {.key = "weaksam.config"},
                             {.key = "weaksam.isa"},
                             {.key = "weaksam.iteration"}};
    if (!join(last, folder, "last.safetensors") || !join(previous, folder, "previous.safetensors"))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", folder);
    if (!ws_head_finite(&t->head) || !ws_head_finite(&t->m) || !ws_head_finite(&t->v))
        return ws_fail(error, WSAM_ERR_LIMIT,
                       "parameters are not finite after iteration %llu: no checkpoint is written "
                       "over the last good one",
                       (unsigned long long)t->iteration);
    snprintf(notes[1].value, sizeof notes[1].value, "%s",
             t->config.stage == WS_STAGE_MIL ? "mil" : "retrain");
    snprintf(notes[2].value, sizeof notes[2].value, "%016llx",
             (unsigned long long)ws_checkpoint_hash(t));
    snprintf(notes[3].value, sizeof notes[3].value, "%s", t->kernels->isa);
    snprintf(notes[4].value, sizeof notes[4].value, "%llu", (unsigned long long)t->iteration);
    const size_t n = state_tensors(t, tensors);
    unlink(previous);
    if (link(last, previous) && errno != ENOENT) { /* the rename below still replaces safely */
    }
    const wsam_status status =
        ws_checkpoint_save_tensors(last, tensors, n, notes, sizeof notes / sizeof *notes, error);
    if (!status)
        keep_epoch(t, folder, last);
    return status;
}

/* ---- reading ---- */

static uint64_t elements_of(const ws_source_tensor *t)
{
    uint64_t n = t ? 1 : 0;
    for (int d = 0; t && d < t->rank; d++)
        n *= t->dims[d];
    return n;
}

static wsam_status read_tensor(const ws_source *s, const ws_saved *wanted, size_t bytes,
                               wsam_error *error)
{
    const ws_source_tensor *from = ws_source_find(s, wanted->name);
    union {
        const void *read;
        void *write;
    } to = {.read = wanted->data}; /* the trainer's own memory */
    return ws_source_bytes(s, from->offset, to.write, bytes, error);
}

/* Parameters and moments have to fit. With other options (`forced`) the losses so far are taken as
 * far as they go, and counters of other data start anew. */
static wsam_status read_state(const ws_trainer *t, const ws_source *s, int forced,
                              wsam_error *error)
{
    ws_saved tensors[STATE_TENSORS];
    wsam_status status = WSAM_OK;
    const size_t n = state_tensors(t, tensors);
    for (size_t i = 0; i < n && !status; i++) {
        const uint64_t found = elements_of(ws_source_find(s, tensors[i].name));
        uint64_t wanted = 1;
        for (size_t d = 0; d < tensors[i].rank; d++)
            wanted *= tensors[i].shape[d];
        if (found == wanted)
            status = read_tensor(s, &tensors[i], tensors[i].bytes, error);
        else if (!forced || i < 3 * WS_HEAD_TENSORS)
            status = ws_fail(error, WSAM_ERR_MISMATCH, "%s: tensor %s is missing or misshaped",
                             s->path, tensors[i].name);
        else if (tensors[i].data == t->history)
            status = read_tensor(s, &tensors[i],
                                 (size_t)(found < wanted ? found : wanted) * sizeof(float), error);
    }
    return status;
}

/* Whether a checkpoint is of this run: options, data and level. */
static wsam_status check_config(const ws_trainer *t, const ws_source *s, wsam_error *error)
{
    char want[32];
    const char *config = ws_source_note_value(s, "weaksam.config");
    const char *isa = ws_source_note_value(s, "weaksam.isa");
    snprintf(want, sizeof want, "%016llx", (unsigned long long)ws_checkpoint_hash(t));
    if (config && strcmp(config, want) == 0)
        return WSAM_OK;
    if (isa && strcmp(isa, t->kernels->isa) != 0)
        return ws_fail(error, WSAM_ERR_MISMATCH,
                       "%s: a checkpoint of level '%.32s', or of other options or data; this is "
                       "level '%s', whose results differ in their last bits",
                       s->path, isa, t->kernels->isa);
    return ws_fail(error, WSAM_ERR_MISMATCH, "%s: a checkpoint of other options or other data",
                   s->path);
}

/* Sizes alone tell whether a head fits; the names of its classes are the caller's concern. */
static int head_fits(const ws_head *head, const ws_source *s)
{
    ws_saved tensors[WS_HEAD_TENSORS];
    ws_checkpoint_tensors(head, "head.", tensors);
    for (int i = 0; i < WS_HEAD_TENSORS; i++) {
        const ws_source_tensor *t = ws_source_find(s, tensors[i].name);
        if (!t || t->rank != (int)tensors[i].rank ||
            elements_of(t) * sizeof(float) != tensors[i].bytes || t->dims[0] != tensors[i].shape[0])
            return 0;
    }
    return 1;
}

wsam_status ws_checkpoint_begin_with(ws_head *head, const char *path, const char *classes, size_t n,
                                     int *taken, wsam_error *error)
{
    ws_source *s = NULL;
    ws_saved tensors[WS_HEAD_TENSORS];
    char *text = NULL;
    *taken = 0;
    wsam_status status = ws_source_open(path, &s, error);
    if (status)
        return status;
    const ws_source_tensor *names = ws_source_find(s, "classes");
    if (names && elements_of(names) == n && head_fits(head, s)) {
        text = malloc(n + 1);
        status =
            text ? ws_source_bytes(s, names->offset, text, n, error) : ws_no_memory(error, path);
        *taken = !status && memcmp(text, classes, n) == 0;
    }
    ws_checkpoint_tensors(head, "head.", tensors);
    for (int i = 0; i < WS_HEAD_TENSORS && *taken && !status; i++)
        status = read_tensor(s, &tensors[i], tensors[i].bytes, error);
    free(text);
    ws_source_close(s);
    return status;
}

static wsam_status read_all(ws_trainer *t, const ws_source *s, int forced, wsam_error *error)
{
    const char *iteration = ws_source_note_value(s, "weaksam.iteration");
    char *end = NULL;
    const unsigned long long at = iteration ? strtoull(iteration, &end, 10) : 0;
    wsam_status status = forced ? WSAM_OK : check_config(t, s, error);
    if (!status && (!end || *end || at > t->iterations))
        status = ws_fail(error, WSAM_ERR_FORMAT, "%s: no iteration of this run is noted", s->path);
    if (!status)
        status = read_state(t, s, forced, error);
    if (!status)
        t->iteration = at;
    return status;
}

wsam_status ws_checkpoint_read(ws_trainer *t, const char *folder, int forced, int *found,
                               wsam_error *error)
{
    char path[PATH];
    ws_source *s = NULL;
    struct stat st;
    *found = 0;
    if (!join(path, folder, "last.safetensors"))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", folder);
    if (stat(path, &st))
        return errno == ENOENT ? WSAM_OK
                               : ws_fail(error, WSAM_ERR_IO, "%s: %s", path, strerror(errno));
    wsam_status status = ws_source_open(path, &s, error);
    if (status)
        return status;
    status = read_all(t, s, forced, error);
    ws_source_close(s);
    *found = !status;
    if (*found) /* a kill may have come between the checkpoint and its epoch's name */
        keep_epoch(t, folder, path);
    return status;
}
