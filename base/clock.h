/* base/clock.h - the clock that never steps back: durations and deadlines (timed waits: wait.h). */
#ifndef WS_BASE_CLOCK_H
#define WS_BASE_CLOCK_H

/* Seconds since a fixed moment. Setting the date of the machine changes nothing. */
double ws_clock(void);
static inline double ws_clock_ms(void)
{
    return 1e3 * ws_clock();
}
#endif
