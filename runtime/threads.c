/* runtime/threads.c - see threads.h; and how many threads this process may use. */
#include "runtime/threads.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
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

static int affinity_count(void)
{
#if defined(__linux__) && defined(CPU_COUNT)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    const long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

static int read_line(const char *path, char *line, int size)
{
    FILE *f = fopen(path, "r");
    const int ok = f && fgets(line, size, f);
    if (f)
        fclose(f);
    return ok;
}

/* Whole processors that a quota of this process's control group allows, rounded up; 0 without a
 * quota. Version 2 has "quota period" in cpu.max, version 1 two files. */
static int quota_count(void)
{
    char line[256];
    long long quota = 0, period = 0;
    if (read_line("/sys/fs/cgroup/cpu.max", line, sizeof line)) {
        if (sscanf(line, "%lld %lld", &quota, &period) != 2)
            return 0;
    } else if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, sizeof line) &&
               sscanf(line, "%lld", &quota) == 1 &&
               read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line, sizeof line)) {
        if (sscanf(line, "%lld", &period) != 1)
            return 0;
    }
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

int wsam_default_threads(void)
{
    const int affinity = affinity_count(), quota = quota_count();
    const int n = quota > 0 && quota < affinity ? quota : affinity;
    return n > 0 ? n : 1;
}
