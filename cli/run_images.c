/* cli/run_images.c - weaksam run over the images of a shard: what there is to do, and progress. */
#include "base/clock.h"
#include "cli/deadline.h"
#include "cli/run_work.h"

/* What a log gets: a line now and then, with the shard. */
static void log_progress(run_work *w, const wsam_run_progress *p)
{
    if (!(w->log_interval > 0) || p->seconds - w->last < w->log_interval)
        return;
    w->last = p->seconds;
    if (p->waiting) {
        fprintf(stderr, "weaksam %s: the shard's last process may be alive: waiting\n", w->name);
        return;
    }
    fprintf(stderr, "weaksam %s: %zu of %zu images, %zu failed", w->name, p->done, p->total,
            p->failed);
    if (p->stolen)
        fprintf(stderr, ", %zu of other shards", p->stolen);
    if (p->seconds_left >= 0)
        fprintf(stderr, ", %d:%02d left", (int)(p->seconds_left / 60), (int)p->seconds_left % 60);
    fputc('\n', stderr);
}

static void draw_bar(run_work *w, const wsam_run_progress *p)
{
    if (p->seconds - w->last <= 0.2 && p->done != p->total)
        return;
    w->last = p->seconds;
    fprintf(stderr, "\r%zu of %zu images, %zu failed", p->done, p->total, p->failed);
    if (p->seconds_left >= 0)
        fprintf(stderr, ", %d:%02d left ", (int)(p->seconds_left / 60), (int)p->seconds_left % 60);
    fprintf(stderr, "%s   ", cli_deadline_asked() ? "; stopping" : "");
}

void run_images_look_at_clock(void *user)
{
    const run_work *w = user;
    cli_deadline_tick(1e-3 * (ws_clock_ms() - w->started), w->max_seconds, w->grace);
}

static int on_progress(void *user, const wsam_run_progress *p)
{
    run_work *w = user;
    flockfile(stderr);
    if (w->bar)
        draw_bar(w, p);
    else
        log_progress(w, p);
    funlockfile(stderr);
    w->failed = p->failed;
    w->damaged = p->damaged;
    run_images_look_at_clock(w);
    return cli_deadline_asked();
}

static void on_failure(void *user, const wsam_run_gap *gap)
{
    const run_work *w = user;
    flockfile(stderr);
    if (w->bar)
        fprintf(stderr, "\r%72s\r", "");
    cli_run_print_gap(w->name, gap);
    funlockfile(stderr);
}

/* ---- what there is to do ---- */

static void print_count(size_t n, const char *one, const char *many)
{
    if (n)
        fprintf(stderr, ", %zu %s", n, cli_plural(n, one, many));
}

/* One line: what is done anew, and why. Nothing where all is new, or all is there. */
static void print_plan(const run_work *w, const wsam_run_plan *p, int always)
{
    const int plain = !p->late && !p->removed && (!p->first || p->new_images == p->images);
    if (plain && !always)
        return;
    fprintf(stderr, "weaksam %s: %zu %s: %zu %s done", w->name, p->images,
            cli_plural(p->images, "image", "images"), p->done, cli_plural(p->done, "is", "are"));
    print_count(p->late, "wants pseudo labels and masks alone",
                "want pseudo labels and masks alone");
    print_count(p->new_images, "is new", "are new");
    print_count(p->new_contents, "has changed", "have changed");
    print_count(p->new_labels, "has other labels", "have other labels");
    print_count(p->new_options, "was done with other options or models",
                "were done with other options or models");
    print_count(p->unfinished, "is not finished", "are not finished");
    print_count(p->failed, "failed (--retry-failed tries it again)",
                "failed (--retry-failed tries them again)");
    print_count(p->removed, "is gone", "are gone");
    if (*p->options) {
        fputs("; ", stderr);
        cli_print_safe(stderr, p->options);
    }
    fputc('\n', stderr);
}

wsam_status run_images(void *user, const wsam_labels *labels, const char *output,
                       const char *config, wsam_run_fn fn, void *fn_user, wsam_error *error)
{
    run_work *w = user;
    const run_request *r = w->request;
    wsam_run_options o;
    wsam_run_plan plan;
    wsam_status status;
    wsam_run_options_default(&o);
    o.folder = r->folder;
    o.output = output;
    o.config = config;
    o.shard = w->shard;
    o.shards = w->shards;
    o.workers = r->workers;
    o.retry_failed = r->retry;
    o.overwrite = r->overwrite;
    o.lease_seconds = r->lease;
    o.steal = r->steal;
    o.prepared = r->prepared;
    o.fn = fn;
    o.user = fn_user;
    o.progress = on_progress;
    o.progress_user = w;
    o.failed = on_failure;
    w->last = 0;
    if (r->plan && fn != wsam_stage_workers_run) {
        status = wsam_run_look_ahead(labels, &o, &plan, error);
        w->outdated = plan.new_images + plan.new_contents + plan.new_labels + plan.new_options +
                      plan.unfinished + plan.removed;
        return status;
    }
    if (fn == wsam_stage_workers_run) { /* clues that are learnt first have no late stages */
        o.late = w->late;
        status = wsam_run_look_ahead(labels, &o, &plan, error);
        if (!status && !r->common.quiet)
            print_plan(w, &plan, r->plan);
        if (status || r->plan)
            return status;
    }
    status = wsam_run(labels, &o, error);
    if (w->bar)
        fputc('\n', stderr);
    if (w->damaged && !r->common.quiet)
        fprintf(stderr,
                "weaksam %s: %zu damaged places in the journal were passed over; their "
                "images were done again\n",
                w->name, w->damaged);
    return status;
}
