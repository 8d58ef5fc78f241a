/* Compiler extensions, each behind a name. C11 and POSIX.1-2008 everywhere else. */
#ifndef GV_COMMON_COMPILER_H
#define GV_COMMON_COMPILER_H

#define GV_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define GV_MUST_USE __attribute__((warn_unused_result))
#define GV_UNUSED __attribute__((unused))
#define GV_ALIGNED(n) __attribute__((aligned(n)))

/* GV_HOT: a plain loop compiled once for each instruction set and chosen when the program starts. Without it the code
 * is for the baseline processor of the distribution. Sanitizers cannot run before the choice is made, so not under them. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(GV_SANITIZED)
#define GV_HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define GV_HOT
#endif

/* A type of several numbers that are computed with at once: typedef float v GV_VECTOR(64); */
#define GV_VECTOR(bytes) __attribute__((vector_size(bytes)))

#define GV_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
