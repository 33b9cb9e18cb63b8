/* pipeline/learn/self_train_retrain.c - the second head.
 *
 * Without a review it learns from the labels that the first head chose: another round on its own labels was worth 0.5
 * points of AP50 (two seeds of 300 drawn images). After a review it is: with 50 reviewed images of 300, 3.7 points over
 * no review became 4.6 (three seeds), as what people decided reaches the labels of all images through the head. */
#include <unistd.h>

#include "base/file.h"
#include "pipeline/learn/self_train.h"

/* Of the first of two rounds; its checkpoints lie in "again", those of the last one in "retrain". */
#define HEAD   "again.wsam"
#define SCORES "again.scores.json"
#define LABELS "again.json"

static wsam_status label_again(const ws_learning *l, wsam_error *error)
{
    ws_path path;
    int there;
    wsam_status status = ws_file_there(ws_self_train_path(l, path, HEAD), &there, error);
    if (!status && !there)
        status = ws_self_train_train(l, ws_learn_files[WSAM_SELF_TRAIN_PGT], "again", path, error);
    if (!status)
        ws_self_train_drop_checkpoints(l, "again");
    if (!status)
        status = ws_self_train_score(l, HEAD, ws_self_train_path(l, path, SCORES), error);
    return status ? status
                  : ws_self_train_choose(l, SCORES, ws_self_train_path(l, path, LABELS), error);
}

wsam_status ws_self_train_retrain(const ws_learning *l, const char *output, wsam_error *error)
{
    ws_path path;
    if (!*l->reviewed)
        return ws_self_train_train(l, ws_learn_files[WSAM_SELF_TRAIN_PGT], "retrain", output,
                                   error);
    int there;
    wsam_status status = ws_file_there(ws_self_train_path(l, path, LABELS), &there, error);
    if (!status && !there)
        status = label_again(l, error);
    return status ? status : ws_self_train_train(l, LABELS, "retrain", output, error);
}

wsam_status ws_self_train_retrain_clear(const ws_learning *l, wsam_error *error)
{
    static const char *const files[] = {HEAD, "again.wsam.svg", "again.safetensors", SCORES,
                                        LABELS};
    ws_path path;
    wsam_status status = WSAM_OK;
    for (size_t i = 0; i < sizeof files / sizeof files[0] && !status; i++)
        status = ws_file_remove(ws_self_train_path(l, path, files[i]), error);
    if (!status)
        status = ws_self_train_cache_remove(ws_self_train_path(l, path, "again"), error);
    unlink(ws_self_train_path(l, path, "again/.lock"));
    rmdir(ws_self_train_path(l, path, "again"));
    ws_self_train_drop_checkpoints(l, "retrain");
    return status;
}

wsam_status ws_self_train_retrain_drop(const ws_learning *l, wsam_error *error)
{
    ws_path path;
    const wsam_status status = ws_self_train_retrain_clear(l, error);
    return status ? status
                  : ws_self_train_cache_remove(ws_self_train_path(l, path, "retrain"), error);
}
