/* hash_avx512: XXH3 for AVX-512, chosen at run time by hash.c. */
#include "stream/hash.h"
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx512f")
#define XXH_VECTOR 3 /* XXH_AVX512 */
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

void gv_hash_add_avx512(void *state, const void *p, size_t n)
{
    XXH3_64bits_update(state, p, n);
}
