/* Loops on several threads: every task once, whatever the number of threads is, after fork(),
 * inside a task, and where no thread can be made. The Makefile links this suite with --wrap for
 * pthread_create. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/run/threads.h"
#include "tests/util/util_loops.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg);

static int threads_left = 1 << 20;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *arg)
{
    if (threads_left <= 0)
        return EAGAIN;
    threads_left--;
    return __real_pthread_create(thread, attributes, fn, arg);
}

Test(threads, every_task_is_done_once)
{
    cr_expect_eq(run_loops(3000), 0);
}

static void *loops_of_a_thread(void *wrong)
{
    *(int *)wrong = run_loops(500);
    return NULL;
}

static int threads_alive(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    cr_assert(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

Test(threads, a_thread_that_ends_takes_its_helpers_along)
{
    pthread_t threads[3];
    int wrong[3] = {1, 1, 1};
    const int before = threads_alive();
    for (int i = 0; i < 3; i++)
        cr_assert(!__real_pthread_create(&threads[i], NULL, loops_of_a_thread, &wrong[i]));
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(wrong[i], 0);
    }
    for (int i = 0; i < 100 && threads_alive() > before; i++)
        usleep(10000); /* the kernel may be late to forget a joined thread */
    cr_expect_eq(threads_alive(), before);
}

static void loop_inside(void *arg, int task, int worker)
{
    (void)task, (void)worker;
    if (run_loops(20))
        atomic_fetch_add((atomic_int *)arg, 1);
}

Test(threads, a_loop_inside_a_task)
{
    atomic_int wrong = 0;
    ws_parallel_for(4, 12, loop_inside, &wrong);
    cr_expect_eq(wrong, 0);
}

static int in_a_child(void)
{
    int status = 0;
    const pid_t child = fork();
    if (!child) {
        alarm(20);
        _exit(run_loops(300) != 0);
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

Test(threads, a_child_of_fork_has_threads_of_its_own)
{
    cr_expect_eq(in_a_child(), 0, "before the first loop");
    cr_expect_eq(run_loops(100), 0);
    cr_expect_eq(in_a_child(), 0, "after it");
    cr_expect_eq(run_loops(100), 0, "and in its parent");
}

Test(threads, without_new_threads_the_others_do_it)
{
    for (int left = 0; left < 4; left++) {
        threads_left = left;
        int wrong = 1;
        pthread_t thread;
        cr_assert(!__real_pthread_create(&thread, NULL, loops_of_a_thread, &wrong));
        pthread_join(thread, NULL);
        cr_expect_eq(wrong, 0, "with %d threads", left);
        cr_expect_eq(threads_left, 0);
    }
}

static void look_at_rounding(void *arg, int task, int worker)
{
    (void)task, (void)worker;
    if (fegetround() != FE_TONEAREST)
        atomic_fetch_add((atomic_int *)arg, 1);
}

Test(threads, tasks_round_to_nearest)
{
    atomic_int wrong = 0;
    fesetround(FE_UPWARD);
    ws_parallel_for(1, 8, look_at_rounding, &wrong);
    ws_parallel_for(4, 8, look_at_rounding, &wrong);
    cr_expect_eq(fegetround(), FE_UPWARD);
    fesetround(FE_TONEAREST);
    cr_expect_eq(wrong, 0);
}
