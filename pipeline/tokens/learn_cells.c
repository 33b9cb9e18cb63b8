/* pipeline/tokens/learn_cells.c - see learn_cells.h. */
#include "pipeline/tokens/learn_cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/outputs.h"
#include "pipeline/tokens/clue_train.h"
#include "pipeline/tokens/join.h"
#include "pipeline/train/checkpoint.h"
#include "weaksam/convert.h"

enum { PATH = 4096, CLASS_BYTES = 16384 };

void ws_learn_cells_begin(ws_cells_job *j, const ws_region_set *set, const wsam_labels *labels,
                          const wsam_regions_learn_options *o, const ws_learner_options *learner,
                          const wsam_kernels *kernels)
{
    *j = (ws_cells_job){set, labels, o, learner, kernels, XXH3_64bits(set->bytes, set->size)};
}

static size_t epochs_of(const ws_cells_job *j)
{
    ws_clue_train_options o;
    ws_clue_train_defaults(&o);
    return j->o->epochs ? (size_t)j->o->epochs : o.epochs;
}

/* Of the states and curves of a training: they stay until the last one is through. */
static int name_file(const ws_cells_job *j, int training, const char *ending, char path[PATH])
{
    return snprintf(path, PATH, "%s/head-%d.%s", j->o->folder, training, ending) < PATH;
}

static wsam_status put_curve(const ws_cells_job *j, int training, const float *losses,
                             wsam_error *error)
{
    char path[PATH];
    ws_outputs files = {.brief = 1};
    name_file(j, training, "curve", path);
    FILE *f = ws_outputs_open(&files, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    for (size_t e = 0; f && e < epochs_of(j); e++)
        fprintf(f, "{\"training\":%d,\"epoch\":%zu,\"loss\":%.6g}\n", training, e + 1,
                (double)losses[e]);
    if (f)
        status = ws_outputs_close(&files, error);
    return ws_outputs_finish(&files, status, error);
}

static wsam_status train(const ws_cells_job *j, int training, const uint32_t *use, size_t n,
                         ws_clue_head *head, wsam_error *error)
{
    char state[PATH];
    ws_clue_train_options o;
    ws_clue_train_defaults(&o);
    o.epochs = epochs_of(j);
    o.seed = j->o->seed;
    o.data = j->data;
    o.threads = j->learner->threads;
    o.progress = j->learner->progress;
    o.progress_user = j->learner->progress_user;
    o.state = state;
    memset(head, 0, sizeof *head);
    if (!name_file(j, training, "state", state))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "%s: the path is too long", j->o->folder);
    o.losses = calloc(o.epochs, sizeof *o.losses);
    if (!o.losses)
        return ws_fail(error, WSAM_ERR_MEMORY, "no memory for %zu epochs", o.epochs);
    wsam_status status = ws_clue_train(head, j->set, j->labels, use, n, &o, j->kernels, error);
    if (!status)
        status = put_curve(j, training, o.losses, error);
    free(o.losses);
    return status;
}

wsam_status ws_learn_cells_judge(const ws_cells_job *j, int training, const uint32_t *use, size_t n,
                                 const uint32_t *judged, size_t held, double *probabilities,
                                 wsam_error *error)
{
    ws_clue_head head;
    wsam_status status = train(j, training, use, n, &head, error);
    if (!status)
        status = ws_clue_train_apply(&head, j->set, j->labels->n_classes, judged, held,
                                     j->learner->threads, j->kernels, probabilities, error);
    ws_clue_head_free(&head);
    return status;
}

/* ---- the file ---- */

static int with_ending(const char *out, const char *ending, char path[PATH])
{
    size_t stem = strlen(out);
    if (stem > 5 && strcmp(out + stem - 5, ".wsam") == 0)
        stem -= 5;
    return snprintf(path, PATH, "%.*s%s", (int)stem, out, ending) < PATH;
}

