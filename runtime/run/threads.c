/* runtime/run/threads.c - see threads.h. */
#include "runtime/run/threads.h"

#include <stdatomic.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "weaksam/kernels.h"

void ws_parallel_for(int threads, int n, ws_task_fn fn, void *arg)
{
    if (threads > n)
        threads = n;
#ifdef _OPENMP
    if (threads > 1) {
        atomic_int next = 0;
#pragma omp parallel num_threads(threads)
        {
            const uint64_t saved = wsam_float_enter();
            const int worker = omp_get_thread_num();
            for (int i; (i = atomic_fetch_add(&next, 1)) < n;)
                fn(arg, i, worker);
            wsam_float_restore(saved);
        }
        return;
    }
#endif
    const uint64_t saved = wsam_float_enter();
    for (int i = 0; i < n; i++)
        fn(arg, i, 0);
    wsam_float_restore(saved);
}
