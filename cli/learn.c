/* cli/learn.c - see learn.h. */
#include "cli/learn.h"

#include <string.h>

#include "base/clock.h"
#include "cli/deadline.h"
#include "cli/training.h"

static const char *const drops[] = {"none", "joint", "indep", "indep-v1", "range", "top"};
enum { DROPS = sizeof drops / sizeof drops[0] };

static int find_drop(const char *name)
{
    for (int i = 0; i < DROPS; i++)
        if (strcmp(name, drops[i]) == 0)
            return i;
    return -1;
}

int cli_learn_take(cli_learn *l, cli_learn_option option, const char *value)
{
    l->has_options |= option != CLI_LEARN_SEED; /* learning clues has a seed, too */
    switch (option) {
    case CLI_LEARN_PRESET:
        l->fast = strcmp(value, "fast") == 0;
        return l->fast || strcmp(value, "base") == 0
                   ? CLI_OK
                   : cli_usage("run", "--preset '%s': expected base or fast", value);
    case CLI_LEARN_EPOCHS:
        return cli_int(value, 1, 10000, &l->epochs)
                   ? CLI_OK
                   : cli_usage("run", "--epochs '%s': expected 1 to 10000", value);
    case CLI_LEARN_SEED:
        return cli_int(value, 1, 1LL << 62, &l->seed)
                   ? CLI_OK
                   : cli_usage("run", "--seed '%s': expected a whole number from 1", value);
    case CLI_LEARN_TRUST:
        return cli_numbers(value, 1, 1, &l->trust) && l->trust >= 1 && l->trust <= 1000
                   ? CLI_OK
                   : cli_usage("run", "--trust '%s': expected a number from 1 to 1000", value);
    case CLI_LEARN_ASSIGN:
        l->oicr = strcmp(value, "oicr") == 0;
        return l->oicr || strcmp(value, "mist") == 0
                   ? CLI_OK
                   : cli_usage("run", "--assign '%s': expected mist or oicr", value);
    case CLI_LEARN_MIN_SIDE:
        return cli_int(value, 1, 4096, &l->min_side)
                   ? CLI_OK
                   : cli_usage("run", "--min-side '%s': expected pixels, 1 to 4096", value);
    case CLI_LEARN_ROI_DROP:
    default:
        l->roi_drop = value;
        return find_drop(value) >= 0
                   ? CLI_OK
                   : cli_usage(
                         "run",
                         "--roi-drop '%s': expected none, joint, indep, indep-v1, range or top",
                         value);
    }
}

/* The training options with what was asked for. */
static wsam_status apply(const cli_learn *l, wsam_self_train_options *o, wsam_error *error)
{
    const char *preset = l->fast ? "fast" : "base";
    wsam_status status = wsam_train_options_preset(&o->mil, preset, error);
    if (!status)
        status = wsam_train_options_preset(&o->retrain, preset, error);
    if (l->epochs)
        o->mil.epochs = o->retrain.epochs = (int)l->epochs;
    if (l->seed)
        o->mil.seed = o->retrain.seed = o->feature_seed = (uint64_t)l->seed;
    if (l->roi_drop)
        o->retrain.roi_drop = (wsam_train_drop)find_drop(l->roi_drop);
    if (l->trust > 0)
        o->retrain.trust = l->trust;
    if (l->oicr)
        o->mil.assign = WSAM_TRAIN_ASSIGN_OICR;
    o->mil.min_side = o->retrain.min_side = (int)l->min_side;
    o->patches_alone = l->fast;
    return status;
}

void cli_learn_print(ws_text *t, const cli_learn *l)
{
    wsam_self_train_options o;
    wsam_error error;
    wsam_self_train_options_default(&o);
    if (apply(l, &o, &error))
        return;
    ws_text_printf(t, ",\"learn\":{\"preset\":\"%s\",\"epochs\":%d,\"seed\":%llu",
                   l->fast ? "fast" : "base", l->epochs ? (int)l->epochs : 12,
                   (unsigned long long)o.mil.seed);
    if (l->oicr)
        ws_text_printf(t, ",\"assign\":\"oicr\"");
    if (l->min_side)
        ws_text_printf(t, ",\"min_side\":%d", (int)l->min_side);
    ws_text_put(t, "}", 1);
}

void cli_learn_print_late(ws_text *t, const cli_learn *l)
{
    wsam_self_train_options o;
    wsam_error error;
    wsam_self_train_options_default(&o);
    if (!apply(l, &o, &error))
        ws_text_printf(t, ",\"learn\":{\"roi_drop\":\"%s\",\"trust\":%.9g}",
                       drops[o.retrain.roi_drop], o.retrain.trust);
}

/* ---- what it tells ---- */

typedef struct watch {
    const cli_common *common;
    char step[32];
    cli_training training;
} watch;

static void on_step(void *user, wsam_self_train_step step)
{
    watch *w = user;
    snprintf(w->step, sizeof w->step, "%s", wsam_self_train_step_name(step));
    w->training = (cli_training){.last = ws_clock_ms(), .quiet = w->common->quiet};
    cli_progress_end();
    if (!w->common->quiet)
        fprintf(stderr, "learn: %s\n", w->step);
}

static int on_progress(void *user, double fraction)
{
    watch *w = user;
    if (cli_wants_progress(w->common))
        cli_progress(w->step, fraction);
    return cli_deadline_asked();
}

static int on_training(void *user, const wsam_train_progress *p)
{
    watch *w = user;
    return cli_training_watch(&w->training, p);
}

static void on_failure(void *user, const wsam_error *error)
{
    (void)user;
    cli_failed("run", error);
}

static void on_remark(void *user, const char *line)
{
    const watch *w = user;
    cli_progress_end();
    if (!w->common->quiet)
        fprintf(stderr, "%s\n", line);
}

int cli_learn_run(const cli_learn *l, const cli_common *common, wsam_self_train_options *o)
{
    watch w = {.common = common};
    wsam_error error = {0};
    wsam_self_train_summary sum = {0};
    o->events = (wsam_self_train_events){.step = on_step,
                                         .progress = on_progress,
                                         .training = on_training,
                                         .failed = on_failure,
                                         .remark = on_remark,
                                         .user = &w};
    wsam_status status = apply(l, o, &error);
    if (!status)
        status = wsam_self_train(o, &sum, &error);
    cli_progress_end();
    if (status == WSAM_OK)
        return sum.failed ? CLI_FAILED : CLI_OK;
    cli_failed("run", &error);
    return status == WSAM_ERR_CANCELLED ? CLI_STOPPED : CLI_FAILED;
}
