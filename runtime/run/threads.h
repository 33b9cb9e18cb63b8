/* runtime/run/threads.h - the one place where threads are used. */
#ifndef WS_RUNTIME_RUN_THREADS_H
#define WS_RUNTIME_RUN_THREADS_H

/* One task of a loop; `worker` is below the thread count and belongs to one thread at a time. */
typedef void (*ws_task_fn)(void *arg, int task, int worker);

/* Runs tasks 0..n-1 in any order on up to `threads` threads, and returns when all are done. It is a
 * plain loop in the caller's thread with one thread, inside a task, and where no thread can be
 * made; where only some can, these do it. Every worker runs with the library's floating-point mode
 * and gets its own back, and its tile registers. The child of fork() makes new threads. */
void ws_parallel_for(int threads, int n, ws_task_fn fn, void *arg);

#endif
