/*
 * Compiles one kernel text for f32 and for bf16 (double is the plain kernels' business). A file says
 *
 *   #define GV_KERNELS "nn/onednn/softmax.c"
 *   #include "nn/onednn/types.h"
 *
 * and the text uses T, the type in memory; LD(v) from T to float; ST(v) back; F(name) the name with its type behind.
 * Sums over a row say `#pragma omp simd reduction`: the compiler may then keep as many partial sums as the processor has lanes.
 */
#ifndef GV_NN_ONEDNN_TYPES_H
#define GV_NN_ONEDNN_TYPES_H
#define GV_PASTE_(a, b) a##b
#define GV_PASTE(a, b) GV_PASTE_(a, b)
#define F(name) GV_PASTE(name, SUFFIX)

/* The iterations of the next loop do not depend on each other, also where an output stands in the place of an input. */
#if defined(__clang__)
#define GV_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define GV_IVDEP _Pragma("GCC ivdep")
#endif
#endif

#define SUFFIX _f32
#define T float
#define LD(v) (v)
#define ST(v) (v)
#include GV_KERNELS
#undef SUFFIX
#undef T
#undef LD
#undef ST

#define SUFFIX _bf16
#define T uint16_t
#define LD(v) gv_bf16_to_f32(v)
#define ST(v) gv_f32_to_bf16(v)
#include GV_KERNELS
#undef SUFFIX
#undef T
#undef LD
#undef ST

#undef GV_KERNELS
