/* runtime/run/run_steps.c - steps, one after another, each as a parallel loop over its tasks. */

#include "base/clock.h"
#include "runtime/model.h"
#include "runtime/run/threads.h"

/* Steps that are run together: the tasks of one, then those of the next on the same rows. */
typedef struct joined {
    ws_exec *x;
    const ws_step *steps;
    size_t n;
} joined;

static void run_task(void *arg, int task, int worker)
{
    const joined *j = arg;
    const ws_exec *x = j->x;
    for (size_t i = 0; i < j->n; i++)
        j->steps[i].kind->run(x, &j->steps[i], x->phase, task,
                              x->scratch + (size_t)worker * x->scratch_stride);
}

static int is_wanted(const ws_execution *e, const ws_step *s)
{
    return s->rate == e->rate && s->outputs & e->outputs && !(s->outputs & e->done);
}

/* An observer sees each step's result before the next takes a place in memory, so it sees them alone. */
static size_t count_joined(const ws_execution *e, const ws_exec *x, const ws_step *s)
{
    const ws_step *end = e->program->steps + e->program->n_steps;
    size_t n = 1;
    while (!e->observe && s + n < end && s[n].follows && is_wanted(e, &s[n]) &&
           ws_steps_product_same_blocks(x, s, &s[n]))
        n++;
    return n;
}

static void run_joined(joined *j, int threads)
{
    ws_exec *x = j->x;
    const ws_step *s = j->steps;
    for (x->phase = 0; x->phase < s->kind->phases && !x->failure->status; x->phase++) {
        const int tasks = s->kind->tasks(x, s, x->phase);
        if (tasks > 0)
            ws_parallel_for(threads, tasks, run_task, j);
    }
}

static double multiplications(const ws_step *s)
{
    return (double)s->product.n * (double)s->product.k;
}

/* The time of joined products, by their multiplications. */
static void share_time(const joined *j, double seconds, double *each)
{
    double all = 0.0;
    each[0] = seconds;
    if (j->n == 1)
        return;
    for (size_t i = 0; i < j->n; i++)
        all += multiplications(&j->steps[i]);
    for (size_t i = 0; i < j->n; i++)
        each[i] = seconds * multiplications(&j->steps[i]) / all;
}

wsam_status ws_run_steps(const ws_execution *e, wsam_error *error)
{
    wsam_error failure = {WSAM_OK, ""};
    ws_exec x = {.program = e->program,
                 .dims = e->dims,
                 .values = e->values,
                 .data = e->data,
                 .workspace = e->workspace,
                 .scratch = e->scratch,
                 .scratch_stride = e->scratch_stride,
                 .failure = &failure};
    const size_t n = e->program->n_steps;
    for (size_t i = 0; i < n;) {
        const ws_step *s = &e->program->steps[i];
        if (!is_wanted(e, s)) {
            i++;
            continue;
        }
        joined j = {&x, s, count_joined(e, &x, s)};
        const double start = ws_clock();
        run_joined(&j, e->threads);
        if (failure.status)
            return ws_fail(error, failure.status, "graph %s: %s: %s", e->program->graph->name,
                           s->name, failure.message);
        if (e->seconds)
            share_time(&j, ws_clock() - start, &e->seconds[i]);
        if (e->observe)
            e->observe(e->observe_user, &x, s);
        i += j.n;
        if (e->progress && e->progress(e->progress_user, (double)i / (double)n))
            return ws_fail(error, WSAM_ERR_CANCELLED, "graph %s: cancelled",
                           e->program->graph->name);
    }
    return WSAM_OK;
}
