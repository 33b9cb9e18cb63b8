/* runtime/run/run_steps.c - steps, one after another, each as a parallel loop over its tasks. */

#include "base/clock.h"
#include "runtime/model.h"
#include "runtime/run/threads.h"

static void run_task(void *arg, int task, int worker)
{
    const ws_exec *x = arg;
    x->step->kind->run(x, x->step, x->phase, task, x->scratch + (size_t)worker * x->scratch_stride);
}

static void run_step(ws_exec *x, const ws_step *s, int threads)
{
    x->step = s;
    for (x->phase = 0; x->phase < s->kind->phases && !x->failure->status; x->phase++) {
        const int tasks = s->kind->tasks(x, s, x->phase);
        if (tasks > 0)
            ws_parallel_for(threads, tasks, run_task, x);
    }
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
    for (size_t i = 0; i < n; i++) {
        const ws_step *s = &e->program->steps[i];
        if (s->rate != e->rate || !(s->outputs & e->outputs) || s->outputs & e->done)
            continue;
        const double start = ws_clock();
        run_step(&x, s, e->threads);
        if (failure.status)
            return ws_fail(error, failure.status, "graph %s: %s: %s", e->program->graph->name,
                           s->name, failure.message);
        if (e->seconds)
            e->seconds[i] = ws_clock() - start;
        if (e->observe)
            e->observe(e->observe_user, &x, s);
        if (e->progress && e->progress(e->progress_user, (double)(i + 1) / (double)n))
            return ws_fail(error, WSAM_ERR_CANCELLED, "graph %s: cancelled",
                           e->program->graph->name);
    }
    return WSAM_OK;
}
