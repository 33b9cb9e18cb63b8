/* tests/scripts/thread_loops.c - loops on several threads of several programs' threads at once, plain so
 * that a race detector can watch (Criterion does not start under TSan). Status 1: a task was lost.
 *
 * usage: thread_loops ROUNDS */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/run/threads.h"
#include "tests/util/util_loops.h"

enum { CALLERS = 3 };

typedef struct caller {
    pthread_t thread;
    int rounds, wrong;
    long sum; /* plain: what tasks write, the caller reads after the loop */
    long parts[64];
} caller;

static void write_part(void *arg, int task, int worker)
{
    caller *c = arg;
    (void)worker;
    c->parts[task] += task;
}

static void *call(void *user)
{
    caller *c = user;
    for (int r = 0; r < c->rounds; r++)
        ws_parallel_for(1 + r % 5, 64, write_part, c);
    for (int i = 0; i < 64; i++)
        c->sum += c->parts[i];
    c->wrong = run_loops(c->rounds) + (c->sum != 63L * 32 * c->rounds);
    return NULL;
}

int main(int argc, char **argv)
{
    caller callers[CALLERS] = {{0}};
    int wrong = 0;
    const int rounds = argc == 2 ? atoi(argv[1]) : 0;
    if (rounds < 1) {
        fprintf(stderr, "usage: thread_loops ROUNDS\n");
        return 2;
    }
    for (int i = 0; i < CALLERS; i++) {
        callers[i].rounds = rounds;
        if (pthread_create(&callers[i].thread, NULL, call, &callers[i]) != 0)
            return 1;
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        wrong += callers[i].wrong;
    }
    printf("%d loops of %d callers, %d wrong\n", 2 * rounds, CALLERS, wrong);
    return wrong != 0;
}
