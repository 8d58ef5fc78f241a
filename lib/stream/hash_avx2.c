/* hash_avx2: XXH3 for AVX2, chosen at run time by hash.c. */
#include "stream/hash.h"
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2")
#define XXH_VECTOR 2 /* XXH_AVX2 */
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

void gv_hash_add_avx2(void *state, const void *p, size_t n)
{
    XXH3_64bits_update(state, p, n);
}
