/* hash: XXH3-64, at the speed of the processor at hand. */
#include "stream/hash.h"
#include "common/arena.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

struct gv_hash {
    void *memory; /* what gv_alloc gave */
    void (*add)(void *state, const void *p, size_t n);
    _Alignas(64) XXH3_state_t state;
};

static void add_plain(void *state, const void *p, size_t n)
{
    XXH3_64bits_update(state, p, n);
}

gv_hash *gv_hash_open(gv_err *err)
{
    char *p = gv_alloc(sizeof(gv_hash) + 64, err);
    if (!p)
        return NULL;
    gv_hash *h = (gv_hash *)(void *)(p + (64 - (uintptr_t)p % 64) % 64); /* XXH3 wants its state aligned */
    h->memory = p;
    h->add = add_plain;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2"))
        h->add = gv_hash_add_avx2;
    if (__builtin_cpu_supports("avx512f"))
        h->add = gv_hash_add_avx512;
#endif
    XXH3_64bits_reset(&h->state);
    return h;
}

void gv_hash_close(gv_hash *h)
{
    if (h)
        gv_free(h->memory);
}

void gv_hash_add(gv_hash *h, const void *p, size_t n)
{
    h->add(&h->state, p, n);
}

uint64_t gv_hash_value(const gv_hash *h)
{
    return XXH3_64bits_digest(&h->state);
}
