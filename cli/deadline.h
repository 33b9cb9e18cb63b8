/* cli/deadline.h - how long work is asked to end: signals, and the time limits of weaksam run. */
#ifndef WEAKSAM_CLI_DEADLINE_H
#define WEAKSAM_CLI_DEADLINE_H

/* From here on SIGTERM, SIGINT, SIGUSR1 and SIGXCPU ask for an end; the second of them ends the
 * process at once, with 128 + its number. Set even where the default action would do: the first
 * process of a container has none. */
void cli_deadline_catch(void);

/* Whether a signal came, or a time limit passed. */
int cli_deadline_asked(void);

/* Time limits, for whoever looks at the clock now and then (one thread). `seconds`: since the
 * start; limit: asks for an end then (0: never); grace: what is at work may take this long after
 * it. */
void cli_deadline_tick(double seconds, double limit, double grace);

/* A wsam_progress_fn, for any thread: 1 once the grace is over. */
int cli_deadline_give_up(void *unused, double fraction);

#endif