static size_t join_classes(const wsam_labels *l, char text[CLASS_BYTES])
{
    size_t size = 0;
    for (size_t c = 0; c < l->n_classes && size < CLASS_BYTES; c++)
        size +=
            (size_t)snprintf(text + size, CLASS_BYTES - size, "%s%s", c ? "\n" : "", l->names[c]);
    return size;
}

static wsam_status save_head(const ws_cells_job *j, const ws_clue_head *h, const char *path,
                             wsam_error *error)
{
    char classes[CLASS_BYTES];
    ws_saved_note note = {.key = "weaksam.side"};
    const size_t size = join_classes(j->labels, classes);
    if (size >= CLASS_BYTES)
        return ws_fail(error, WSAM_ERR_LIMIT, "the names of the classes take over %d bytes",
                       CLASS_BYTES);
    const ws_saved tensors[] = {
        {"clue_head.embed.weight", "F32", 2, {h->hidden, h->in}, h->w[0], h->hidden * h->in * 4},
        {"clue_head.embed.bias", "F32", 1, {h->hidden}, h->b[0], h->hidden * 4},
        {"clue_head.values.weight", "F32", 2, {h->out, h->hidden}, h->w[1], h->out * h->hidden * 4},
        {"clue_head.values.bias", "F32", 1, {h->out}, h->b[1], h->out * 4},
        {"classes", "U8", 1, {size}, classes, size}};
    snprintf(note.value, sizeof note.value, "%d", j->o->cells_side);
    return ws_checkpoint_save_tensors(path, tensors, sizeof tensors / sizeof *tensors, &note, 1,
                                      error);
}

static wsam_status put_file(const ws_cells_job *j, const ws_clue_head *head, const char *out,
                            wsam_error *error)
{
    char checkpoint[PATH], alone[PATH];
    if (!with_ending(out, ".safetensors", checkpoint) || !with_ending(out, ".head.wsam", alone))
        return ws_fail(error, WSAM_ERR_ARGUMENT, "the path %s is too long", out);
    wsam_status status = save_head(j, head, checkpoint, error);
    if (!status)
        status = wsam_convert(checkpoint, alone, NULL, error);
    if (!status)
        status = ws_join_clue_head(alone, j->o->cells_of, out, error);
    unlink(alone);
    return status;
}

/* Curves of all trainings as one file. */
static wsam_status gather_curves(const ws_cells_job *j, int trainings, const char *out,
                                 wsam_error *error)
{
    char path[PATH], *text;
    size_t size;
    ws_outputs files = {0};
    with_ending(out, ".curve.jsonl", path);
    FILE *f = ws_outputs_open(&files, path, error);
    wsam_status status = f ? WSAM_OK : WSAM_ERR_IO;
    for (int i = 0; i < trainings && !status; i++) {
        name_file(j, i, "curve", path);
        status = ws_file_read_whole(path, 1 << 24, &text, &size, error);
        if (!status) {
            fwrite(text, 1, size, f);
            free(text);
        }
    }
    if (!status)
        status = ws_outputs_close(&files, error);
    return ws_outputs_finish(&files, status, error);
}

static void remove_states(const ws_cells_job *j, int trainings)
{
    char path[PATH];
    for (int i = 0; i < trainings; i++) {
        name_file(j, i, "state", path);
        unlink(path);
        name_file(j, i, "curve", path);
        unlink(path);
    }
}

wsam_status ws_learn_cells_train(const ws_cells_job *j, int training, const uint32_t *use, size_t n,
                                 const char *out, wsam_error *error)
{
    ws_clue_head head;
    wsam_status status = train(j, training, use, n, &head, error);
    if (!status)
        status = gather_curves(j, training + 1, out, error);
    if (!status)
        status = put_file(j, &head, out, error); /* last: it says that all is done */
    if (!status)
        remove_states(j, training + 1);
    ws_clue_head_free(&head);
    return status;
}
