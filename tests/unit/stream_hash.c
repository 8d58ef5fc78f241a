/* stream_hash: every way of hashing gives the library's XXH3-64, whatever pieces the bytes come in. */
#include "stream/hash.h"
#include "common/arena.h"
#include "tests/unit/tap.h"
#include <xxhash.h>

enum { MOST = 300000 };
typedef void add_fn(void *state, const void *p, size_t n);

static void add_library(void *state, const void *p, size_t n)
{
    XXH3_64bits_update(state, p, n);
}

/* Pieces of 1 to 5,000 bytes, and a long one now and then. */
static uint64_t pieces(add_fn *add, const unsigned char *p, size_t n)
{
    XXH3_state_t *s = XXH3_createState();
    uint32_t x = (uint32_t)n + 1;
    XXH3_64bits_reset(s);
    for (size_t at = 0; at < n;) {
        x = x * 1664525u + 1013904223u;
        size_t k = x >> 28 ? 1 + (x >> 8) % 5000 : 100000;
        k = k < n - at ? k : n - at;
        add(s, p + at, k);
        at += k;
    }
    uint64_t v = XXH3_64bits_digest(s);
    XXH3_freeState(s);
    return v;
}

/* A short piece, so that the library has held back what it likes, then a long one, and the value at once. */
static uint64_t two(add_fn *add, const unsigned char *p, size_t first, size_t second)
{
    XXH3_state_t *s = XXH3_createState();
    XXH3_64bits_reset(s);
    add(s, p, first);
    add(s, p + first, second);
    uint64_t v = XXH3_64bits_digest(s);
    XXH3_freeState(s);
    return v;
}

int main(void)
{
    gv_err err = { 0 };
    unsigned char *p = gv_alloc(MOST, &err);
    static const size_t sizes[] = { 0, 1, 16, 17, 240, 241, 1023, 1024, 1025, 4096, 150528, 150529, MOST };
    if (!p)
        return 1;
    for (size_t i = 0; i < MOST; i++)
        p[i] = (unsigned char)(i * 2654435761u >> 13);
    struct { const char *name; add_fn *add; int here; } way[] = {
        { "plain", add_library, 1 },
#if defined(__x86_64__)
        { "AVX2", gv_hash_add_avx2, __builtin_cpu_supports("avx2") },
        { "AVX-512", gv_hash_add_avx512, __builtin_cpu_supports("avx512f") },
#endif
    };
    for (size_t w = 0; w < GV_COUNT(way); w++) {
        int right = 0;
        if (!way[w].here) {
            ok(1, "%s # SKIP not on this processor", way[w].name);
            continue;
        }
        for (size_t i = 0; i < GV_COUNT(sizes); i++)
            right += pieces(way[w].add, p, sizes[i]) == XXH3_64bits(p, sizes[i]);
        ok(right == (int)GV_COUNT(sizes), "%s: %d of %zu sizes in pieces give the library's value", way[w].name, right, GV_COUNT(sizes));
        int wrong = 0;
        for (size_t first = 0; first < 2100; first += 3)
            for (size_t second = 4090 + first % 7; second < 6200; second += 331)
                wrong += two(way[w].add, p, first, second) != XXH3_64bits(p, first + second);
        ok(!wrong, "%s: so does a long piece behind every short one, %d do not", way[w].name, wrong);
    }
    gv_hash *h = gv_hash_open(&err);
    if (h)
        gv_hash_add(h, p, MOST);
    ok(h && gv_hash_value(h) == XXH3_64bits(p, MOST), "the way chosen for this processor gives it too");
    gv_hash_close(h);
    gv_free(p);
    return done();
}
