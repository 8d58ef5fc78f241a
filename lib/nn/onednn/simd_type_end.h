/* Part of simd.h: what one type of it defined. */
#undef TYPE
#undef T
#undef LOAD
#undef STORE
#undef LOADN
#undef STOREN
