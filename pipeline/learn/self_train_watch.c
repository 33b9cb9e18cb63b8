/* pipeline/learn/self_train_watch.c - what ends a step of a learning before its end. */
#include "pipeline/learn/self_train.h"

int ws_self_train_progress(void *watch, double fraction)
{
    ws_learning_watch *w = watch;
    const wsam_self_train_events *e = w->events;
    return (e->progress && e->progress(e->user, fraction)) || ws_lease_keeper_lost(&w->keeper);
}

int ws_self_train_training(void *watch, const wsam_train_progress *progress)
{
    ws_learning_watch *w = watch;
    const wsam_self_train_events *e = w->events;
    return (e->training && e->training(e->user, progress)) || ws_lease_keeper_lost(&w->keeper);
}
