/* Placement: random lists of intervals; no two live buffers overlap, and the total is not far above the most that lives at once. */
#include "nn/place.h"
#include "common/rng.h"
#include "tests/unit/tap.h"
#include <stdbool.h>

enum { N = 120 };

static size_t up(size_t n) { return (n + 63) & ~(size_t)63; }

static int clash(const gv_interval *v, int n, size_t gap)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < i; k++) {
            bool together = v[i].first <= v[k].last && v[k].first <= v[i].last;
            bool apart = v[i].offset + up(v[i].bytes) + gap <= v[k].offset || v[k].offset + up(v[k].bytes) + gap <= v[i].offset;
            if (together && !apart)
                return 1;
        }
    return 0;
}

int main(void)
{
    gv_arena a;
    gv_err err = { 0 };
    if (gv_arena_init(&a, "test", 1 << 20, &err) < 0)
        return 1;
    int clashes = 0, misplaced = 0, tight = 0, wasteful = 0;
    for (uint64_t trial = 0; trial < 300; trial++) {
        gv_interval v[N];
        gv_rng r;
        gv_rng_init(&r, trial, GV_RNG_TEST, 0, 0, 0);
        int n = 1 + (int)gv_rng_below(&r, N);
        size_t live[2 * N] = { 0 }, most = 0, total, gap = trial % 3 ? 0 : 64;
        for (int i = 0; i < n; i++) {
            v[i].first = (int)gv_rng_below(&r, N);
            v[i].last = v[i].first + (int)gv_rng_below(&r, trial % 2 ? 5 : N);
            v[i].bytes = (size_t)gv_rng_below(&r, 5000);
            for (int t = v[i].first; t <= v[i].last; t++)
                live[t] += up(v[i].bytes ? v[i].bytes : 1) + gap;
        }
        for (int t = 0; t < 2 * N; t++)
            most = live[t] > most ? live[t] : most;
        if (gv_place(v, n, gap, &a, &total, &err) < 0)
            return 1;
        clashes += clash(v, n, gap);
        for (int i = 0; i < n; i++)
            misplaced += v[i].offset % 64 || v[i].offset < gap || v[i].offset + v[i].bytes + gap > total;
        tight += total < most;
        wasteful += total > most + most / 4 + 64;
    }
    ok(!clashes, "buffers that live together do not overlap (%d lists do)", clashes);
    ok(!misplaced, "every buffer is aligned and inside the whole (%d are not)", misplaced);
    ok(!tight, "nothing is smaller than what lives at once");
    ok(!wasteful, "at most a quarter more than what lives at once is used (%d lists use more)", wasteful);
    gv_interval chain[4] = { { 0, 1, 1000, 0 }, { 1, 2, 1000, 0 }, { 2, 3, 1000, 0 }, { 3, 4, 1000, 0 } };
    size_t total;
    ok(gv_place(chain, 4, 0, &a, &total, &err) == GV_OK && total == 2048, "a chain of four needs the room of two (%zu bytes)", total);
    gv_arena_release(&a);
    return done();
}
