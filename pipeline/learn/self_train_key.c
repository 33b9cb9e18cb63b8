/* pipeline/learn/self_train_key.c - what the results of a learning follow from, and what goes when
 * that has changed.
 *
 *   learnt    options and classes: with others nothing stays
 *   labelled  options of pseudo labels, decisions of people: features and the first head stay, the
 *             second is trained anew
 *   key       images: heads and principal components stay, what they say is asked again */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_writer.h"
#include "base/outputs.h"
#include "pipeline/learn/held_out.h"
#include "pipeline/learn/self_train.h"

typedef struct keys {
    ws_text learnt, labelled, images;
} keys;

/* The classes that images have: a new one wants another head. */
static void put_classes(const wsam_labels *list, ws_text *t)
{
    for (size_t c = 0; list && c < list->n_classes; c++)
        for (size_t i = 0; i < list->first[list->n]; i++)
            if (list->classes[i] == (int32_t)c) {
                ws_json_string(t, list->names[c]);
                break;
            }
    ws_text_put(t, "\n", 1);
}

static wsam_status make_keys(const ws_learning *l, keys *k, wsam_error *error)
{
    ws_path path;
    char proposals[17] = "", points[17] = "", reviewed[17] = "";
    wsam_status status =
        wsam_file_checksum(ws_self_train_path(l, path, "../proposals.jsonl"), proposals, error);
    if (!status)
        status = wsam_file_checksum(ws_self_train_path(l, path, "../points.jsonl"), points, error);
    if (!status && *l->reviewed)
        status = wsam_file_checksum(l->reviewed, reviewed, error);
    if (status)
        return status;
    ws_text_printf(&k->learnt, "%s\n", l->o->config);
    put_classes(l->o->list, &k->learnt);
    ws_text_printf(&k->labelled, "%s\n%s blended\n", l->o->late ? l->o->late : "", reviewed);
    ws_text_printf(&k->images, "%s %s\n", proposals, points);
    return k->learnt.failed || k->labelled.failed || k->images.failed
               ? ws_fail(error, WSAM_ERR_MEMORY, "no memory for the configuration")
               : WSAM_OK;
}

/* A key that cannot be read now is not another one. */
static wsam_status compare_key(const char *path, const ws_text *key, int *same, wsam_error *error)
{
    char *old = NULL;
    size_t size = 0;
    int there;
    *same = 0;
    wsam_status status = ws_file_there(path, &there, error);
    if (status || !there)
        return status;
    status = ws_file_read_whole(path, (uint64_t)1 << 28, &old, &size, error);
    if (status)
        return status == WSAM_ERR_FORMAT ? WSAM_OK : status; /* empty */
    *same = size == key->n && memcmp(old, key->text, size) == 0;
    free(old);
    return WSAM_OK;
}

/* A full disk leaves the old key, and with it what was learnt. */
static wsam_status write_key(const char *path, const ws_text *key, wsam_error *error)
{
    int same;
    const wsam_status status = compare_key(path, key, &same, error);
    return status || same ? status : ws_outputs_write(path, key->text, key->n, 0, error);
}

static wsam_status drop_all(const ws_learning *l, wsam_error *error)
{
    ws_path path;
    wsam_status status = ws_self_train_cache_remove(ws_self_train_path(l, path, "mil"), error);
    if (!status)
        status = ws_self_train_retrain_drop(l, error);
    return status ? status : ws_self_train_cache_remove(l->folder, error);
}

/* Results from a step on, but the head; with `judged` 0 not what was found about heads either. */
static wsam_status drop_steps(const ws_learning *l, wsam_self_train_step from, int judged,
                              wsam_error *error)
{
    ws_path path;
    wsam_status status = ws_held_out_drop(l, error);
    for (int i = (int)from; i < WSAM_SELF_TRAIN_STEPS && !status; i++)
        if (i != WSAM_SELF_TRAIN_RETRAIN && (judged || i != WSAM_SELF_TRAIN_JUDGED))
            status = ws_file_remove(
                ws_self_train_path(l, path, wsam_self_train_step_name((wsam_self_train_step)i)),
                error);
    return status;
}

/* The second head goes. The next one does not begin with it: one that did gained 0.8 points of AP50 from 50 reviewed
 * images of 300, one that learns anew 3.7 (three seeds, demo/review_loop.sh). */
static wsam_status drop_second(const ws_learning *l, wsam_error *error)
{
    static const char *const files[] = {"head.wsam", "head.wsam.svg", "head.safetensors"};
    ws_path path;
    wsam_status status = drop_steps(l, WSAM_SELF_TRAIN_PGT, 1, error);
    for (int i = 0; i < 3 && !status; i++)
        status = ws_file_remove(ws_self_train_path(l, path, files[i]), error);
    return status ? status : ws_self_train_retrain_drop(l, error);
}

static wsam_status drop_answers(const ws_learning *l, wsam_error *error)
{
    ws_path path, before;
    int head, features = 0;
    wsam_status status = ws_file_there(ws_self_train_path(l, path, "head.wsam"), &head, error);
    if (!status)
        status = ws_file_there(ws_self_train_path(l, path, "features"), &features, error);
    if (!status) /* the heads are the same */
        status = drop_steps(l, WSAM_SELF_TRAIN_SCORES, 0, error);
    if (!status && !head) /* half trained, on other images */
        status = ws_self_train_retrain_drop(l, error);
    if (!status && features && rename(path, ws_self_train_path(l, before, WS_LEARN_BEFORE)))
        status = ws_fail(error, WSAM_ERR_IO, "%.300s: %s", path, strerror(errno));
    return status;
}

static wsam_status drop_stale(const ws_learning *l, const keys *k, wsam_error *error)
{
    ws_path path;
    int begun, learnt = 0, labelled = 0, images = 0;
    wsam_status status = ws_file_there(ws_self_train_path(l, path, "mil.wsam"), &begun, error);
    if (!status)
        status = compare_key(ws_self_train_path(l, path, "learnt"), &k->learnt, &learnt, error);
    if (!status)
        status =
            compare_key(ws_self_train_path(l, path, "labelled"), &k->labelled, &labelled, error);
    if (!status)
        status = compare_key(ws_self_train_path(l, path, "key"), &k->images, &images, error);
    if (status)
        return status;
    /* of images that have changed a head that is not there yet can still learn */
    if (!learnt || l->o->relearn || (!images && !begun))
        return drop_all(l, error);
    if (!labelled)
        status = drop_second(l, error);
    return status || images ? status : drop_answers(l, error);
}

wsam_status ws_self_train_key_drop_stale(const ws_learning *l, wsam_error *error)
{
    ws_path path;
    keys k = {0};
    wsam_status status = make_keys(l, &k, error);
    if (!status)
        status = drop_stale(l, &k, error);
    if (!status)
        status = write_key(ws_self_train_path(l, path, "learnt"), &k.learnt, error);
    if (!status)
        status = write_key(ws_self_train_path(l, path, "labelled"), &k.labelled, error);
    if (!status)
        status = write_key(ws_self_train_path(l, path, "key"), &k.images, error);
    free(k.learnt.text), free(k.labelled.text), free(k.images.text);
    return status;
}
