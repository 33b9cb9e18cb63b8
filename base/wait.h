/* base/wait.h - waiting for a condition for a time, whatever happens to the wall clock. */
#ifndef WS_BASE_WAIT_H
#define WS_BASE_WAIT_H

#include <pthread.h>

/* A condition for ws_wait_for; pthread_cond_destroy as usual. An errno value on failure. */
int ws_wait_init(pthread_cond_t *condition);

/* As pthread_cond_timedwait: returns after a signal, or after so many milliseconds (below a
 * minute). */
void ws_wait_for(pthread_cond_t *condition, pthread_mutex_t *held, int milliseconds);

#endif
