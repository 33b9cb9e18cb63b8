/* tests/util/util_loops.h - loops on the library's threads that count what becomes of their tasks. */
#ifndef WS_TESTS_UTIL_UTIL_LOOPS_H
#define WS_TESTS_UTIL_UTIL_LOOPS_H

/* So many loops of 0 to 97 tasks on 1 to 8 threads. How often a task was not done once, or two
 * threads were the same worker. */
int run_loops(int rounds);

#endif
