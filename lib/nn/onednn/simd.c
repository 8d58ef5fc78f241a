/* The instruction sets that simd.h knows. */
#include "nn/onednn/simd.h"

int dn_isa_most = DN_AVX512_BF16;

int dn_isa(void)
{
    int have = -1;
#ifdef DN_SIMD
    __builtin_cpu_init(); /* what it says also says that the system saves the registers */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        have = DN_AVX2;
    if (have >= 0 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        have = __builtin_cpu_supports("avx512bf16") ? DN_AVX512_BF16 : DN_AVX512;
#endif
    return have < dn_isa_most ? have : dn_isa_most;
}
