/* cli/training.c - see training.h. */
#include "cli/training.h"

#include "base/clock.h"
#include "cli/deadline.h"

/* A line after 10 s, and at an epoch's end where that is 2 s after the last one: epochs of small sets are shorter. */
static int is_due(const cli_training *w, const wsam_train_progress *p, double now)
{
    return now - w->last > (p->epoch == w->epoch ? 10000.0 : 2000.0) ||
           (!p->fitting && p->iteration == p->iterations);
}

int cli_training_watch(void *training, const wsam_train_progress *p)
{
    cli_training *w = training;
    const double now = ws_clock_ms(), losses[3] = {p->image_loss, p->class_loss, p->box_loss};
    w->n++;
    for (int i = 0; i < 3; i++)
        w->sums[i] += losses[i];
    if (!is_due(w, p, now))
        return cli_deadline_asked();
    if (!w->quiet && p->fitting)
        fprintf(stderr, "choosing how long to train: iteration %llu of at most %llu; %.0f s left\n",
                (unsigned long long)p->iteration, (unsigned long long)p->iterations,
                p->seconds_left);
    else if (!w->quiet)
        fprintf(stderr,
                "iteration %llu of %llu, epoch %llu: image %.4f, classification %.4f, regression "
                "%.4f; %.0f s left\n",
                (unsigned long long)p->iteration, (unsigned long long)p->iterations,
                (unsigned long long)p->epoch, w->sums[0] / (double)w->n, w->sums[1] / (double)w->n,
                w->sums[2] / (double)w->n, p->seconds_left);
    *w = (cli_training){.last = now, .epoch = p->epoch, .quiet = w->quiet};
    return cli_deadline_asked();
}
