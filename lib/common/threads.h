/*
 * A pool of threads for loops over independent pieces. The split depends on the number of threads alone, so results are
 * the same in every run with that number.
 *
 *   gv_threads_set(2);
 *   gv_parallel(n, grain, body, arg);    // body(arg, begin, end) on contiguous parts of 0 … n; returns when all are done
 *
 * Called from one thread; bodies do not call gv_parallel. With one thread, or n <= grain, body runs in the caller.
 */
#ifndef GV_COMMON_THREADS_H
#define GV_COMMON_THREADS_H

#include <stdint.h>

typedef void gv_body(void *arg, int64_t begin, int64_t end);

/* The cores this process may use: affinity, cgroup quota, SLURM_CPUS_PER_TASK, OMP_NUM_THREADS; at least 1. */
int gv_threads_available(void);
void gv_threads_set(int n); /* 0: as available */
int gv_threads(void);
/* Let another pool run the parts (the OpenMP threads of a library that is used beside us: two pools on the same cores fight).
 * run calls fn(arg, i) once for each i of 0 … n - 1, in any threads, and returns when all are done. NULL: our own pool again.
 * The parts stay the same. */
void gv_threads_lend(void (*run)(int n, void (*fn)(void *arg, int i), void *arg));
/* This process does not push a running one aside when it wakes (SCHED_BATCH): for stages of a pipeline, of which one works and the others wait for it,
 * so that each does several records at a time. What the user has chosen (chrt) stays. */
void gv_threads_patient(void);
void gv_parallel(int64_t n, int64_t grain, gv_body *body, void *arg);

#endif
