/* cli/progress.c - a bar on a terminal. */
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

static int bar_shown;

int cli_wants_progress(const cli_common *common)
{
    return !common->quiet && isatty(STDERR_FILENO);
}

/* Work of some seconds also tells what is left of it. */
static void print_left(double seconds, double fraction)
{
    const int left =
        seconds >= 3.0 && fraction > 0.0 ? (int)(seconds * (1.0 - fraction) / fraction + 0.5) : 0;
    if (left > 0)
        fprintf(stderr, " %3d:%02d left", left / 60, left % 60);
    else
        fprintf(stderr, "%12s", "");
}

int cli_progress(void *user, double fraction)
{
    static const char full[] = "##############################";
    static double last, began, before = 1.0;
    const int cells = (int)(fraction * (double)(sizeof full - 1));
    const double now = ws_clock_ms();
    if (fraction < before) /* something new */
        began = now;
    before = fraction;
    if (now - last < 50.0 && fraction < 1.0)
        return 0;
    last = now;
    bar_shown = 1;
    fprintf(stderr, "\r%-10s [%-30.*s] %3.0f %%", (const char *)user, cells, full,
            100.0 * fraction);
    print_left(1e-3 * (now - began), fraction);
    return 0;
}

void cli_progress_end(void)
{
    if (bar_shown)
        fprintf(stderr, "\r%72s\r", "");
    bar_shown = 0;
}
