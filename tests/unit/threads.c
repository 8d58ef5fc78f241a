/* gv_parallel: every item once, in pieces that are the same in each run; a thread that is held up is helped; slots are apart; threads that are new do not
 * take part in what was there before them. */
#include "common/threads.h"
#include "tests/unit/tap.h"
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 100000, THREADS = 4, PATIENCE = 20 /* s */ };

struct seen { atomic_int times[MOST]; int64_t begin[MOST]; atomic_int in_slot[THREADS], clashes; };

static void look(void *p, int64_t begin, int64_t end)
{
    struct seen *s = p;
    int64_t slot = gv_slot();
    if (slot < 0 || slot >= THREADS || atomic_fetch_add(&s->in_slot[slot], 1))
        atomic_fetch_add(&s->clashes, 1);
    for (int64_t i = begin; i < end; i++) {
        atomic_fetch_add(&s->times[i], 1);
        s->begin[i] = begin;
    }
    atomic_fetch_sub(&s->in_slot[slot], 1);
}

static void all_items(int64_t n, int64_t grain, int threads)
{
    static struct seen first, again;
    memset(&first, 0, sizeof first);
    memset(&again, 0, sizeof again);
    gv_threads_set(threads);
    gv_parallel(n, grain, look, &first);
    gv_parallel(n, grain, look, &again);
    int64_t once = 0;
    for (int64_t i = 0; i < n; i++)
        once += first.times[i] == 1 && again.times[i] == 1;
    ok(once == n && !first.clashes && !again.clashes && !memcmp(first.begin, again.begin, sizeof first.begin),
       "%d items by %d in %d threads: each once, and the same pieces again", (int)n, (int)grain, threads);
}

/* Slot 1 is held up in its first piece until nearly all others are done, and slot 0 waits until it is there. */
struct held { atomic_int done, there, late; int enough; };

static bool until(struct held *h, atomic_int *what, int least)
{
    for (time_t end = time(NULL) + PATIENCE; atomic_load(what) < least;)
        if (time(NULL) > end) {
            atomic_store(&h->late, 1);
            return false;
        }
    return true;
}

static void hold(void *p, int64_t begin, int64_t end)
{
    struct held *h = p;
    if (gv_slot() == 1 && !atomic_exchange(&h->there, 1))
        until(h, &h->done, h->enough);
    else if (!gv_slot())
        until(h, &h->there, 1);
    atomic_fetch_add(&h->done, (int)(end - begin));
}

static void count_slots(void *p, int64_t begin, int64_t end)
{
    if (gv_slot() >= 2)
        atomic_fetch_add((atomic_int *)p, (int)(end - begin));
}

static void add(void *p, int64_t begin, int64_t end)
{
    atomic_fetch_add((atomic_int *)p, (int)(end - begin));
}

/* A pool that grows by many threads at once, in processes of their own, since it never shrinks. */
static void grow(void)
{
    int wrong = 0;
    for (int round = 0; round < 60; round++) {
        pid_t p = fork();
        int status = 1;
        if (!p) {
            int missing = 0;
            alarm(PATIENCE);
            for (int k = 0; k < 40; k++) {
                atomic_int sum = 0;
                gv_threads_set(k < 4 ? 2 : 3 + k);
                gv_parallel(400, 1, add, &sum);
                missing += sum != 400;
            }
            _exit(missing != 0);
        }
        if (p < 0 || waitpid(p, &status, 0) != p || status)
            wrong++;
    }
    ok(!wrong, "a pool that grows: each loop does all items, and ends (%d of 60 processes' do not)", wrong);
}

int main(void)
{
    grow(); /* before this process has threads */
    static const struct { int64_t n, grain; int threads; } c[] = {
        { 0, 1, 2 }, { 1, 1, 4 }, { 2, 1, 4 }, { 7, 3, 2 }, { 16, 1, 2 }, { 100, 1, 3 }, { MOST, 1, 4 }, { MOST, 16384, 2 }, { MOST - 1, 1, 2 }, { 5, 0, 1 },
    };
    for (size_t i = 0; i < sizeof c / sizeof *c; i++)
        all_items(c[i].n, c[i].grain, c[i].threads);
    gv_threads_set(2);
    struct held h = { .enough = 14 };
    gv_parallel(16, 1, hold, &h);
    ok(h.done == 16 && h.there && !h.late, "a thread that is held up keeps two of its eight pieces, the other does the rest");
    gv_threads_set(4);
    atomic_int beyond = 0;
    gv_parallel_slots(2, MOST, 1, count_slots, &beyond);
    ok(!beyond && gv_slot() == 0, "two slots of four threads: no other is used");
    gv_shares s;
    gv_shares_begin(&s, 10, 2);
    int64_t a, b, got = 0;
    bool right = gv_shares_take(&s, 1, 2, &a, &b) && a == 5 && b == 7;
    got += b - a;
    right = right && gv_shares_take(&s, 1, 9, &a, &b) && a == 7 && b == 10;
    got += b - a;
    right = right && gv_shares_take(&s, 1, 3, &a, &b) && a == 2 && b == 5;
    got += b - a;
    right = right && gv_shares_take(&s, 0, 1, &a, &b) && a == 0 && b == 1;
    got += b - a;
    right = right && gv_shares_take(&s, 0, 1, &a, &b) && a == 1 && b == 2;
    got += b - a;
    right = right && !gv_shares_take(&s, 0, 1, &a, &b) && !gv_shares_take(&s, 1, 1, &a, &b);
    ok(right && got == 10, "shares: one's own from the front, another's from the end, until nothing is left");
    return done();
}
