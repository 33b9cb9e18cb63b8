/* cli/deadline.c - see deadline.h. */
#include "cli/deadline.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static atomic_int limit_passed, grace_over;

/* Files are written so that an end at any moment does no harm. */
static void on_signal(int number)
{
    if (signals)
        _exit(128 + number);
    signals = 1;
}

void cli_deadline_catch(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGXCPU};
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int cli_deadline_asked(void)
{
    return signals || atomic_load(&limit_passed);
}

void cli_deadline_tick(double seconds, double limit, double grace)
{
    static double asked_at = -1.0;
    if (limit > 0 && seconds > limit)
        atomic_store(&limit_passed, 1);
    if (!cli_deadline_asked())
        return;
    if (asked_at < 0)
        asked_at = seconds;
    if (seconds - asked_at > grace)
        atomic_store(&grace_over, 1);
}

int cli_deadline_give_up(void *unused, double fraction)
{
    (void)unused;
    (void)fraction;
    return atomic_load(&grace_over);
}
