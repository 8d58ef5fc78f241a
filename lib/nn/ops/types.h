/*
 * Compiles one kernel text for float, double and bf16. An op's file says
 *
 *   #define GV_KERNELS "nn/ops/relu_kernels.h"
 *   #include "nn/ops/types.h"
 *
 * and the text uses: T the type of REAL tensors in memory, S that of STAT ones, A the type to compute in; LD(v) from T to A,
 * ST(v) from A to T; F(name) the name with its type behind. GV_HOT functions need names that are unique in the program.
 */
#ifndef GV_PASTE
#define GV_PASTE_(a, b) a##b
#define GV_PASTE(a, b) GV_PASTE_(a, b)
#define F(name) GV_PASTE(name, SUFFIX)
#endif

#define SUFFIX _f32
#define T float
#define S float
#define A float
#define LD(v) (v)
#define ST(v) (v)
#include GV_KERNELS
#undef SUFFIX
#undef T
#undef S
#undef A
#undef LD
#undef ST

#define SUFFIX _f64
#define T double
#define S double
#define A double
#define LD(v) (v)
#define ST(v) (v)
#include GV_KERNELS
#undef SUFFIX
#undef T
#undef S
#undef A
#undef LD
#undef ST

#define SUFFIX _bf16
#define T uint16_t
#define S float
#define A float
#define LD(v) gv_bf16_to_f32(v)
#define ST(v) gv_f32_to_bf16(v)
#include GV_KERNELS
#undef SUFFIX
#undef T
#undef S
#undef A
#undef LD
#undef ST

#undef GV_KERNELS
