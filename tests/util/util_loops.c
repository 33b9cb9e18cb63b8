/* tests/util/util_loops.c - see util_loops.h. */
#include "tests/util/util_loops.h"

#include <stdatomic.h>

#include "runtime/run/threads.h"

enum { MOST = 97 };

typedef struct counts {
    atomic_int of_task[MOST];
    atomic_int busy[8]; /* per worker: it works on one task at a time */
    atomic_int wrong;
    int threads;
} counts;

static void count(void *arg, int task, int worker)
{
    counts *c = arg;
    if (worker < 0 || worker >= c->threads || atomic_fetch_add(&c->busy[worker], 1))
        atomic_fetch_add(&c->wrong, 1);
    atomic_fetch_add(&c->of_task[task], 1);
    atomic_fetch_sub(&c->busy[worker], 1);
}

int run_loops(int rounds)
{
    int wrong = 0;
    for (int r = 0; r < rounds; r++) {
        counts c = {.threads = 1 + r * 5 % 8};
        const int n = r * 31 % (MOST + 1);
        ws_parallel_for(c.threads, n, count, &c);
        for (int i = 0; i < MOST; i++)
            wrong += c.of_task[i] != (i < n);
        wrong += c.wrong;
    }
    return wrong;
}
