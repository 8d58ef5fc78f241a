/*
 * A pool of threads for loops over independent pieces.
 *
 *   gv_threads_set(2);
 *   gv_parallel(n, grain, body, arg);    // body(arg, begin, end) on contiguous pieces of 0 … n; returns when all are done
 *
 * Each thread has pieces of its own, and helps with the others' when they are done: one whose core somebody else uses, too, holds nobody up for long. Where
 * pieces begin and end depends on n, grain and the number of threads alone, so results are the same in every run with that number; which thread
 * does a piece does not matter as long as its scratch is by gv_slot().
 *
 * Called from one thread; bodies do not call gv_parallel. With one thread, or n <= grain, body runs in the caller.
 */
#ifndef GV_COMMON_THREADS_H
#define GV_COMMON_THREADS_H

#include <stdatomic.h>
#include <stdbool.h>
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
/* The same in at most so many threads, each with a slot of its own: gv_slot(), less than `slots`, in a body, for scratch. */
void gv_parallel_slots(int64_t slots, int64_t n, int64_t grain, gv_body *body, void *arg);
int64_t gv_slot(void);

/* What gv_parallel shares its pieces by, for bodies that go through pieces themselves: 0 … n - 1 (n < 2^32) in as many portions as there are parts. */
enum { GV_MAX_THREADS = 256 };
typedef struct gv_shares { int64_t parts; atomic_ullong left[GV_MAX_THREADS]; /* of each portion: the first << 32 | the end */ } gv_shares;
void gv_shares_begin(gv_shares *s, int64_t n, int64_t parts);
/* The next [*at, *to): a quarter of what is left of the part's own portion, or else the last quarter of another's, but at least `least`; false: none is left. */
bool gv_shares_take(gv_shares *s, int64_t part, int64_t least, int64_t *at, int64_t *to);

#endif
